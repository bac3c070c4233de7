// SPDX-License-Identifier: MIT
// reasons: finds in what was read of a library why the loader keeps it, and what a thread does inside.
#include "reload/stays/stays.hpp"

#include <system_error>
#include <utility>

#include "reload/stays/whereabouts.hpp"

namespace autoreload {
namespace {

constexpr std::chrono::seconds patience{1};  // a call that is longer than this is worth a word

}  // namespace

obstacle why_it_stays(const elf_facts& facts) {
#ifndef __GLIBC__
  return {true, "the C library's dlclose never unmaps (musl): every generation stays in memory"};
#endif
  if (facts.no_delete) {
    return {true, "it was linked with -z nodelete (DF_1_NODELETE): dlclose keeps it for good; link without that flag"};
  }
  if (!facts.unique_symbols.empty()) {
    return {true, "it defines the STB_GNU_UNIQUE symbol " + facts.unique_symbols.front() +
                      ", which pins it for good; compile with -fno-gnu-unique"};
  }
  if (facts.thread_destructors) {
    return {false, "destructors of its thread_local objects are pending: it leaves after those threads have ended"};
  }
  return {false, "another loaded library refers to it, or somebody else opened it"};
}

std::string without_membarrier(const grace& period) {
  std::string text = "membarrier(2) is refused by now (" + std::generic_category().message(period.refused) + "): ";
  text += period.blind ? "without /proc nothing shows when old generations can go, so all stay; "
                       : "old generations go when each thread that calls was seen asleep or switched out; ";
  return text + "let the sandbox allow membarrier, or set it up before the first call";
}

void tell_of_holder(generation& one, pid_t thread, std::chrono::steady_clock::duration waited,
                    std::chrono::milliseconds stuck_after, std::vector<retirement>& done) {
  if (stuck_after.count() > 0 && waited >= stuck_after && !std::exchange(one.stuck, true)) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(waited).count();
    done.push_back(
        {one.number, false, whereabouts_of(thread) + " has not come back for " + std::to_string(seconds) + " s", true});
  }
  if (one.reported || waited < patience) return;
  done.push_back({one.number, false, "a call or pin of thread " + std::to_string(thread) + " is still inside it"});
  one.reported = true;
}

}  // namespace autoreload
