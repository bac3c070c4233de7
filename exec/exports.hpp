// SPDX-License-Identifier: MIT
// exports: the dynamic symbols of a library, with their versions and what they are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elf/view.hpp"
#include "reload/inspect/inspect.hpp"

namespace autoreload::exec {

/// What an exported symbol can be.
enum class symbol_kind : std::uint8_t {
  function,
  chosen,    ///< an indirect function: its address is what its resolver answers (STT_GNU_IFUNC)
  variable,  ///< writable
  constant,  ///< in memory that nobody can write, once it is relocated
  thread_local_variable,
  unique,  ///< one for the whole process, whoever defines it (STB_GNU_UNIQUE)
  other,   ///< an absolute number, a label in data
};

struct exported_symbol {
  std::string name;
  std::string version{};            ///< empty: none
  std::uint32_t index = 0;          ///< in the dynamic symbol table
  std::uint16_t version_index = 0;  ///< as .gnu.version has it
  symbol_kind kind = symbol_kind::other;
  Elf64_Sym raw{};

  [[nodiscard]] bool is_function() const { return kind == symbol_kind::function || kind == symbol_kind::chosen; }
  /// Whether a name without a version finds it.
  [[nodiscard]] bool is_default() const { return (version_index & 0x8000U) == 0; }
};

/// Of a library that inspect() called sound.
struct dynamic_tables {
  std::vector<Elf64_Dyn> entries;  ///< up to DT_NULL
  std::uint64_t symbols = 0;       ///< their address
  std::uint32_t symbol_count = 0;
  std::span<const std::byte> strings;
  std::uint64_t versions = 0;  ///< .gnu.version's address; 0: none

  [[nodiscard]] std::optional<std::uint64_t> value(std::int64_t tag) const;
};

/// @param file  with its segments @return nothing when there is no dynamic section
[[nodiscard]] std::optional<dynamic_tables> tables_of(const elf_view& file);

/// All that the library defines for others: global and weak, default and protected.
[[nodiscard]] std::vector<exported_symbol> exports_of(const elf_view& file, const dynamic_tables& tables);

/// How many bytes of writable variables no symbol leads to: `static` ones. A few are the compiler's own.
[[nodiscard]] std::uint64_t hidden_variables(const elf_view& file, const dynamic_tables& tables,
                                             const std::vector<exported_symbol>& exports);

/// The records at an address; none when they are not all in the file.
template <class T>
[[nodiscard]] table<T> records_at(const elf_view& file, std::uint64_t address, std::uint64_t count) {
  return file.table_at<T>(address, count).value_or(table<T>());
}

/// The relocations between two entries of the dynamic section, DT_RELA and DT_RELASZ or DT_JMPREL and DT_PLTRELSZ.
/// Those of the procedure linkage table are not among the first.
[[nodiscard]] table<Elf64_Rela> relocations_of(const elf_view& file, const dynamic_tables& tables, std::int64_t start,
                                               std::int64_t size);

/// Whether relocations change any of the bytes [address, address + size).
[[nodiscard]] bool is_relocated(const elf_view& file, const dynamic_tables& tables, std::uint64_t address,
                                std::uint64_t size);

}  // namespace autoreload::exec
