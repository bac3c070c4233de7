// SPDX-License-Identifier: MIT
// loose_pointers: finds words that lead into the old build, and exchanges them.
//
// SHARED  the program's memory. Its threads go on, outside of the library. They may copy a pointer from where the
//         search has not looked to where it has: so it is repeated until it finds nothing. They may unmap memory: so a
//         child that borrows the memory makes the exchanges, and a fault ends the child alone.
#include "exec/loose_pointers.hpp"

#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "holders/mappings.hpp"
#include "holders/memory.hpp"
#include "holders/target.hpp"
#include "system/aside.hpp"
#include "system/own_memory.hpp"

namespace autoreload::exec {
namespace {

constexpr int most_searches = 4;
constexpr std::size_t most_faults = 64;

}  // namespace

holding::unseen_list<loose_pointers::word> loose_pointers::find(const pointer_search& what) const {
  const holding::target target(what.old);
  holding::unseen_list<word> found;
  found.reserve(4096);
  const auto look = [&](std::span<const std::uint64_t> words, std::uintptr_t at) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] - target.base - target.low >= target.span) continue;
      const std::optional<std::uintptr_t> to = what.to(words[i]);
      const std::uintptr_t place = at + i * sizeof words[i];
      if (!to || *to == words[i]) continue;
      if (what.loaders != nullptr && what.loaders->has({place, words[i] - target.base, false, false})) continue;
      found.push_back({place, ~words[i], *to, false});
    }
  };
  holding::left_out out;
  for (const holding::target& build : {target, holding::target(what.now)}) {
    out.add({build.base + build.low, build.base + build.low + build.span});
  }
  out.add(holding::stack_of_this_thread());
  out.sort();
  const holding::mapping_list all = holding::read_mappings(target);
  holding::each_piece(all, out, nullptr, [&](const holding::memory_piece& piece) { look(piece.words, piece.at); });
  for (const memory_range& one : what.too) {
    std::vector<std::uint64_t> words((one.end - one.begin) / sizeof(std::uint64_t));
    const std::size_t got = copy_memory(one.begin, words.data(), words.size() * sizeof(std::uint64_t));
    look(std::span(words).first(got / sizeof(std::uint64_t)), one.begin);
  }
  return found;
}

void loose_pointers::exchange(word* words, std::size_t count) noexcept {
  struct work {
    word* words;
    std::size_t count;
    volatile std::size_t next = 0;
  };
  void* const memory = mmap(nullptr, sizeof(work), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  work& all = *new (memory) work{words, count};
  for (std::size_t faults = 0; all.next < count && faults < most_faults; ++faults) {
    const undisturbed no_signals;
    const auto run = [](void* argument) noexcept {
      end_by_any_fault(5);
      work& here = *static_cast<work*>(argument);
      while (here.next < here.count) {
        word& one = here.words[here.next];
        here.next = here.next + 1;
        std::uint64_t expected = ~one.was;
        one.changed = __atomic_compare_exchange_n(reinterpret_cast<std::uint64_t*>(one.at), &expected, one.is, false,
                                                  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
      }
    };
    const pid_t child = run_aside(run, &all, 0);
    if (child < 0) break;
    int status = 0;
    while (waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
    }
  }
  munmap(memory, sizeof(work));
}

std::size_t loose_pointers::set_right(const pointer_search& what) {
  std::size_t sum = 0;
  for (int round = 0; round < most_searches; ++round) {
    holding::unseen_list<word> found = find(what);
    if (found.empty()) break;
    changed_.reserve(changed_.size() + found.size());
    exchange(found.data(), found.size());
    for (const word& one : found) {
      if (!one.changed) continue;
      changed_.push_back(one);
      ++sum;
    }
  }
  return sum;
}

void loose_pointers::undo() noexcept {
  for (word& one : changed_) one = {one.at, ~one.is, ~one.was, false};
  exchange(changed_.data(), changed_.size());
  changed_.clear();
}

}  // namespace autoreload::exec
