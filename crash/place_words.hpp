// SPDX-License-Identifier: MIT
// place_words: a place in a library's code as a person names it.
#pragma once

#include <cstdint>
#include <string>

namespace autoreload {

/// `parse_line+0x1c (/home/me/foo.c:12)`, as far as the library's file tells; else `address 0x1139 of the library`.
/// @param file     descriptor of the library's file; a line is known when that has its debug information. It is read
/// @param address  relative to the load base
/// Any thread; not for a signal handler.
[[nodiscard]] std::string words_for_address(int file, std::uint64_t address);

}  // namespace autoreload
