// SPDX-License-Identifier: MIT
// stayer: asks the kernel for a thread's stack pointer, and looks for a return address there.
#include "reload/handover/stayer.hpp"

#include <cstdint>
#include <vector>

#include "crash/source_place.hpp"
#include "system/mapped_file.hpp"
#include "system/thread_files.hpp"

namespace autoreload {
namespace {

bool is_code_of(const generation& one, std::uintptr_t address) {
  for (const load_segment& segment : one.facts.segments) {
    const std::uintptr_t at = address - one.base - segment.address;
    if ((segment.flags & PF_X) != 0 && at < segment.memory_size) return true;
  }
  return false;
}

std::string name_of_function(const generation& one, std::uintptr_t address) {
  if (!one.image.memory.still_ours()) return {};
  const mapped_file file(one.image.memory.get());
  return std::string(find_function(file.bytes(), address - one.base).name);
}

}  // namespace

std::string function_inside(pid_t thread, const generation& one) {
  const std::optional<waiting_call> waits = call_in(read_of_thread(thread, "syscall"));
  if (!waits || waits->stack == 0) return {};
  std::uintptr_t found = is_code_of(one, waits->instruction) ? waits->instruction : 0;
  for (const std::uintptr_t word : found == 0 ? words_on_stack(waits->stack, 2048) : std::vector<std::uintptr_t>()) {
    if (found == 0 && is_code_of(one, word - 1)) found = word - 1;  // a call may be its function's last instruction
  }
  const std::string name = found != 0 ? name_of_function(one, found) : std::string();
  return name.empty() ? name : ", in " + name + "()";
}

}  // namespace autoreload
