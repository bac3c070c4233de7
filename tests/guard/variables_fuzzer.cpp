// SPDX-License-Identifier: MIT
// variables_fuzzer: any bytes as the ELF file of which the helper process lists the variables and functions, as the
// carrier of state asks it to. Every type that a variable names must be there.
#include <cstdint>
#include <cstdlib>

#include "in_memory.hpp"
#include "types/helper/dwarf_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autoreload::types;
  const auto file = autoreload_test::in_memory({reinterpret_cast<const char*>(data), size});
  request ask;
  ask.path = "/nonexistent/library.so";
  ask.variables = true;
  const description made = describe(ask, file.get(), -1);
  for (const variable& v : made.variables) {
    if (v.type >= made.types.size() || (v.storage == storage::memory && v.parts.empty())) std::abort();
  }
  if (!decode(encode(made))) std::abort();
  return 0;
}
