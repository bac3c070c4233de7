// SPDX-License-Identifier: MIT
// whereabouts: what a thread does that is still inside an old generation, without disturbing it.
#include "reload/stays/whereabouts.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

#include "crash/crash_table.hpp"
#include "recover/ending.hpp"
#include "system/thread_files.hpp"

namespace autoreload {
namespace {

std::string line_of(pid_t thread, const char* file) {
  const std::string text = read_of_thread(thread, file);
  return text.substr(0, text.find('\n'));
}

bool find_code(std::uintptr_t address, crash_table::entry& found) {
  for (std::size_t slot = 0; slot < crash_table::capacity; ++slot) {
    if (crash_table::read(slot, found) && found.unloaded == 0 && found.has_code_at(address)) return true;
  }
  return false;
}

// The nearest return address into a generation; the thread sleeps, so its stack stands still.
std::string place_on_stack(std::uintptr_t stack) {
  crash_table::entry found;
  for (const std::uintptr_t word : words_on_stack(stack, 4096)) {
    if (find_code(word - 1, found)) return words_for_place(found, word - 1);
  }
  return {};
}

}  // namespace

std::string whereabouts_of(pid_t thread) {
  std::string words = "thread " + std::to_string(thread);
  if (const std::string name = line_of(thread, "comm"); !name.empty()) words += " (" + name + ")";
  const std::string call = line_of(thread, "syscall");
  if (call.empty()) return words;
  if (call == "running") return words + ", which is running,";
  const std::optional<waiting_call> waits = call_in(call);
  if (!waits) return words;
  words += ", which waits in a system call";
  const std::string place = place_on_stack(waits->stack);
  return words + (place.empty() ? "," : " below " + place + ",");
}

}  // namespace autoreload
