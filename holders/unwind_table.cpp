// SPDX-License-Identifier: MIT
// unwind_table: reads entries as compilers for x86-64 write them.
#include "holders/unwind_table.hpp"

#include <array>

#include "holders/memory_cursor.hpp"

namespace autoreload::holding {
namespace {

struct common_entry {
  std::uint8_t encoding = 0;
  bool has_data = false;
  bool good = false;
};

common_entry read_common(std::uintptr_t at, unwind_entry& into) noexcept {
  memory_cursor in(at);
  common_entry made;
  const auto length = in.get<std::uint32_t>();
  into.common_last = in.at() + length;
  if (length == 0 || length >= 0xfffffff0U || in.get<std::uint32_t>() != 0) return made;
  const auto version = in.get<std::uint8_t>();
  std::array<char, 8> text{};
  for (char& one : text) {
    one = in.get<char>();
    if (one == '\0') break;
  }
  if ((version != 1 && version != 3) || text.back() != '\0') return made;
  into.code_step = in.uleb();
  into.data_step = in.sleb();
  into.return_register = version == 1 ? in.get<std::uint8_t>() : in.uleb();
  if (text[0] == 'z') {
    made.has_data = true;
    const std::uint64_t bytes = in.uleb();
    const std::uintptr_t end = in.at() + bytes;
    for (const char one : text) {
      if (one == 'R') made.encoding = in.get<std::uint8_t>();
      if (one == 'L') (void)in.get<std::uint8_t>();
      if (one == 'P') (void)in.encoded(in.get<std::uint8_t>());
      if (one == 'S') into.is_signals = true;
    }
    in.skip(end - in.at());
  } else if (text[0] != '\0') {
    return made;
  }
  into.common_first = in.at();
  made.good = in.good();
  return made;
}

std::optional<unwind_entry> read_function(std::uintptr_t at, std::uintptr_t instruction) noexcept {
  memory_cursor in(at);
  const auto length = in.get<std::uint32_t>();
  if (length == 0 || length >= 0xfffffff0U) return std::nullopt;
  unwind_entry made;
  made.last = in.at() + length;
  const std::uintptr_t here = in.at();
  const common_entry common = read_common(here - in.get<std::uint32_t>(), made);
  if (!common.good) return std::nullopt;
  made.begin = in.encoded(common.encoding);
  const std::uint64_t size = in.encoded(common.encoding & 0x0fU);
  if (common.has_data) {
    const std::uint64_t bytes = in.uleb();
    in.skip(bytes);
  }
  made.first = in.at();
  if (!in.good() || instruction - made.begin >= size) return std::nullopt;
  return made;
}

}  // namespace

// By the table that the linker sorted: pairs of a function and its entry, from the table's own address.
std::optional<unwind_entry> find_entry(std::uintptr_t table, std::uintptr_t instruction) noexcept {
  memory_cursor in(table);
  const auto version = in.get<std::uint8_t>();
  const auto pointer = in.get<std::uint8_t>();
  const auto counts = in.get<std::uint8_t>();
  const auto entries = in.get<std::uint8_t>();
  (void)in.encoded(pointer);
  const std::uint64_t count = in.encoded(counts);
  if (!in.good() || version != 1 || entries != 0x3b || count == 0) return std::nullopt;
  struct pair {
    std::int32_t function, entry;
  };
  const auto at = [&](std::uint64_t i) { return memory_cursor(in.at() + i * sizeof(pair)).get<pair>(); };
  std::uint64_t low = 0;
  std::uint64_t high = count;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    const std::uintptr_t begin = table + static_cast<std::uintptr_t>(std::int64_t{at(middle).function});
    (begin <= instruction ? low : high) = middle;
  }
  return read_function(table + static_cast<std::uintptr_t>(std::int64_t{at(low).entry}), instruction);
}

}  // namespace autoreload::holding
