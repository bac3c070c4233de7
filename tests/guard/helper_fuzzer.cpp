// SPDX-License-Identifier: MIT
// helper_fuzzer: any bytes as the ELF file whose debug information the helper process reads. A crash here is the
// helper's and not the host's; it is looked for all the same, because who crashes has checked nothing.
#include <cstdint>
#include <cstdlib>

#include "in_memory.hpp"
#include "types/helper/dwarf_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autoreload::types;
  const auto file = autoreload_test::in_memory({reinterpret_cast<const char*>(data), size});
  request ask;
  ask.path = "/nonexistent/library.so";
  ask.search = true;
  ask.search_ms = 100;
  for (const char* const name : {"foo", "draw", "step", "show", "level"}) ask.symbols.push_back({name, true, 0});
  if (!decode(encode(describe(ask, file.get(), -1)))) std::abort();
  return 0;
}
