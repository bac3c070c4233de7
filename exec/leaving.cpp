// SPDX-License-Identifier: MIT
// leaving: looks for what dlclose would call, beside what each compiler puts into each library.
#include "exec/leaving.hpp"

#include <array>
#include <cstring>
#include <string_view>

#include "elf/view.hpp"

namespace autoreload::exec {
namespace {

std::string name_at(const dynamic_tables& tables, std::uint64_t offset) {
  if (offset >= tables.strings.size()) return {};
  return reinterpret_cast<const char*>(tables.strings.data()) + offset;  // the inspector has seen its end
}

// atexit() of a library is this, too.
std::string registers_destructors(const elf_view& file, const dynamic_tables& tables) {
  constexpr std::array<std::string_view, 5> calls{"__cxa_atexit", "atexit", "on_exit", "__cxa_thread_atexit",
                                                  "__cxa_thread_atexit_impl"};
  for (const Elf64_Sym symbol : records_at<Elf64_Sym>(file, tables.symbols, tables.symbol_count)) {
    if (symbol.st_shndx != SHN_UNDEF) continue;
    std::string name = name_at(tables, symbol.st_name);
    for (const std::string_view call : calls) {
      if (name == call) return name;
    }
  }
  return {};
}

// Of crti.o and crtn.o, which each compiler's driver links: `sub $8, %rsp; add $8, %rsp; ret`, maybe behind an endbr64.
// Known by its code, since the sections of a large library are read later.
bool is_compilers(const elf_view& file, std::uint64_t function) {
  constexpr std::string_view mark("\xf3\x0f\x1e\xfa", 4);
  constexpr std::string_view nothing("\x48\x83\xec\x08\x48\x83\xc4\x08\xc3", 9);
  const auto has = [&](std::uint64_t address, std::string_view code) {
    const std::byte* const there = file.bytes(address, code.size());
    return there != nullptr && std::memcmp(there, code.data(), code.size()) == 0;
  };
  return has(has(function, mark) ? function + mark.size() : function, nothing);
}

}  // namespace

std::string why_it_stays(const elf_view& file, const dynamic_tables& tables) {
  if (const std::string call = registers_destructors(file, tables); !call.empty()) {
    return "it has destructors (it calls " + call + ")";
  }
  const auto last = tables.value(DT_FINI);
  // One is the compiler's own (crtbeginS.o), which comes together with .fini.
  const std::uint64_t compilers = last ? 1 : 0;
  if (tables.value(DT_FINI_ARRAYSZ).value_or(0) > compilers * sizeof(void*)) return "it has destructors";
  if (last && !is_compilers(file, *last)) return "it has a function for its end (DT_FINI)";
  return {};
}

}  // namespace autoreload::exec
