// SPDX-License-Identifier: MIT
// side: one of the two builds: what its debug information says, what its file starts with, and where it is loaded.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "state/image.hpp"
#include "types/description.hpp"

namespace autoreload::state {

struct side {
  std::shared_ptr<const types::description> types;
  std::shared_ptr<const state::image> file;
  std::uintptr_t base = 0;
  std::vector<std::string> shared;  ///< exported variables whose one place is elsewhere

  /// Whether a pointer leads into this build: where in its file that is.
  [[nodiscard]] std::optional<std::uint64_t> inside(std::uint64_t pointer) const {
    const auto [first, last] = file->extent();
    const std::uint64_t address = pointer - base;
    if (pointer < base + first || address >= last) return std::nullopt;
    return address;
  }
  [[nodiscard]] bool shares(const types::variable& v) const {
    return v.exported && std::find(shared.begin(), shared.end(), v.name) != shared.end();
  }
  [[nodiscard]] std::byte* at(std::uint64_t address) const { return reinterpret_cast<std::byte*>(base + address); }
};

/// Where a part of a variable's value is in the file; nothing when it is not in one piece, or is not kept as it is.
[[nodiscard]] std::optional<std::uint64_t> locate(const types::variable& of, std::uint64_t offset, std::uint64_t size);
/// The whole value is at one place.
[[nodiscard]] inline bool in_one_piece(const types::variable& v) {
  return v.parts.size() == 1 && v.parts.front().size == 0 && !v.parts.front().two_valued;
}
/// The bytes of one number that an optimiser left two values.
[[nodiscard]] std::array<std::byte, 8> spread(std::uint64_t value);
/// Whether it is the part's place, and the part has but two values.
[[nodiscard]] const types::variable_part* two_valued(const types::variable& of, std::uint64_t offset);
/// The initial bytes of a part of a variable, and which of them have memory at all; the others are left alone.
/// @param known  as long as `into`
void initial_bytes(const side& of, const types::variable& v, std::uint64_t offset, std::span<std::byte> into,
                   std::span<bool> known);
/// The same when all must be there. @return false when the optimiser left some of them no memory
[[nodiscard]] bool initial_bytes(const side& of, const types::variable& v, std::uint64_t offset,
                                 std::span<std::byte> into);
/// A stretch of a variable's bytes that lies in one part.
struct stretch {
  const types::variable_part* part;  ///< null: none has it
  std::uint64_t into;                ///< where in the part it begins
  std::uint64_t size;
};
/// The first stretch of [offset, offset + size).
[[nodiscard]] stretch first_stretch(const side& of, const types::variable& v, std::uint64_t offset, std::uint64_t size);

/// `count in step()`, `speed`.
[[nodiscard]] std::string called(const types::variable& v);

}  // namespace autoreload::state
