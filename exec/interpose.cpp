// SPDX-License-Identifier: MIT
// interpose: dlopen and dlsym, as the program calls them.
//
// Both depend on who calls: the run path, the namespace, what comes next. So the real one is jumped to with the
// caller's own return address, after a question to the agent.
#include <dlfcn.h>

#include <initializer_list>

#include "exec/agent.hpp"

// `used`: link-time optimisation does not see what assembly calls.
extern "C" {

[[gnu::used, gnu::visibility("hidden")]] void* autoreload_exec_dlopen = nullptr;
[[gnu::used, gnu::visibility("hidden")]] void* autoreload_exec_dlsym = nullptr;

[[gnu::used, gnu::visibility("hidden")]] const char* autoreload_exec_file(const char* name, int flags,
                                                                          const void* caller) noexcept {
  return autoreload::exec::file_to_open(name, flags, caller);
}

[[gnu::used, gnu::visibility("hidden")]] void* autoreload_exec_newer(void* handle, const char* name) noexcept {
  return autoreload::exec::newer_function(handle, name);
}

// Another library's constructor may call before ours has run.
[[gnu::used, gnu::visibility("hidden")]] void autoreload_exec_find() noexcept {
  for (const char* const version : {"GLIBC_2.34", "GLIBC_2.2.5"}) {
    if (autoreload_exec_dlopen == nullptr) autoreload_exec_dlopen = dlvsym(RTLD_NEXT, "dlopen", version);
    if (autoreload_exec_dlsym == nullptr) autoreload_exec_dlsym = dlvsym(RTLD_NEXT, "dlsym", version);
  }
}
}

#if defined(__x86_64__)
// On entry the stack is 8 bytes off its alignment: the return address. `keep_arguments` finds the real function, too.
asm(R"(
  .macro keep_arguments real
  push %rdi
  .cfi_adjust_cfa_offset 8
  push %rsi
  .cfi_adjust_cfa_offset 8
  sub $8, %rsp
  .cfi_adjust_cfa_offset 8
  cmpq $0, \real(%rip)
  jne 1f
  call autoreload_exec_find
1:
  mov 16(%rsp), %rdi
  mov 8(%rsp), %rsi
  .endm
  .macro give_arguments_back
  add $8, %rsp
  .cfi_adjust_cfa_offset -8
  pop %rsi
  .cfi_adjust_cfa_offset -8
  pop %rdi
  .cfi_adjust_cfa_offset -8
  .endm

  .text
  .globl dlopen
  .type dlopen, @function
dlopen:
  .cfi_startproc
  endbr64
  keep_arguments autoreload_exec_dlopen
  mov 24(%rsp), %rdx
  call autoreload_exec_file
  give_arguments_back
  mov %rax, %rdi
  jmp *autoreload_exec_dlopen(%rip)
  .cfi_endproc
  .size dlopen, . - dlopen

  .globl dlsym
  .type dlsym, @function
dlsym:
  .cfi_startproc
  endbr64
  keep_arguments autoreload_exec_dlsym
  call autoreload_exec_newer
  give_arguments_back
  test %rax, %rax
  jne 2f
  jmp *autoreload_exec_dlsym(%rip)
2:
  ret
  .cfi_endproc
  .size dlsym, . - dlsym
)");
#endif
