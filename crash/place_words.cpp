// SPDX-License-Identifier: MIT
// place_words: maps the file and asks it.
#include "crash/place_words.hpp"

#include <cstddef>
#include <span>
#include <string_view>

#include "crash/source_place.hpp"
#include "system/hexadecimal.hpp"
#include "system/mapped_file.hpp"

namespace autoreload {
namespace {

std::string full_name(const line_place& place) {
  std::string name;
  const auto whole = [](std::string_view part) { return !part.empty() && part.front() == '/'; };
  if (!whole(place.file) && !whole(place.directory) && !place.root.empty()) name += std::string(place.root) + "/";
  if (!whole(place.file) && !place.directory.empty()) name += std::string(place.directory) + "/";
  return name + std::string(place.file) + ":" + std::to_string(place.line);
}

}  // namespace

std::string words_for_address(int file, std::uint64_t address) {
  std::string plain = "address " + hexadecimal(address) + " of the library";
  const mapped_file mapped(file);
  const std::span<const std::byte> bytes = mapped.bytes();
  if (bytes.empty()) return plain;
  const function_place function = find_function(bytes, address);
  std::string name = function.name.empty() ? plain : std::string(function.name) + "+" + hexadecimal(function.offset);
  if (const line_place line = find_line(bytes, address); !line.file.empty()) name += " (" + full_name(line) + ")";
  return name;
}

}  // namespace autoreload
