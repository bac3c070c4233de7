// SPDX-License-Identifier: MIT
// gate: the routine by which calls wait, in assembly: it must leave all registers alone in which arguments can be.
#include "exec/gate.hpp"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstddef>
#include <ctime>

#include "exec/missing_function.hpp"
#include "exec/stub_code.hpp"

extern "C" {

[[noreturn, gnu::used, gnu::visibility("hidden")]] void autoreload_exec_missing(
    const autoreload::exec::standin_header* library, std::uint32_t slot) noexcept {
  autoreload::exec::end_for_missing(library, slot);
}

// Places in the routine.
[[gnu::visibility("hidden")]] extern const char autoreload_exec_passes[];
[[gnu::visibility("hidden")]] extern const char autoreload_exec_waits[];
}

#if defined(__x86_64__)
static_assert(offsetof(autoreload::exec::standin_header, table) == 24);
static_assert(offsetof(autoreload::exec::standin_header, notices) == 72);
static_assert(offsetof(autoreload::exec::standin_header, waiting) == 88);
static_assert(offsetof(autoreload::exec::standin_header, gate) == 96);
static_assert(offsetof(autoreload::exec::standin_header, boundary) == 100);
static_assert(offsetof(autoreload::exec::standin_header, next) == 104);
static_assert(autoreload::exec::stub_size == 1 << 5 && SYS_futex == 202);
static_assert((FUTEX_WAIT | FUTEX_PRIVATE_FLAG) == 128 && (FUTEX_WAKE | FUTEX_PRIVATE_FLAG) == 129);
// A slot that leads to its own notice is missing, unless it is the boundary's: then the next table takes the place of
// the one that was looked at, and the call goes on through that. That table may be the gate's: then the call has closed
// it, and wakes who waits for that.
//
// The header is in r10 and the slot in r11. No vector register is touched. What the caller wants to find again in its
// registers is on the stack meanwhile, where whoever sets pointers right in the program's memory finds it, too.
asm(R"(
  .macro keep register
  push %\register
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset \register, 0
  .endm
  .macro give_back register
  pop %\register
  .cfi_adjust_cfa_offset -8
  .cfi_restore \register
  .endm

  .text
  .globl autoreload_exec_notice
  .hidden autoreload_exec_notice
  .type autoreload_exec_notice, @function
autoreload_exec_notice:
  .cfi_startproc
  endbr64
  .irp register, rax, rdi, rsi, rdx, rcx, r8, r9, rbx, rbp, r12, r13, r14, r15
  keep \register
  .endr
  mov %r10, %rbx
  mov %r11d, %ebp
1:
  mov 96(%rbx), %edx
  mov 24(%rbx), %rcx
  .hidden autoreload_exec_passes
  .globl autoreload_exec_passes
autoreload_exec_passes:
  cmp 88(%rbx), %rcx
  je 2f
  mov (%rcx, %rbp, 8), %r11
  mov %rbp, %rax
  shl $5, %rax
  add 72(%rbx), %rax
  cmp %rax, %r11
  je 3f
  .cfi_remember_state
  .irp register, r15, r14, r13, r12, rbp, rbx, r9, r8, rcx, rdx, rsi, rdi, rax
  give_back \register
  .endr
  jmp *%r11
  .cfi_restore_state
  .hidden autoreload_exec_waits
  .globl autoreload_exec_waits
autoreload_exec_waits:
2:
  mov $202, %eax
  lea 96(%rbx), %rdi
  mov $128, %esi
  lea 4f(%rip), %r10
  syscall
  jmp 1b
3:
  cmp %ebp, 100(%rbx)
  jne 6f
  mov 104(%rbx), %rdx
  test %rdx, %rdx
  jz 5f
  cmp %rcx, %rdx
  je 5f
  mov %rcx, %rax
  lock cmpxchg %rdx, 24(%rbx)
  jne 1b
  mov $202, %eax
  lea 96(%rbx), %rdi
  mov $129, %esi
  mov $0x7fffffff, %edx
  syscall
  jmp 1b
5:
  cmp %rcx, 24(%rbx)
  jne 1b
  cmp %r11, (%rcx, %rbp, 8)
  jne 1b
6:
  mov %rbx, %rdi
  mov %ebp, %esi
  and $-16, %rsp
  call autoreload_exec_missing
  hlt
  .cfi_endproc
  .size autoreload_exec_notice, . - autoreload_exec_notice

  .section .rodata
  .balign 8
4:
  .quad 0, 50000000
  .text
)");
#endif

namespace autoreload::exec {

bool gate::make_room() {
  if (header_.waiting != nullptr) return true;
  const std::size_t size = std::size_t{header_.slots} * sizeof(void*);
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  void** const table = static_cast<void**>(memory);
  for (std::size_t i = 0; i < header_.slots; ++i) table[i] = header_.notices + i * stub_size;
  header_.waiting = table;
  return true;
}

void gate::close() noexcept { header_.table.store(header_.waiting, std::memory_order_seq_cst); }

void gate::open(void* const* table) noexcept {
  header_.table.store(table, std::memory_order_release);
  header_.gate.fetch_add(1, std::memory_order_release);
  static_assert(sizeof header_.gate == sizeof(std::uint32_t));
  syscall(SYS_futex, &header_.gate, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void gate::wait_for_change(std::chrono::milliseconds limit) const noexcept {
  const std::uint32_t now = header_.gate.load(std::memory_order_acquire);
  if (is_closed()) return;
  const timespec most{limit.count() / 1000, limit.count() % 1000 * 1000000};
  syscall(SYS_futex, &header_.gate, FUTEX_WAIT_PRIVATE, now, &most, nullptr, 0);
}

bool gate::is_closed() const noexcept {
  return header_.waiting != nullptr && header_.table.load(std::memory_order_relaxed) == header_.waiting;
}

memory_range gate::stubs() const noexcept {
  const auto first = reinterpret_cast<std::uintptr_t>(header_.stubs);
  return {first, first + std::uint64_t{2} * header_.slots * stub_size};
}

bool gate::is_passing(std::uintptr_t instruction) const noexcept {
  const auto stub = instruction - reinterpret_cast<std::uintptr_t>(header_.stubs);
  if (stub < std::uint64_t{header_.slots} * stub_size) return stub % stub_size == call_stub_jump;
  const auto routine = reinterpret_cast<std::uintptr_t>(&autoreload_exec_passes[0]);
  return instruction - routine < static_cast<std::uintptr_t>(&autoreload_exec_waits[0] - &autoreload_exec_passes[0]);
}

}  // namespace autoreload::exec
