// SPDX-License-Identifier: MIT
// comparison: names by the symbol tables, types by the ABI guard.
#include "comparison.hpp"

#include <utility>

namespace autoreload::command {

types_wanted all_of(const library_options& from) {
  return {.all_symbols = true,
          .headers = from.headers,
          .include_directories = from.include_directories,
          .compiler = from.compiler};
}

void add(types::comparison found, check_report& into) {
  for (types::remark& r : found.differences) into.differences.push_back(std::move(r.text));
  for (types::remark& r : found.notes) into.harmless.push_back(std::move(r.text));
}

result<void> compare_builds(const library& old, const library& fresh, const types::description& types,
                            const library_options& options, check_report& into) {
  for (const exported_name& e : old.exports()) {
    if (fresh.find(e.name) == nullptr) into.differences.push_back(e.name + ": removed");
  }
  for (const exported_name& e : fresh.exports()) {
    if (old.find(e.name) == nullptr) into.harmless.push_back(e.name + ": new");
  }
  const result<types::description> before = read_types(old, all_of(options));
  if (!before) return before.error();
  add(types::compare(*before, types, {}), into);
  return {};
}

}  // namespace autoreload::command
