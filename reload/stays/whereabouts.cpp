// SPDX-License-Identifier: MIT
// whereabouts: what a thread does that is still inside an old generation, without disturbing it.
#include "reload/stays/whereabouts.hpp"

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>

#include "crash/crash_table.hpp"
#include "recover/ending.hpp"
#include "reload/stays/running_thread.hpp"
#include "system/after_call.hpp"
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
    if (find_code(word - 1, found) && follows_a_call(word)) return words_for_place(found, word - 1);
  }
  return {};
}

// A thread that runs: the frames of generations that are on its stack, innermost first.
std::string words_for_running(pid_t thread) {
  constexpr std::size_t most = 8;
  if (thread == gettid()) return ", which is running";
  const thread_frames frames = frames_of(thread);
  std::string words;
  std::size_t told = 0;
  crash_table::entry found;
  for (std::size_t i = 0; i < frames.count && told < most; ++i) {
    if (!find_code(frames.places[i], found)) continue;
    words += told++ > 0 ? ", called from " : i == 0 ? ", which runs in " : ", which runs below ";
    words += words_for_place(found, frames.places[i]);
  }
  if (told > 0) return words;
  if (frames.error == 0) return ", which is running";
  return ", which is running (where can't be had: ptrace: " + std::generic_category().message(frames.error) + ")";
}

}  // namespace

std::string whereabouts_of(pid_t thread) {
  std::string words = "thread " + std::to_string(thread);
  if (const std::string name = line_of(thread, "comm"); !name.empty()) words += " (" + name + ")";
  const std::string call = line_of(thread, "syscall");
  if (call.empty()) return words;
  if (call == "running") return words + words_for_running(thread) + ",";
  const std::optional<waiting_call> waits = call_in(call);
  if (!waits) return words;
  words += ", which waits in a system call";
  const std::string place = place_on_stack(waits->stack);
  return words + (place.empty() ? "," : " below " + place + ",");
}

}  // namespace autoreload
