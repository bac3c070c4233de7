// SPDX-License-Identifier: MIT
// copy_plan: how a new build joins a program that holds the stand-in of an older one.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <autoreload/engine.hpp>

#include "exec/exports.hpp"

namespace autoreload::exec {

using symbol_key = std::pair<std::string, std::string>;  ///< name and version

/// What the stand-in's file says of the build that it was made of.
struct standin_facts {
  struct data {
    exported_symbol symbol;
    std::string constant;  ///< its bytes, if it is a constant that no relocation changes
  };
  std::map<symbol_key, data> data_symbols;  ///< variables, constants, thread-locals
  std::set<symbol_key> functions;
  std::set<std::string> replaced;  ///< functions that the program has itself

  /// Whether there is any symbol of that name.
  [[nodiscard]] bool has(const std::string& name) const;
};

/// @param file  the stand-in's bytes
[[nodiscard]] result<standin_facts> read_standin(std::span<const std::byte> file);

struct copy_plan {
  std::vector<detail::copy_edit> edits;
  std::map<symbol_key, exported_symbol> functions;
  std::vector<std::string> own_constants;  ///< the program goes on seeing the older build's
  std::optional<std::uint64_t> table;      ///< where there is room for its table, in the file's terms
  std::string stays;                       ///< why it can never be unloaded; empty: it can
};

/// Where the program sees one of the stand-in's variables. @return null: nowhere
using variable_address = std::function<void*(const exported_symbol&)>;

/// Each own function of the copy shall be called by the copy itself, and each variable that the stand-in has shall be
/// the stand-in's. Both are written into the copy's symbol table: a hidden symbol is bound without being looked up, and
/// an absolute one is its own address.
/// @param build  the new build's bytes: inspect() called them sound
/// @param table_size  bytes
/// @return an error of stage load when a variable's size or a symbol's kind changed
[[nodiscard]] result<copy_plan> plan_copy(std::span<const std::byte> build, const standin_facts& standin,
                                          const variable_address& address, std::uint64_t table_size);

/// The segments that the loader maps.
[[nodiscard]] std::vector<load_segment> segments_of(std::span<const std::byte> file);

}  // namespace autoreload::exec
