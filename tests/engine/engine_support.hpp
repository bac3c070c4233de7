// SPDX-License-Identifier: MIT
// engine_support: stamped libraries, an engine to reload them, and what the process holds of them.
#pragma once

#include <dirent.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../counters.hpp"
#include "../support.hpp"
#include "libraries.hpp"
#include "system/sanitizers.hpp"
#include "worker.h"

#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || __has_feature(thread_sanitizer) || \
    __has_feature(address_sanitizer)
#define SANITIZED 1  // for what only the preprocessor can leave out
#endif

namespace support {

#ifdef SANITIZED
inline constexpr bool sanitized = true;
#else
/// Valgrind counts as one: it keeps memory, too.
inline const bool sanitized =
    std::string_view(std::getenv("LD_PRELOAD") != nullptr ? std::getenv("LD_PRELOAD") : "").find("vgpreload") !=
    std::string_view::npos;
#endif

inline constexpr bool thread_sanitized = autoreload::thread_sanitizer;
/// For GTEST_SKIP of tests that it can't run.
inline constexpr const char* no_threads_after_fork = "the thread sanitizer allows a forked child no threads";

/// The address sanitizer of g++ 12 does not hold its allocator's locks over a fork. A child that allocates waits for
/// ever if another thread of its parent was allocating at that moment.
inline constexpr bool allocates_after_fork = !autoreload::address_sanitizer;
/// For GTEST_SKIP of tests whose child works as its parent's threads do.
inline constexpr const char* no_memory_after_fork = "the address sanitizer's allocator may be locked in a forked child";

// What only some of the libraries have is optional.
struct worker_api {
  autoreload::required<::worker_stamp> stamp;
  autoreload::required<::worker_variant> variant;
  autoreload::optional<::worker_visit> visit;
  autoreload::optional<::worker_count> count;
  autoreload::optional<::worker_extra> extra;
  autoreload::optional<::worker_touch_thread> touch_thread;
};

// Each test is compiled once for each backend.
using library = autoreload::reloadable<worker_api, autoreload::TEST_BACKEND::backend>;

// ---- libraries

/// A library's bytes with a number in them by which its copies can be told apart.
inline std::string restamped(std::string bytes, std::uint64_t number) {
  static constexpr char mark[32] = "the stamp of this build:";
  const std::size_t at = bytes.find(std::string_view(mark, sizeof mark));
  if (at == std::string::npos) throw std::runtime_error("there is no mark in the library");
  std::memcpy(bytes.data() + at + sizeof mark, &number, sizeof number);
  return bytes;
}
inline std::string stamped(const char* file, std::uint64_t number) { return restamped(read_file(file), number); }

/// Writes beside the path and renames over it, as lld, mold and rsync do.
inline void put(const std::string& path, const std::string& bytes) {
  write_file(path + ".new", bytes);
  std::filesystem::rename(path + ".new", path);
}

/// A stamped copy of the plain library, put at the path.
inline void put(const std::string& path, std::uint64_t stamp) { put(path, stamped(libraries::plain, stamp)); }

// ---- what the process holds

/// Snapshots that are loaded, by the names that the dynamic loader has for them.
inline std::set<std::string> loaded_snapshots() {
  std::set<std::string> names;
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* into) {
        const std::string_view name = object->dlpi_name;
        if (name.starts_with("/proc/") && name.find("/fd/") != name.npos) {
          static_cast<std::set<std::string>*>(into)->emplace(name);
        }
        return 0;
      },
      &names);
  return names;
}

inline std::size_t entries(const char* directory) {
  DIR* const list = opendir(directory);
  if (list == nullptr) throw std::runtime_error(std::string("opendir ") + directory);
  std::size_t count = 0;
  while (const dirent* const entry = readdir(list)) count += entry->d_name[0] != '.';
  closedir(list);
  return count;
}
inline std::size_t open_descriptors() { return entries("/proc/self/fd") - 1; }  // but the one that lists them
inline std::size_t threads() { return entries("/proc/self/task"); }

/// Lines of /proc/self/maps, all or those with a text in them.
inline std::size_t mappings(const std::string& with = "") {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(with) != std::string::npos;
  return count;
}

/// Resident memory, KiB.
inline std::size_t resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  throw std::runtime_error("no VmRSS");
}

/// Waits for what no event tells.
template <class Condition>
[[nodiscard]] bool comes_true(Condition condition, std::chrono::milliseconds limit = patience) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// Runs `body` in a forked child. The test fails when an expectation fails in it, when it crashes and when it hangs.
template <class Body>
void in_child(Body body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(patience.count());
    try {
      body();
    } catch (const std::exception& thrown) {  // in the child nobody else may catch it and go on with the next test
      ADD_FAILURE() << thrown.what();
    }
    std::fflush(nullptr);
    keep_counters();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFSIGNALED(status)) << "the child was ended by signal " << WTERMSIG(status);
  EXPECT_EQ(status, 0);
}

/// A thread that is inside a call of the library, in a host callback, until finish().
class caller_inside {
 public:
  explicit caller_inside(const library& called) {
    thread_ = std::jthread([&] {
      returned_ = called.call<&worker_api::visit>(
          [](void* self) {
            auto* const here = static_cast<caller_inside*>(self);
            here->entered_.set_value();
            here->leave_.get_future().wait();
          },
          this);
    });
    entered_.get_future().wait();
  }
  /// Lets the call return. @return what it returned: the stamp of the library that it is inside of
  std::uint64_t finish() {
    leave_.set_value();
    thread_.join();
    return returned_;
  }

 private:
  std::promise<void> entered_;
  std::promise<void> leave_;
  std::uint64_t returned_ = 0;
  std::jthread thread_;
};

// ---- an engine

/// Options for a library in a temporary directory, also where those are mounted noexec.
inline autoreload::options anywhere() {
  autoreload::options chosen;
  chosen.trust.honour_noexec = false;
  return chosen;
}

/// A directory for a library, and the events of the engine that watches it.
class EngineTest : public testing::Test {
 protected:
  using kind = autoreload::event_kind;

  explicit EngineTest(const std::filesystem::path& in = std::filesystem::temp_directory_path()) : directory_(in) {}

  [[nodiscard]] autoreload::options background() {
    autoreload::options chosen = anywhere();
    chosen.observer = events_.observer();
    return chosen;
  }
  /// Everything happens in poll(), so a test can say when, and that nothing happened.
  [[nodiscard]] autoreload::options manual() {
    autoreload::options chosen = background();
    chosen.drive = autoreload::drive_mode::manual;
    return chosen;
  }
  /// The next event of a kind; fails the test when there is none.
  autoreload::event expect(kind wanted) {
    std::optional<autoreload::event> found = events_.next(wanted, patience);
    if (!found) {
      ADD_FAILURE() << "no event of kind " << to_string(wanted);
      return {};
    }
    return *std::move(found);
  }
  /// The kinds of all events that are there now, such as "loaded unloaded".
  std::string kinds() {
    std::string list;
    while (const auto one = events_.next()) list += (list.empty() ? "" : " ") + std::string(to_string(one->kind));
    return list;
  }

  temp_directory directory_;
  std::string path_ = directory_ / "libworker.so";
  autoreload::event_queue events_;
};

}  // namespace support
