// SPDX-License-Identifier: MIT
// inspect: decides from the bytes of a file alone whether the dynamic loader may be trusted with it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elf/load_segment.hpp"

namespace autoreload {

enum class verdict : std::uint8_t {
  sound,       ///< dlopen may have it
  incomplete,  ///< a writer has not finished: wait for the next event, quietly
  wrong,       ///< not a shared library for this machine, or a damaged one: refuse and say so
};

/// The machines whose libraries inspect() knows.
enum class elf_machine : std::uint16_t {
  x86_64 = 62,    ///< EM_X86_64
  aarch64 = 183,  ///< EM_AARCH64
};

/// The machine that this program was built for: the only one whose libraries it can load.
#if defined(__x86_64__)
inline constexpr elf_machine this_machine = elf_machine::x86_64;
#elif defined(__aarch64__)
inline constexpr elf_machine this_machine = elf_machine::aarch64;
#else
#error "autoreload knows the relocations of x86-64 and aarch64 only"
#endif

/// Whether somebody may still be writing the file. Zeros where code should be are a linker's unfinished work, or a
/// table that somebody put there: the bytes alone don't tell.
enum class writing : std::uint8_t {
  may_go_on,  ///< zeros in code are work that is not done
  is_over,    ///< nobody has it open for writing, and it has not changed for some seconds: zeros in code are meant
};

/// @param unfinished_for  how long until the file counts as finished, see snapshot_outcome
[[nodiscard]] constexpr writing writing_of(std::chrono::nanoseconds unfinished_for) {
  return unfinished_for.count() == 0 ? writing::is_over : writing::may_go_on;
}

/// What the file says of itself, as far as reloading needs it. Filled when the verdict is `sound`.
struct elf_facts {
  std::vector<load_segment> segments;
  std::string soname;                 ///< DT_SONAME or empty
  std::vector<std::string> needed;    ///< DT_NEEDED, in order
  std::vector<std::string> run_path;  ///< DT_RUNPATH, else DT_RPATH, split at colons, `$ORIGIN` not expanded
  std::vector<std::byte> build_id;    ///< NT_GNU_BUILD_ID or empty
  bool has_digest = false;            ///< it ends with autoreload-digest's line, which agrees
  bool stack_header = false;          ///< it has PT_GNU_STACK; without one the loader makes every stack executable
  bool no_delete = false;             ///< DF_1_NODELETE: dlclose will keep it
  bool thread_destructors = false;    ///< imports __cxa_thread_atexit(_impl): its thread_locals may delay an unload
  bool asks_where_it_is = false;      ///< has a symbol dladdr, dladdr1 or dlinfo
  bool opens_others = false;          ///< has a symbol dlopen or dlmopen
  bool static_tls = false;            ///< DF_STATIC_TLS: its thread-locals eat the static TLS block for good
  std::string sanitizer;              ///< the word after -fsanitize= whose runtime it needs, or empty
  std::uint64_t tls_size = 0;         ///< PT_TLS, bytes
  std::vector<std::string> unique_symbols;  ///< STB_GNU_UNIQUE definitions (at most 8 are listed): they pin it for ever
};

struct inspection {
  verdict is = verdict::wrong;
  std::string reason;         ///< one sentence for a person, when not sound
  std::string advice;         ///< what to do about it, when there is something
  bool may_be_meant = false;  ///< incomplete for nothing but what may be meant: ask again when the writing is over
  elf_facts facts;
  std::vector<std::string>
      warnings;  ///< sound, but hard to reload: each names the compiler or linker flag that mends it
};

/// Checks a complete file image. Reads nothing but `file`, never past its end, allocates only for the answer.
///
/// Parts that the loader does not map (debug information, mostly) may be zeros: they are never looked into.
/// @param file     the whole file; must not change during the call
/// @param machine  whose libraries to accept
/// @param state    what is known of the file's writers; a digest that agrees proves that the writing is over
/// Thread-safety: any thread.
[[nodiscard]] inspection inspect(std::span<const std::byte> file, elf_machine machine = this_machine,
                                 writing state = writing::may_go_on);

/// Every name that the library exports (defined, dynamic, function or object), for "did you mean".
/// @param file  bytes that inspect() called sound
[[nodiscard]] std::vector<std::string> exported_names(std::span<const std::byte> file);

}  // namespace autoreload
