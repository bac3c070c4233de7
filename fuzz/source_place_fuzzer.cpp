// SPDX-License-Identifier: MIT
// source_place_fuzzer: libFuzzer on the readers of symbols and line tables, which run inside a crash and must always
// end.
//
// The first eight bytes are the address, the rest is the file.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include "crash/source_place.hpp"

namespace {
// Names must lie in the file, so that reading them is safe: the address sanitizer sees when they don't.
std::size_t used(std::string_view text) {
  std::size_t sum = 0;
  for (const char letter : text) sum += static_cast<unsigned char>(letter);
  return sum;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t address = 0;
  if (size < sizeof address) return 0;
  std::memcpy(&address, data, sizeof address);
  const auto file = std::as_bytes(std::span(data + sizeof address, size - sizeof address));
  const autoreload::function_place function = autoreload::find_function(file, address);
  const autoreload::line_place line = autoreload::find_line(file, address);
  if (used(function.name) + used(line.root) + used(line.directory) + used(line.file) == ~std::size_t{0}) std::abort();
  return 0;
}
