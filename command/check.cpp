// SPDX-License-Identifier: MIT
// check: the inspector's verdict, a load in another process, the prototypes, and the comparison with an older build.
#include <algorithm>
#include <cstdio>
#include <string>

#include "check_report.hpp"
#include "comparison.hpp"
#include "elf/names.hpp"
#include "library.hpp"
#include "library_types.hpp"
#include "options.hpp"
#include "reload/inspect/inspect.hpp"
#include "terminal.hpp"
#include "worker.hpp"

namespace autoreload::command {

namespace {

// Its own words without the path, which stands in the line before.
finding refusal(const error& failure) {
  std::string text = failure.reason();
  if (!failure.system().empty()) text += ": " + failure.system();
  return {text, advice_of(failure)};
}

void inspect_file(const library& opened, check_report& into) {
  inspection found = inspect(opened.bytes());
  if (found.is != verdict::sound) into.refused = finding{found.reason, found.advice};
  for (std::string& warning : found.warnings) into.hazards.push_back(std::move(warning));
}

// Undefined symbols, missing dependencies, constructors that crash: only loading shows them.
void try_to_load(const library& opened, check_report& into) {
  if (into.refused) return;
  const progress working("loading " + opened.path());
  const result<worker> loaded = worker::start(opened.path(), type_table({}), {});
  if (!loaded) into.refused = refusal(loaded.error());
}

void describe_exports(const library& opened, const result<types::description>& types, check_report& into) {
  if (!types) {
    const std::string advice = advice_of(types.error());
    into.notes.push_back(types.error().reason() + (advice.empty() ? "" : ": " + advice));
    for (const exported_name& e : opened.exports()) into.exports.push_back({e.name, ""});
    return;
  }
  const type_table table(*types);
  std::vector<std::string> unknown;
  for (const exported_name& e : opened.exports()) {
    const types::symbol* const s = table.symbol(e.name);
    if (s == nullptr) unknown.push_back(e.name);
    into.exports.push_back({e.name, s == nullptr  ? ""
                                    : s->function ? table.prototype(s->type, e.name)
                                                  : table.spell(s->type, e.name)});
  }
  if (!unknown.empty()) {
    into.notes.push_back(std::to_string(unknown.size()) + " of " + std::to_string(into.exports.size()) +
                         " exported symbols are not in its debug information, such as " + unknown.front());
  }
}

bool is_program(const library& file) {
  const auto* const bytes = reinterpret_cast<const char*>(file.bytes().data());
  if (file.bytes().size() < sizeof(Elf64_Ehdr)) return false;
  Elf64_Ehdr header;
  std::copy_n(bytes, sizeof header, reinterpret_cast<char*>(&header));
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    const std::uint64_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    if (at > file.bytes().size() || file.bytes().size() - at < sizeof(Elf64_Phdr)) return false;
    Elf64_Phdr segment;
    std::copy_n(bytes + at, sizeof segment, reinterpret_cast<char*>(&segment));
    if (segment.p_type == PT_INTERP) return true;
  }
  return false;
}

// @return an error when there is nothing to compare with
result<void> compare_with_host(const library& host, const library& opened, const types::description& types,
                               check_report& into) {
  types_wanted wanted;
  wanted.api_fields = true;
  result<types::description> expects = read_types(host, wanted);
  if (!expects) return expects.error();
  if (expects->symbols.empty()) {
    return error(stage::guard, host.path(), "it has no API struct of autoreload in its debug information")
        .advise("compile the host with -g");
  }
  into.is_host = true;
  for (const types::symbol& s : expects->symbols) {
    if (opened.find(s.name) == nullptr)
      into.differences.push_back(s.name + ": the host knows it, and the library does not have it");
  }
  add(types::compare(*expects, types, {.host = true}), into);
  return {};
}

}  // namespace

int run_check(const check_options& options) {
  const result<library> opened = library::open(options.library.path);
  if (!opened) return say_error(opened.error()), failed;
  check_report report;
  report.path = opened->path();
  inspect_file(*opened, report);
  try_to_load(*opened, report);
  const result<types::description> types = [&] {
    const progress working("reading the types of " + opened->path());
    return read_types(*opened, all_of(options.library));
  }();
  describe_exports(*opened, types, report);
  if (!options.against.empty()) {
    const result<library> old = library::open(options.against);
    if (!old) return say_error(old.error()), failed;
    report.against = old->path();
    // Without types nothing says that all is well.
    if (!types) return say_error(types.error()), failed;
    const result<void> compared = is_program(*old) ? compare_with_host(*old, *opened, *types, report)
                                                   : compare_builds(*old, *opened, *types, options.library, report);
    if (!compared) return say_error(compared.error()), failed;
  }
  write_output(options.json ? to_json(report) : to_text(report));
  return report.refused || !report.differences.empty() ? failed : good;
}

}  // namespace autoreload::command
