// SPDX-License-Identifier: MIT
// missing_function: from a notice stub's registers to words.
#include "exec/missing_function.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "exec/journal.hpp"
#include "exec/standin_format.hpp"

extern "C" [[noreturn, gnu::visibility("hidden")]] void autoreload_exec_missing(
    const autoreload::exec::standin_header* library, std::uint32_t slot) noexcept {
  std::string name = "a function";
  if (slot < library->functions) name = library->strings + library->names[slot].name;
  autoreload::exec::say(
      name + "() was called, which the newest build of \"" + library->path +
      "\" lacks: the program ends here. Build it with that function again, or start the program anew");
  std::abort();
}

#if defined(__x86_64__)
asm(R"(
  .text
  .globl autoreload_exec_notice
  .hidden autoreload_exec_notice
  .type autoreload_exec_notice, @function
autoreload_exec_notice:
  endbr64
  mov %r10, %rdi
  mov %r11d, %esi
  and $-16, %rsp
  call autoreload_exec_missing
  hlt
  .size autoreload_exec_notice, . - autoreload_exec_notice
)");
#endif
