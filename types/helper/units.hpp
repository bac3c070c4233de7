// SPDX-License-Identifier: MIT
// units: opens a file's debug information and hands out its compile units, split ones in place of their skeletons.
#pragma once

#include <elfutils/libdw.h>
#include <gelf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace autoreload::types {

struct elf_end_call {
  void operator()(Elf* elf) const { elf_end(elf); }
};
struct dwarf_end_call {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};
using elf_handle = std::unique_ptr<Elf, elf_end_call>;
using dwarf_handle = std::unique_ptr<Dwarf, dwarf_end_call>;

/// An opened file of debug information; `dwarf` reads through `elf`.
struct debug_source {
  int file = -1;
  std::vector<std::unique_ptr<char[]>> inflated{};  // sections that libdw can't unpack itself
  elf_handle elf{};
  dwarf_handle dwarf{};
};

/// A symbol of the dynamic table.
struct elf_symbol {
  std::uint64_t address;
  unsigned char type;  ///< STT_FUNC, STT_OBJECT, STT_GNU_IFUNC …
};

class units {
 public:
  /// @param path        as the user knows the file
  /// @param debug_file  separate debug information or -1; refused (with a problem) when it belongs to another build
  units(const std::string& path, int file, int debug_file, std::vector<std::string>& problems);

  [[nodiscard]] bool open() const { return main_.dwarf != nullptr; }

  /// Names that the file exports.
  [[nodiscard]] const std::unordered_map<std::string_view, elf_symbol>& exported() const { return exported_; }

  /// The file that the debug information is in, with its full symbol table if there is one; not null when open.
  [[nodiscard]] Elf* debug_file() const { return main_.elf.get(); }

  /// The root of the unit whose code is at each address; absent where none says so.
  [[nodiscard]] std::unordered_map<std::uint64_t, Dwarf_Die> at(const std::vector<std::uint64_t>& addresses);

  /// Calls `visit(root)` for each unit until it says true.
  template <class Visit>
  void each(Visit visit) {
    Dwarf_CU* unit = nullptr;
    Dwarf_Die skeleton;
    Dwarf_Die root;
    while (dwarf_get_units(main_.dwarf.get(), unit, &unit, nullptr, nullptr, &skeleton, &root) == 0) {
      if (std::optional<Dwarf_Die> full = full_unit(skeleton, root); full && visit(*full)) return;
    }
  }

 private:
  std::optional<Dwarf_Die> full_unit(Dwarf_Die skeleton, Dwarf_Die split);
  std::optional<Dwarf_Die> find_split(std::uint64_t id, const std::string& name);
  void read_exported(Elf* elf);

  std::string path_;
  std::vector<std::string>& problems_;
  elf_handle elf_;  // the loaded file, for its symbols
  debug_source main_;
  std::vector<debug_source> split_;
  std::unordered_map<std::uint64_t, std::optional<Dwarf_Die>> found_split_;
  std::unordered_map<std::string_view, elf_symbol> exported_;
};

}  // namespace autoreload::types
