// SPDX-License-Identifier: MIT
// quarantine_test: quarantined generations pile up, as they are never unloaded: what still holds then, and what is said
// when the process has no room for more.
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "faulty_support.hpp"

using autoreload::event_kind;
using support::faulty_api;
using support::line_of;
using support::says;

namespace {

class Quarantine : public support::FaultyTest {
 protected:
  Quarantine() {
    autoreload::options options = chosen();
    options.history.loaded = 1;  // the good one stays the same one
    lib_.emplace(path_, options);
  }
  // A build that is quarantined at once.
  void bad_build(std::uint64_t number) {
    build(number);
    ASSERT_EQ(lib()->stamp(), number);
    ASSERT_FALSE(lib().guarded<&faulty_api::write_null>(1));
    ASSERT_EQ(lib()->stamp(), 1U);
  }
};

TEST_F(Quarantine, TheGoodGenerationIsKnownAfterAHundredBadBuilds) {
  for (std::uint64_t number = 2; number <= 101; ++number) bad_build(number);
  const auto ended = lib().guarded<&faulty_api::write_null>(1);
  ASSERT_FALSE(ended) << "and the process is alive";
  EXPECT_TRUE(says(ended.error().reason(), line_of("hidden_writer")));
}

TEST_F(Quarantine, WhatCrashedIsNotLoadedAgainAfterAThousandOthersCrashed) {
  rlimit limit{};  // each quarantined generation keeps a descriptor
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  for (std::uint64_t number = 2; number <= 1030; ++number) bad_build(number);
  support::put_faulty(path_, 2);
  const auto again = lib().reload();
  ASSERT_FALSE(again);
  EXPECT_TRUE(says(again.error().reason(), "SIGSEGV in generation 2"));
  EXPECT_EQ(lib()->stamp(), 1U);
}

TEST_F(Quarantine, WithoutDescriptorsTheNextBuildIsRefusedAndLoadedWhenThereAreSome) {
  bad_build(2);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  support::put_faulty(path_, 3);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  lib().poll();
  setrlimit(RLIMIT_NOFILE, &before);
  const auto failure = lib().last_failure();
  ASSERT_TRUE(failure);
  EXPECT_TRUE(says(failure->advice(), "(ulimit -n): each generation that is loaded, stored or quarantined has one"));
  EXPECT_EQ(*lib().guarded<&faulty_api::stamp>(), 1U);
  const auto deadline = std::chrono::steady_clock::now() + support::patience;
  while (lib()->stamp() != 3 && std::chrono::steady_clock::now() < deadline) lib().poll();
  EXPECT_EQ(lib()->stamp(), 3U);
}

// Uses up what the kernel lets a process have of mappings, and gives it back.
class every_mapping {
 public:
  every_mapping() {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::size_t most = 0;
    std::ifstream("/proc/sys/vm/max_map_count") >> most;
    size_ = 2 * most * page;
    memory_ = static_cast<char*>(mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    for (std::size_t at = 0; at < size_; at += 2 * page) {
      if (mprotect(memory_ + at, page, PROT_READ) != 0) break;
    }
  }
  ~every_mapping() { munmap(memory_, size_); }

 private:
  std::size_t size_;
  char* memory_;
};

TEST_F(Quarantine, WithoutMappingsTheNextBuildIsRefusedAndLoadedWhenThereAreSome) {
  bad_build(2);
  support::put_faulty(path_, 3);
  {
    const every_mapping used_up;
    lib().poll();
    const auto failure = lib().last_failure();
    ASSERT_TRUE(failure);
    EXPECT_TRUE(says(failure->advice(), "vm.max_map_count"));
    EXPECT_EQ(*lib().guarded<&faulty_api::stamp>(), 1U);
    EXPECT_FALSE(lib().guarded<&faulty_api::write_null>(1));
  }
  const auto deadline = std::chrono::steady_clock::now() + support::patience;
  while (lib()->stamp() != 3 && std::chrono::steady_clock::now() < deadline) lib().poll();
  EXPECT_EQ(lib()->stamp(), 3U);
}

}  // namespace
