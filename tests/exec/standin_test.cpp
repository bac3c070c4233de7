// SPDX-License-Identifier: MIT
// standin_test: the stand-in of each library of the system loads where the library does, and has its symbols.
//
// AUTORELOAD_LIBRARIES names another directory.
#include <gtest/gtest.h>

#include <dlfcn.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "../support.hpp"
#include "elf/gnu_hash.hpp"
#include "exec/copy_plan.hpp"
#include "exec/exports.hpp"
#include "exec/hash_tables.hpp"
#include "exec/loaded_standin.hpp"
#include "exec/standin.hpp"
#include "reload/inspect/inspect.hpp"

namespace {

using namespace autoreload;

std::vector<std::string> libraries() {
  const char* const chosen = std::getenv("AUTORELOAD_LIBRARIES");
  const char* const rounds = std::getenv("AUTORELOAD_ROUNDS");
  const std::size_t most = chosen != nullptr || rounds != nullptr ? 100'000 : 150;
  std::set<std::string> found;
  // Another copy of these in one process is no use of theirs.
  const std::set<std::string> system{"libc.so",      "ld-linux",    "libpthread",   "libc_malloc_debug", "libmemusage",
                                     "libpcprofile", "libSegFault", "libthread_db", "libasan",           "libtsan",
                                     "libhwasan",    "liblsan",     "libubsan"};
  for (const auto& entry :
       std::filesystem::directory_iterator(chosen != nullptr ? chosen : "/usr/lib/x86_64-linux-gnu")) {
    const std::string name = entry.path().filename().string();
    if (name.find(".so") == std::string::npos || !entry.is_regular_file()) continue;
    if (std::any_of(system.begin(), system.end(), [&](const std::string& one) { return name.starts_with(one); }))
      continue;
    found.insert(entry.path().string());
  }
  std::vector<std::string> list(found.begin(), found.end());
  for (std::size_t i = 0; list.size() > most; i = (i + 1) % list.size())
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
  return list;
}

/// In a child: 0 loaded and right, 1 dlopen refused it, 2 a symbol is wrong.
int try_in_child(const std::string& file, bool is_standin, const std::vector<exec::exported_symbol>& exports) {
  const pid_t child = fork();
  if (child == 0) {
    if (freopen("/dev/null", "w", stderr) == nullptr) _exit(3);
    alarm(20);
    void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) _exit(1);
    if (!is_standin) _exit(0);
    const exec::loaded_standin made = exec::standin_of(handle);
    link_map* map = nullptr;
    dlinfo(handle, RTLD_DI_LINKMAP, &map);
    if (made.header == nullptr || map == nullptr) _exit(2);
    for (const exec::exported_symbol& one : exports) {
      void* const found =
          one.version.empty() ? dlsym(handle, one.name.c_str()) : dlvsym(handle, one.name.c_str(), one.version.c_str());
      if (one.kind == exec::symbol_kind::unique || one.kind == exec::symbol_kind::thread_local_variable) continue;
      if (!one.is_function()) {
        if (one.kind != exec::symbol_kind::other && found != reinterpret_cast<void*>(map->l_addr + one.raw.st_value))
          _exit(2);
        continue;
      }
      const auto slot = static_cast<std::size_t>(static_cast<std::byte*>(found) - made.header->stubs) / exec::stub_size;
      if (slot >= made.header->functions || one.name != made.header->strings + made.header->names[slot].name) _exit(2);
      void* const target = made.header->first_table[slot];
      if (one.kind == exec::symbol_kind::function && target != reinterpret_cast<void*>(map->l_addr + one.raw.st_value))
        _exit(2);
      if (target == nullptr) _exit(2);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(StandIn, OfEachLibraryOfTheSystemLoadsWhereTheLibraryDoes) {
  const support::temp_directory here;
  std::size_t tried = 0;
  for (const std::string& path : libraries()) {
    const std::string text = support::read_file(path);
    const auto bytes = std::as_bytes(std::span(text));
    const inspection seen = inspect(bytes, this_machine, writing::is_over);
    if (seen.is != verdict::sound) continue;
    const elf_view file{bytes, seen.facts.segments, 0};
    const auto tables = exec::tables_of(file);
    ASSERT_TRUE(tables) << path;
    const auto exports = exec::exports_of(file, *tables);
    if (exports.empty()) continue;
    const auto made = exec::make_standin({bytes, seen.facts, path, {}, {}});
    ASSERT_TRUE(made) << path << made.error().what();
    const std::string standin = here / "standin.so";
    support::write_file(standin, {reinterpret_cast<const char*>(made->data()), made->size()});
    const int plain = try_in_child(path, false, {});
    EXPECT_EQ(try_in_child(standin, true, exports), plain) << path;
    ++tried;
  }
  EXPECT_GT(tried, 5U);
  RecordProperty("libraries", static_cast<int>(tried));
}

TEST(StandIn, ItsHashTablesFindEachNameAndNoOther) {
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("name" + std::to_string(i * 7919));
  const std::uint32_t buckets = exec::gnu_buckets(names.size());
  std::sort(names.begin(), names.end(), [&](const auto& a, const auto& b) {
    return gnu_hash(a.c_str()) % buckets < gnu_hash(b.c_str()) % buckets;
  });
  EXPECT_EQ(gnu_hash("printf"), 0x156b2bb8U);  // the example of the format's description
  const std::string table = exec::gnu_hash_table(names, 5);
  std::vector<std::uint32_t> words(table.size() / 4);
  std::memcpy(words.data(), table.data(), words.size() * 4);
  ASSERT_EQ(words[0], buckets);
  ASSERT_EQ(words[1], 5U);
  const std::size_t heads = 4 + words[2] * 2;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::uint32_t hash = gnu_hash(names[i].c_str());
    std::uint32_t at = words[heads + hash % buckets];
    ASSERT_GE(at, 5U);
    while ((words[heads + buckets + at - 5] | 1U) != (hash | 1U)) {
      ASSERT_EQ(words[heads + buckets + at - 5] & 1U, 0U) << names[i] << " is behind the chain's end";
      ++at;
    }
  }
}

}  // namespace
