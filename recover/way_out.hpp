// SPDX-License-Identifier: MIT
// way_out: whether a guarded call can be left where a signal found it.
//
// It can when every frame between there and the landing is known: first functions of libc that may be left, if any;
// then code of a generation, and nothing else; then the landing's own body and trampoline. A frame of the host's or of
// any other library ends the search, and so does one without an unwind table.
#pragma once

#include <cstddef>
#include <cstdint>

#include "crash/culprit.hpp"
#include "recover/landing.hpp"

namespace autoreload {

struct way_out {
  bool open = false;
  std::size_t entry = 0;     ///< of the generation whose code is nearest: its slot in the crash table
  std::uintptr_t place = 0;  ///< where in that code it is
};

/// Whether it is worth a search. Cheap. Async-signal-safe, as is the other.
[[nodiscard]] bool may_be_ours(std::uintptr_t instruction) noexcept;

/// Unwinds in a child that borrows this thread's stack, which may be damaged: it alone ends by what it meets there.
/// @param from   the handler's; its instruction is where the unwinder finds the interrupted frame
[[nodiscard]] way_out find_way_out(const incident& from, const detail::landing& to) noexcept;

}  // namespace autoreload
