// SPDX-License-Identifier: MIT
// ending: what is told of a guarded call that did not come back.
#include "recover/ending.hpp"

#include <sys/stat.h>

#include <csignal>

#include "crash/place_words.hpp"
#include "system/hexadecimal.hpp"
#include "system/signal_name.hpp"

namespace autoreload {
namespace {

using detail::call_ending;

std::string short_time(std::chrono::nanoseconds time) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return milliseconds % 1000 == 0 && milliseconds > 0 ? std::to_string(milliseconds / 1000) + " s"
                                                      : std::to_string(milliseconds) + " ms";
}

std::string crash(const call_ending& how, const std::string& generation, const std::string& place) {
  const char* const name = signal_name(how.signal);
  std::string what = std::string(name != nullptr ? name : "a signal") + " in " + generation + ": " + place;
  const bool by_libc = how.signal != SIGABRT && how.place != how.instruction;
  if (how.signal == SIGABRT) return what + " called abort";
  if (how.signal != SIGSEGV && how.signal != SIGBUS) return what;
  if (how.instruction == how.address)
    return what + " called " + hexadecimal(how.address) + ", where there is no function";
  std::string used = by_libc ? " gave libc address " : " used address ";
  if (how.code == SI_KERNEL) return what + used.substr(0, used.size() - 8) + "an address that no process can have";
  used += hexadecimal(how.address);
  const bool at_end = how.address - how.stack + 0x8000 < 0x10000;
  return what + used + (at_end ? ", at the end of its stack: most likely an endless recursion" : "");
}

}  // namespace

std::string words_for_place(const crash_table::entry& generation, std::uintptr_t place) {
  const auto file = static_cast<int>(generation.snapshot);
  struct stat status {};
  const bool there = file >= 0 && ::fstat(file, &status) == 0 && status.st_dev == generation.device &&
                     status.st_ino == generation.inode;
  return words_for_address(there ? file : -1, place - generation.base);
}

error words_for(const detail::landing& call, const std::string& path) {
  const call_ending& how = call.ending();
  crash_table::entry found;
  (void)crash_table::read(how.entry, found);
  const std::string generation = "generation " + std::to_string(found.number);
  const std::string place = words_for_place(found, how.place);
  std::string reason;
  if (how.signal != 0) {
    reason = crash(how, generation, place);
  } else if (how.newer) {
    reason = "a call of " + generation + " was ended, as a newer build is there: it was in " + place;
  } else {
    reason =
        "a call of " + generation + " did not come back in " + short_time(call.limit().time) + ": it was in " + place;
  }
  return error(stage::call, path, reason)
      .advise("change the library and build it: this generation is not called again");
}

}  // namespace autoreload
