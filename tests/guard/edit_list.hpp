// SPDX-License-Identifier: MIT
// edit_list: the edits of edits.txt as the tests see them; the list itself is generated.
#pragma once

#include <string>
#include <vector>

#include <autoreload/symbol.hpp>

namespace autoreload_test {

struct edit_symbol {
  const char* name;
  bool variable;
};

struct edit {
  const char* name;
  bool breaks;
  bool host_passes;  // only the running version shows it
  bool c_only;       // no C++ host can include the header
  const char* says;  // part of a difference when it breaks, of a note when it passes
  std::vector<edit_symbol> symbols;
  std::vector<autoreload::symbol_info> host;  // what a host has that was compiled for the old header
};

inline std::vector<autoreload::symbol_info> no_host() { return {}; }

const std::vector<edit>& edits();

}  // namespace autoreload_test
