// SPDX-License-Identifier: MIT
// host_fuzzer: any bytes as what the guard reads inside the host: a helper's answer, an ELF file, a declaration.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "guard/compare.hpp"
#include "guard/declared.hpp"
#include "in_memory.hpp"
#include "types/elf_glance.hpp"

namespace {

using namespace autoreload::types;

// The same graph where every symbol and every third size is another.
description altered(description from) {
  for (symbol& s : from.symbols) s.type = static_cast<type_index>((s.type + 1) % from.types.size());
  for (std::size_t i = 0; i < from.types.size(); i += 3) from.types[i].size ^= 8;
  return from;
}

void read_answer(std::string_view bytes) {
  const std::optional<description> read = decode(bytes);
  if (!read) return;
  const std::string again = encode(*read);
  const std::optional<description> copy = decode(again);
  if (!copy || encode(*copy) != again) std::abort();
  const description other = altered(*read);
  (void)compare(*read, *copy, {.host_sees = &*read});
  (void)compare(*read, other, {});
  (void)compare(other, *read, {.host = true});
}

void read_file(std::string_view bytes) {
  const autoreload::unique_fd file = autoreload_test::in_memory(bytes);
  const std::vector<std::string_view> names{"foo", "level"};
  const std::vector<std::string> roots{"/debug"};
  if (const auto links = find_debug_links(file.get())) (void)separate_debug_files(*links, "/lib/library.so", roots);
  (void)find_exported(file.get(), names);
}

std::string declaration;  // for a plain function to hand out

void read_declaration(std::string_view bytes) {
  declaration = bytes;
  const autoreload::symbol_info symbol{"f", true, true, 0, [](const char*) { return declaration; }};
  const description made = describe_declared(std::span(&symbol, 1));
  (void)compare(made, altered(made), {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  switch (bytes.front()) {
    case 'a': read_answer(bytes.substr(1)); break;
    case 'f': read_file(bytes.substr(1)); break;
    case 'd': read_declaration(bytes.substr(1)); break;
    default: return -1;  // nothing to remember
  }
  return 0;
}
