// SPDX-License-Identifier: MIT
// unload: the seam where a search for who may still come back to an old generation joins; the core looks at pins alone.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/language.hpp>

namespace autoreload {

/// Addresses from `begin` up to, not including, `end`.
struct memory_range {
  std::uintptr_t begin = 0;  ///< first address
  std::uintptr_t end = 0;    ///< address behind the last
};

/// A part of a loaded library, relative to where the library lies. Relative on purpose: a copy of an absolute address
/// would be found as one more word that points into the library.
struct held_segment {
  std::uint64_t offset = 0;  ///< from the base, bytes
  std::uint64_t size = 0;    ///< bytes
  bool executable = false;   ///< code
};

/// A loaded library of which somebody asks who may still come back to it. A value.
struct held_image {
  /// What the loader added to the file's addresses. A pointer to just this address doesn't count: the loader's users
  /// keep it everywhere, and only the file's header is there.
  std::uintptr_t base = 0;
  std::vector<held_segment> segments;  ///< what is mapped of it
  const void* handle = nullptr;        ///< dlopen's, or null where it is not known
  int file = -1;                       ///< descriptor of the library's file, for names; -1: names are left out
  /// Memory whose words don't count: the asker's own books about the library.
  std::vector<memory_range> ours;
  pid_t own_thread = 0;  ///< a thread of the asker's that is known not to be inside; 0: none
};

/// What kind of thing may come back.
enum class holder_kind : std::uint8_t {
  thread,          ///< runs in the library, or returns into it
  stack,           ///< a thread's stack or register has a pointer into it
  signal_handler,  ///< the kernel calls it
  thread_local_,   ///< a thread-local variable, or what the C library keeps beside those of a thread
  variable,        ///< of the program or of another library
  heap,            ///< a block of malloc's
  memory,          ///< other memory
};

/// The kind's name in lower case. Never fails, any thread.
[[nodiscard]] AUTORELOAD_API std::string_view to_string(holder_kind kind) noexcept;

/// Somebody who may come back. A value.
struct holder {
  holder_kind kind{};        ///< what it is
  std::string text;          ///< for a person: `thread 4711 ("audio") returns into mix()+0x1c`
  std::uintptr_t at = 0;     ///< where the word lies that leads into the library; 0: in a register or in the kernel
  std::uint64_t offset = 0;  ///< where it leads to, from the library's base
  pid_t thread = 0;          ///< whose stack, register or thread-local variable it is; 0: no thread's
};

/// What a search found.
struct holder_report {
  std::vector<holder> holders;  ///< the first that were found
  std::size_t more = 0;         ///< how many others there are
  std::string unseen;           ///< what could not be looked at, as half a sentence; empty: everything was
  /// Threads that slept in calls in which they are not stopped: their stacks were looked at, and not the registers that
  /// a call must keep.
  std::size_t registers_unseen = 0;
  /// Whether everything was looked at, but for such registers.
  [[nodiscard]] bool complete() const noexcept { return unseen.empty(); }
};

/// The search for one old generation's holders. Destroyed when the generation has left or runs again; that ends a
/// search under way. One thread at a time.
class AUTORELOAD_API unload_search {
 public:
  virtual ~unload_search() = default;
  /// The newest answer, of a search that began after the last answer was given; or nothing while that goes on. May
  /// give the last answer again when a new search would come too soon for what it costs.
  /// @param wait  wait for the answer: some milliseconds for threads, about a quarter of a second for each GB of memory
  /// @throws std::bad_alloc
  [[nodiscard]] virtual std::optional<holder_report> look(bool wait) = 0;
};

/// Looks who may still come back to an old generation, once no pin holds it. It only ever delays the unloading.
/// Called by one thread at a time for one engine, possibly concurrently by several.
class AUTORELOAD_API unload_check {
 public:
  virtual ~unload_check() = default;
  /// Begins to look for holders. @param image  `file` and `handle` are valid as long as the search lives
  /// @throws std::bad_alloc
  [[nodiscard]] virtual std::unique_ptr<unload_search> begin(const held_image& image) = 0;
};

}  // namespace autoreload
