// SPDX-License-Identifier: MIT
// succession: how a new build begins with the state of the one that runs: in a copy of its process, which loads the
// build beside the old one and takes the variables over. The process that was copied goes on as it was, so whatever
// goes wrong in the copy has cost nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/error.hpp>

#include "library.hpp"
#include "types/description.hpp"

namespace autoreload::command {

/// Whether this program was built with the carrier of variables.
[[nodiscard]] bool carries_state() noexcept;

/// What a process needs to become the next build's.
struct succession {
  std::string library{};    ///< as the user named it
  std::string load_path{};  ///< the build: a file that the parent holds
  std::uint64_t generation = 0;
  int requests = -1;  ///< the copy's ends of the pipes, as the parent's descriptors
  int answers = -1;
  std::vector<local_name> locals{};
  types::description types{};
};
[[nodiscard]] std::string encode(const succession& order);
/// @return nothing when the bytes are not exactly one
[[nodiscard]] std::optional<succession> decode_succession(std::string_view bytes);

/// A build in this process. It stays loaded: what was carried over may lead into it, and its destructor may free it.
struct loaded_build {
  void* handle = nullptr;  ///< dlopen's
  int file = -1;           ///< its complete file
  std::string library{};   ///< as the user named it
  std::uint64_t generation = 0;
};

/// Opens a build's file and loads it under a name that no other build of this process has.
/// @return what the loader said when it refused
[[nodiscard]] result<loaded_build> load_build(const std::string& load_path, const std::string& library,
                                              std::uint64_t generation);

/// Carries all that the old build remembers, as the engine's handover does: by the library's own functions where it has
/// them, and by the carrier.
/// @return what was carried, in a line; empty when the library has no variables; or why it can't be
[[nodiscard]] result<std::string> carry_state(const loaded_build& from, const loaded_build& to);
/// Tells a build that it runs now (`autoreload_loaded`).
void tell_loaded(const loaded_build& build);

/// Makes a copy of this process that is a child of the same parent. Only for a process of one thread.
/// @return as fork()
[[nodiscard]] pid_t copy_this_process() noexcept;
/// How many threads this process has.
[[nodiscard]] std::size_t own_threads();

}  // namespace autoreload::command
