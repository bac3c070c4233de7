// SPDX-License-Identifier: MIT
// frames: the calls that a thread is in, by the unwind tables that compilers write: what lies on a stack from calls
// that have returned is not mistaken for one.
//
// x86-64 only. What reads memory goes through the kernel, so a table or a stack that is nonsense crashes nobody.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "holders/unseen.hpp"

namespace autoreload::holding {

/// The code of a loaded object, and where its table of unwind information is.
struct unwound_object {
  std::uintptr_t begin = 0;  ///< of all that is mapped
  std::uintptr_t end = 0;
  std::uintptr_t table = 0;  ///< .eh_frame_hdr
};

/// All that have such a table, in order of their addresses, where a search for holders does not find them. Any thread;
/// waits for the loader's list.
[[nodiscard]] unseen_list<unwound_object> unwound_objects();

/// A thread's registers by their DWARF numbers: 7 is the stack pointer, 16 the instruction.
struct frame_registers {
  static constexpr std::size_t count = 17;
  static constexpr std::size_t stack_pointer = 7;
  static constexpr std::size_t instruction = 16;

  std::array<std::uint64_t, count> value{};
  std::uint32_t known = 0;  ///< a bit for each

  void set(std::size_t number, std::uint64_t to) noexcept {
    value[number] = to;
    known |= 1U << number;
  }
  [[nodiscard]] bool has(std::size_t number) const noexcept { return (known >> number & 1U) != 0; }
};

/// One call.
struct frame {
  std::uintptr_t instruction = 0;
  /// The thread goes on at exactly this instruction: it was interrupted there. Else it comes back from a call, and the
  /// one before it is what is being executed.
  bool interrupted = true;
};

class frame_walk {
 public:
  /// @param objects  in order; borrowed
  frame_walk(std::span<const unwound_object> objects, const frame_registers& from) noexcept
      : objects_(objects), now_(from) {}

  /// The frame that is looked at.
  [[nodiscard]] frame here() const noexcept { return {now_.value[frame_registers::instruction], interrupted_}; }
  [[nodiscard]] std::uintptr_t stack_pointer() const noexcept { return now_.value[frame_registers::stack_pointer]; }
  /// Goes on to the caller's. Async-signal-safe.
  enum class step : std::uint8_t {
    made,
    end,   ///< there is no caller: this is where the thread began
    lost,  ///< no table says how to go on
  };
  [[nodiscard]] step next() noexcept;

 private:
  std::span<const unwound_object> objects_;
  frame_registers now_;
  bool interrupted_ = true;
};

}  // namespace autoreload::holding
