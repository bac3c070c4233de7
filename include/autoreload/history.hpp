// SPDX-License-Identifier: MIT
// history: what is known of the generations of one library, and how many old ones stay available.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <autoreload/language.hpp>

namespace autoreload {

/// How many old generations can run again. What is available is a private copy of the library's file, of which a new
/// generation is loaded; a copy costs its size in memory and a file descriptor. The newest ones stay.
struct history_policy {
  /// Old generations that stay available. 0: none can be gone back to.
  std::size_t generations = 3;
  /// Bytes of all copies together.
  std::uint64_t bytes = std::uint64_t{256} << 20;
  /// How many of them stay loaded, too, with their variables as they were: going back takes microseconds then.
  std::size_t loaded = 0;
};

/// When a new generation counts as good. Until then the one before it stays loaded, and a crash in a guarded call or
/// reloadable::reject() goes back to it. With nothing chosen there is no probation. With more than one, what comes
/// first.
struct probation_policy {
  /// After so many guarded calls that came back. 0: calls don't count.
  std::uint64_t calls = 0;
  /// After it has run for so long. 0: time doesn't count.
  std::chrono::milliseconds time{0};
  /// When the host says so, by reloadable::approve(), which is heard in any case.
  bool until_approved = false;

  /// Whether there is any probation.
  [[nodiscard]] bool wanted() const noexcept { return calls != 0 || time.count() != 0 || until_approved; }
};

/// What made a generation the running one.
enum class cause : std::uint8_t {
  first,        ///< nothing was loaded
  changed,      ///< the file changed
  asked,        ///< reload() was called
  republished,  ///< it ran before, and its successor was sent away
};

/// What a generation does.
enum class generation_state : std::uint8_t {
  running,      ///< calls go there
  kept,         ///< loaded on purpose, and may run again
  retiring,     ///< leaves when nobody is inside it any more
  stored,       ///< not loaded; its copy is kept, and may be loaded again as a new generation
  quarantined,  ///< crashed or hung in a guarded call: never unloaded, never loaded again
};

/// The state's name in lower case. Never fails, any thread.
[[nodiscard]] AUTORELOAD_API std::string_view to_string(generation_state state) noexcept;

/// What is known of a generation. A value.
struct generation_record {
  std::uint64_t number = 0;                       ///< as reloadable::generation() has it
  generation_state state{};                       ///< what it does now
  cause why{};                                    ///< it ran last
  std::chrono::system_clock::time_point since{};  ///< when it began to run last
  std::string build_id;                           ///< in hexadecimal digits; empty where there is none
  std::uint64_t contents = 0;                     ///< a digest of what the loader maps of its file
  std::uint64_t size = 0;                         ///< of its file, bytes
  std::string went;                               ///< why it runs no more, for a person; empty of the one that runs
};

}  // namespace autoreload
