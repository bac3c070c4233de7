// SPDX-License-Identifier: MIT
// culprit: which generation a crash is about, found out in a signal handler.
#include "crash/culprit.hpp"

#include <dlfcn.h>
#include <link.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace autoreload {
namespace {

using crash_table::address_range;
using crash_table::entry;

constexpr int most_frames = 256;

constinit std::array<address_range, 4> program_code;  // of the main program

bool is_program_code(std::uintptr_t address) noexcept {
  return std::any_of(program_code.begin(), program_code.end(),
                     [=](const address_range& range) { return range.holds(address); });
}

// The generation that an address belongs to: a loaded one rather than one whose addresses were used again since, and
// the youngest of several.
bool find_generation(std::uintptr_t address, bool loaded_code_only, entry& found) noexcept {
  found = entry{};
  entry one;
  for (std::size_t slot = 0; slot < crash_table::capacity; ++slot) {
    if (!crash_table::read(slot, one) || !one.image.holds(address)) continue;
    if (loaded_code_only && (one.unloaded != 0 || !one.has_code_at(address))) continue;
    const bool better = found.ticket == 0 || (one.unloaded == 0 && found.unloaded != 0) ||
                        ((one.unloaded == 0) == (found.unloaded == 0) && one.ticket > found.ticket);
    if (better) found = one;
  }
  return found.ticket != 0;
}

// Whether something else was loaded where an old generation was.
bool belongs_to_another_library([[maybe_unused]] std::uintptr_t address) noexcept {
#ifdef DLFO_STRUCT_HAS_EH_DBASE  // glibc 2.35
  dl_find_object object;
  return ::_dl_find_object(reinterpret_cast<void*>(address), &object) == 0;
#else
  return false;
#endif
}

bool find_unloaded(std::uintptr_t address, entry& found) noexcept {
  return find_generation(address, false, found) && found.unloaded != 0 && !belongs_to_another_library(address);
}

struct walk {
  const incident* of;
  finding* result;
  bool started = false;
  int frames = 0;
};

// One frame of the stack. The frames of the handler come first.
_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) {
  walk& on = *static_cast<walk*>(argument);
  int at_instruction = 0;
  const std::uintptr_t instruction = _Unwind_GetIPInfo(context, &at_instruction);
  if (++on.frames > most_frames) return _URC_END_OF_STACK;
  if (instruction == on.of->instruction) on.started = true;
  if (!on.started) return _URC_NO_REASON;
  const std::uintptr_t address = at_instruction != 0 ? instruction : instruction - 1;  // the call, not what follows it
  if (is_program_code(address)) return _URC_END_OF_STACK;                              // the host's own crash
  if (!find_generation(address, true, on.result->generation)) return _URC_NO_REASON;
  on.result->is = relation::called_down;
  on.result->address = address;
  return _URC_END_OF_STACK;
}

}  // namespace

incident describe(int signal, const siginfo_t* info, const void* context) noexcept {
  const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return {signal, info, static_cast<std::uintptr_t>(machine.gregs[REG_RIP]),
          static_cast<std::uintptr_t>(machine.gregs[REG_RSP]), 0};
#elif defined(__aarch64__)
  return {signal, info, machine.pc, machine.sp, machine.regs[30]};
#else
#error "crash reports know x86-64 and aarch64"
#endif
}

finding investigate(const incident& what) noexcept {
  finding found;
  if (find_generation(what.instruction, true, found.generation)) {
    found.is = relation::inside;
    found.address = what.instruction;
    return found;
  }
  if (what.is_fault() && find_unloaded(what.instruction, found.generation)) {
    found.is = relation::old_code;
    found.address = what.instruction;
    return found;
  }
  if (what.is_fault() && what.address() == what.instruction) {  // there is no code: unwinding has nothing to go by
    std::uintptr_t caller = what.link;
    if (caller == 0) std::memcpy(&caller, reinterpret_cast<const void*>(what.stack), sizeof caller);
    if (find_generation(caller - 1, true, found.generation)) {
      found.is = relation::called_bad;
      found.address = caller - 1;
    }
    return found;
  }
  if (what.is_fault() && find_unloaded(what.address(), found.generation)) {
    found.is = relation::old_data;
    return found;
  }
  walk on{&what, &found};
  _Unwind_Backtrace(visit_frame, &on);
  return found;
}

bool may_concern_a_generation(const incident& what) noexcept {
  entry one;
  bool any = false;
  for (std::size_t slot = 0; slot < crash_table::capacity && !any; ++slot) any = crash_table::read(slot, one);
  if (!any) return false;
  if (!what.is_fault()) return what.info->si_pid == ::getpid();  // abort and raise, not another process
  if (!is_program_code(what.instruction)) return true;
  return find_generation(what.address(), false, one) && one.unloaded != 0;
}

void remember_program_code() {
  ::dl_iterate_phdr(
      [](dl_phdr_info* program, std::size_t, void*) {
        std::size_t ranges = 0;
        for (int i = 0; i < program->dlpi_phnum; ++i) {
          const ElfW(Phdr)& header = program->dlpi_phdr[i];
          if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0 || ranges == program_code.size()) continue;
          const std::uintptr_t begin = program->dlpi_addr + header.p_vaddr;
          program_code[ranges++] = {begin, begin + header.p_memsz};
        }
        return 1;  // the program comes first
      },
      nullptr);
}

}  // namespace autoreload
