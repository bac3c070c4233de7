// SPDX-License-Identifier: MIT
// digest: the line that autoreload-digest appends to a library, by which a damaged one is told from a whole one.
//
// It is made of the loaded segments' bytes, so its cost grows with what the loader maps. It protects against damage,
// not against people: anybody can make one. CRC-64/XZ (ECMA-182, reflected) finds every burst of up to 64 bits, and
// misses one in 2^64 of other changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace autoreload {

struct load_segment;

/// CRC-64/XZ, to be continued: 0 for the first bytes, then what the last call answered.
[[nodiscard]] std::uint64_t crc64(std::span<const std::byte> bytes, std::uint64_t so_far = 0) noexcept;

/// How long the line is. Fixed, so that it is found from the file's end.
inline constexpr std::size_t digest_line_size = 41;

/// What is said where one is required and missing, and what to do.
inline constexpr std::string_view no_digest = "it has no digest, which options::require_digest asks for";
inline constexpr std::string_view make_digest = "run autoreload-digest as the last step of its build";

/// The line for a library.
/// @param file   the whole file
/// @param loads  its PT_LOAD segments, each within the file
[[nodiscard]] std::string digest_line(std::span<const std::byte> file, std::span<const load_segment> loads);

/// The line that a file ends with, or nothing where it has none.
[[nodiscard]] std::optional<std::string> digest_line_of(std::span<const std::byte> file);

}  // namespace autoreload
