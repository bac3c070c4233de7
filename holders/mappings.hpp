// SPDX-License-Identifier: MIT
// mappings: what memory this process has, and a reader that no change of it can crash.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <autoreload/unload.hpp>

#include "holders/target.hpp"
#include "system/unique_fd.hpp"

namespace autoreload::holding {

/// A line of /proc/self/maps.
struct mapping {
  memory_range where;
  bool readable = false;
  bool writable = false;
  bool shared = false;
  std::string name;  // of the file, or `[heap]`, `[stack]`; often empty
};

/// In order of their addresses; empty when there is no /proc.
/// @param but  the library's own are left out: a copy of their addresses would be found as a pointer into it
[[nodiscard]] std::vector<mapping> read_mappings(const target& but);

/// Before they are freed: a later search for another library's holders would find their addresses.
inline void forget_addresses(std::vector<mapping>& all) noexcept {
  for (mapping& one : all) one.where = {};
}

/// The mapping that has an address, or null.
[[nodiscard]] const mapping* find_mapping(const std::vector<mapping>& all, std::uintptr_t address) noexcept;

[[nodiscard]] std::size_t page_size() noexcept;

/// Which pages hold anything. What was never written to need not be read: it has no pointers, and reading it would make
/// page tables for it.
class page_map {
 public:
  page_map();
  /// Calls `visit(memory_range)` for runs of pages that hold something. All of the range, where that can't be known.
  template <class Visit>
  void each_used(memory_range range, Visit&& visit) const {
    const std::uintptr_t page = page_size();
    constexpr std::size_t most = 4096;
    std::vector<std::uint64_t> flags(most);
    memory_range run{range.begin, range.begin};
    for (std::uintptr_t at = range.begin; at < range.end;) {
      const std::size_t wanted = std::min<std::size_t>(most, (range.end - at + page - 1) / page);
      const std::size_t got = read_flags(at, std::span(flags).first(wanted));
      for (std::size_t i = 0; i < wanted; ++i, at += page) {
        const bool used = got != wanted || flags[i] >> 62 != 0;  // present, or swapped
        if (used) {
          run.end = std::min(at + page, range.end);
          continue;
        }
        if (run.begin != run.end) visit(run);
        run = {at + page, at + page};
      }
    }
    if (run.begin < run.end) visit(run);
  }

 private:
  [[nodiscard]] std::size_t read_flags(std::uintptr_t from, std::span<std::uint64_t> into) const noexcept;
  unique_fd file_;
};

}  // namespace autoreload::holding
