// SPDX-License-Identifier: MIT
// debug_file_fuzzer: a library whose debug information the rebuilder reads may be any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "rebuild/compile_units.hpp"
#include "rebuild/line_files.hpp"
#include "rebuild/link_facts.hpp"

using namespace autoreload::building;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t address = 8;  // the seeds are those of the line tables' fuzzer, which begin with one
  if (size < address) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(address);
  debug_file read(std::vector<std::byte>(bytes.begin(), bytes.end()));
  debug_file again(std::vector<std::byte>(bytes.begin(), bytes.end()));
  for (const compile_unit& unit : list_compile_units(read)) {
    if (unit.source.empty()) std::abort();
  }
  (void)list_line_files(read);
  if (link_options(read).empty()) std::abort();
  const std::string difference = first_difference(read, again);
  Elf64_Shdr section;
  if (!difference.empty() && read.sections().at(1, section) && difference != "table of sections") std::abort();
  return 0;
}
