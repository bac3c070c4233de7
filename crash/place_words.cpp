// SPDX-License-Identifier: MIT
// place_words: maps the file and asks it.
#include "crash/place_words.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string_view>

#include "crash/source_place.hpp"

namespace autoreload {
namespace {

std::string hexadecimal(std::uintptr_t number) {
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "0x%llx", static_cast<unsigned long long>(number));
  return digits.data();
}

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
  struct stat status {};
  if (file < 0 || ::fstat(file, &status) != 0 || status.st_size <= 0) return plain;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapped == MAP_FAILED) return plain;
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(mapped), size);
  const function_place function = find_function(bytes, address);
  std::string name = function.name.empty() ? plain : std::string(function.name) + "+" + hexadecimal(function.offset);
  if (const line_place line = find_line(bytes, address); !line.file.empty()) name += " (" + full_name(line) + ")";
  ::munmap(mapped, size);
  return name;
}

}  // namespace autoreload
