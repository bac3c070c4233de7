// SPDX-License-Identifier: MIT
// ending: what is told of a guarded call that did not come back.
#include "recover/ending.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <span>

#include "crash/source_place.hpp"
#include "system/signal_name.hpp"

namespace autoreload {
namespace {

using detail::call_ending;

std::string hexadecimal(std::uintptr_t number) {
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "0x%llx", static_cast<unsigned long long>(number));
  return digits.data();
}

std::string full_name(const line_place& place) {
  std::string name;
  const auto whole = [](std::string_view part) { return !part.empty() && part.front() == '/'; };
  if (!whole(place.file) && !whole(place.directory) && !place.root.empty()) name += std::string(place.root) + "/";
  if (!whole(place.file) && !place.directory.empty()) name += std::string(place.directory) + "/";
  return name + std::string(place.file) + ":" + std::to_string(place.line);
}

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
  const std::uintptr_t address = place - generation.base;
  std::string plain = "address " + hexadecimal(address) + " of the library";
  const auto file = static_cast<int>(generation.snapshot);
  struct stat status {};
  if (file < 0 || ::fstat(file, &status) != 0 || status.st_dev != generation.device ||
      status.st_ino != generation.inode || status.st_size <= 0) {
    return plain;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapped == MAP_FAILED) return plain;
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(mapped), size);
  std::string name;
  const function_place function = find_function(bytes, address);
  name = function.name.empty() ? plain : std::string(function.name) + "+" + hexadecimal(function.offset);
  if (const line_place line = find_line(bytes, address); !line.file.empty()) name += " (" + full_name(line) + ")";
  ::munmap(mapped, size);
  return name;
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
