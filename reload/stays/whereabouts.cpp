// SPDX-License-Identifier: MIT
// whereabouts: what a thread does that is still inside an old generation, without disturbing it.
#include "reload/stays/whereabouts.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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
  constexpr std::size_t most = 4096;
  std::vector<std::uintptr_t> words(most);
  const iovec into{words.data(), words.size() * sizeof words.front()};
  // The stack's end may be near: the kernel gives what is there, page by page.
  std::array<iovec, 8> from{};
  const std::uintptr_t end = stack + into.iov_len;
  std::size_t count = 0;
  for (std::uintptr_t at = stack; at < end && count < from.size(); ++count) {
    const std::uintptr_t next = std::min(end, (at | 0xfff) + 1);
    from[count] = {reinterpret_cast<void*>(at), next - at};
    at = next;
  }
  const ssize_t got = process_vm_readv(getpid(), &into, 1, from.data(), count, 0);
  words.resize(got > 0 ? static_cast<std::size_t>(got) / sizeof words.front() : 0);
  crash_table::entry found;
  for (const std::uintptr_t word : words) {
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
