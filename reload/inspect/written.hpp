// SPDX-License-Identifier: MIT
// written: what the loader writes into a library while it loads it, by relocations of either form; private to
// reload/inspect/.
#pragma once

#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <utility>

#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {

// Says when a number comes a second time. Numbers from the limit on are not remembered.
class seen_before {
 public:
  [[nodiscard]] bool operator()(std::uint64_t number) noexcept {
    if (number >= seen_.size()) return false;
    const bool was = seen_[number];
    seen_[number] = true;
    return was;
  }

 private:
  std::bitset<4096> seen_;
};

// DT_INIT_ARRAY or DT_FINI_ARRAY: addresses that the loader calls. In the file they lack the load base, so that each
// must be the target of a relocation, which also says what it will be.
struct function_array {
  const char* name;
  std::uint64_t address = 0;
  std::uint64_t count = 0;
  std::uint64_t relocated = 0;
  seen_before index_seen{};

  [[nodiscard]] bool holds(std::uint64_t target) const noexcept { return target - address < count * 8; }
  // False when the entry is not one of the array's, or had its relocation already.
  [[nodiscard]] bool relocate(std::uint64_t target) noexcept {
    if ((target - address) % 8 != 0 || index_seen((target - address) / 8)) return false;
    ++relocated;
    return true;
  }
};

/// The words that the loader writes, and the functions that it will call because of them.
class written_words {
 public:
  explicit written_words(image& lib);

  /// The arrays of functions are in segments that the loader can write to. Before any relocation is looked at.
  [[nodiscard]] outcome arrays_are_inside();
  /// After the last relocation: each entry of the arrays had one.
  [[nodiscard]] outcome arrays_are_relocated() const;
  /// A word of an array gets an address.
  /// @param function  that address, when it is in the library
  [[nodiscard]] outcome array_entry_is_sound(std::uint64_t target, std::optional<std::uint64_t> function);
  /// The loader will call what is at `address`.
  [[nodiscard]] outcome is_callable(std::uint64_t address, const std::string& what) const;

  /// Whether [address, address + size) is in a segment that can be written.
  [[nodiscard]] bool writable(std::uint64_t address, std::uint64_t size) const noexcept;
  [[nodiscard]] bool hits_dynamic_section(std::uint64_t address, std::uint64_t size) const noexcept;
  /// The address and the size of each part of the memory for which more holds than that it is writable: the arrays, and
  /// the dynamic section.
  [[nodiscard]] std::array<std::pair<std::uint64_t, std::uint64_t>, 3> special() const noexcept;
  /// The library's last address.
  [[nodiscard]] std::uint64_t end() const noexcept;

  [[nodiscard]] image& lib() const noexcept { return lib_; }

 private:
  image& lib_;
  function_array init_, fini_;
};

/// DT_RELR.
[[nodiscard]] outcome relative_bitmaps_are_sound(written_words& words);

}  // namespace autoreload::inspecting
