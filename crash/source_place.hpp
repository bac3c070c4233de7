// SPDX-License-Identifier: MIT
// source_place: the function and the source line that an address of a library belongs to, for a crash report.
//
// Everything here reads a file that may be damaged, inside a crash: no allocation, no lock, nothing past the file's
// end, and time linear in its size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace autoreload {

/// A function, by its symbol. The name lies in the file's bytes.
struct function_place {
  std::string_view name;     ///< as the linker knows it; empty when no symbol covers the address
  std::uint64_t offset = 0;  ///< from the function's start, bytes
};

/// The function at an address: from .symtab, which has static functions too, else from .dynsym.
/// @param file     the library's bytes
/// @param address  relative to the load base
/// Async-signal-safe.
[[nodiscard]] function_place find_function(std::span<const std::byte> file, std::uint64_t address) noexcept;

/// A line of a source file. The full name is root / directory / file, where a later part that starts with a slash makes
/// the earlier ones void, and each may be empty. The parts lie in the file's bytes.
struct line_place {
  std::string_view root;
  std::string_view directory;
  std::string_view file;   ///< empty: no line is known
  std::uint32_t line = 0;  ///< 0: code that belongs to no line
};

/// The line at an address, from .debug_line (DWARF 2 to 5, not compressed).
/// @param file     the library's bytes
/// @param address  relative to the load base
/// Async-signal-safe.
[[nodiscard]] line_place find_line(std::span<const std::byte> file, std::uint64_t address) noexcept;

}  // namespace autoreload
