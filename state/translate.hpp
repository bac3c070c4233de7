// SPDX-License-Identifier: MIT
// translate: from an address in the old build to the address in the new one that means the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "state/layout.hpp"
#include "state/match.hpp"
#include "state/side.hpp"

namespace autoreload::state {

class translator {
 public:
  /// All are borrowed for as long as the translator lives.
  translator(const side& was, const side& is, const matches& variables);

  /// @param address  as the old file has it
  /// @param pointee  of the old build: tells a struct from its first field, and text from other constants
  /// @return as the new file has it; nothing when the new build has nothing of the kind
  [[nodiscard]] std::optional<std::uint64_t> find(std::uint64_t address, type_index pointee);
  /// The same for a pointer that is in use: one to a variable that both builds share stays.
  [[nodiscard]] std::optional<std::uint64_t> find_in_use(std::uint64_t address, type_index pointee);
  /// The same where nothing is known of what the pointer is for: it leads to a function, into a variable, or to text.
  [[nodiscard]] std::optional<std::uint64_t> find_untyped(std::uint64_t address);
  /// Whether an address of the old build is so many bytes behind the start of a variable that both share.
  [[nodiscard]] bool is_shared(std::uint64_t address, const std::string& variable, std::uint64_t offset) const;
  /// Both lead to the same text.
  [[nodiscard]] bool same_text(std::uint64_t was, std::uint64_t is) const;
  /// What is at an address of the old build, for a person: `step()`, `table`, `"hello"`.
  [[nodiscard]] std::string name(std::uint64_t address) const;

 private:
  struct extent {
    std::uint64_t begin;
    std::uint64_t end;
    const types::variable* was;
    const types::variable* is;  // null: the new build has none
    std::uint64_t offset;       // of the part in the variable
  };
  [[nodiscard]] const extent* holding(std::uint64_t address) const;
  [[nodiscard]] bool is_behind(const extent& e, std::uint64_t address) const;
  [[nodiscard]] std::optional<std::uint64_t> in_variable(const extent& e, std::uint64_t address,
                                                         type_index pointee) const;
  [[nodiscard]] std::optional<std::uint64_t> find_text(std::uint64_t address) const;

  const side& was_;
  const side& is_;
  function_matches functions_;
  std::vector<extent> extents_;  // by where they begin
  std::unordered_map<std::uint64_t, std::optional<std::uint64_t>> texts_;
};

/// Where the field or element at an offset of the old value is in the new one.
[[nodiscard]] std::optional<std::uint64_t> map_offset(typed was, typed is, std::uint64_t offset, typed pointee);

}  // namespace autoreload::state
