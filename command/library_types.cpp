// SPDX-License-Identifier: MIT
// library_types: asks the guard's helper process, about the library itself or about a compiled header.
#include "library_types.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <set>

#include <autoreload/abi_guard.hpp>

#include "header_library.hpp"
#include "scoped_names.hpp"
#include "system/unique_fd.hpp"
#include "types/elf_glance.hpp"
#include "types/helper_process.hpp"

namespace autoreload::command {

namespace {

constexpr std::chrono::seconds reading_limit{60};

unique_fd open_file(const std::string& path) { return unique_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

result<types::description> ask_helper(const library& of, types::request ask) {
  const unique_fd file = open_file(of.path());
  const std::string debug = debug_file_of(of);
  if (debug.empty()) {
    return error(stage::guard, of.path(), "it has no debug information, so that its types are not known")
        .advise("compile it with -g, or name its header: --header NAME.h");
  }
  const unique_fd separate = debug == of.path() ? unique_fd() : open_file(debug);
  ask.path = of.path();
  ask.seconds = static_cast<std::uint64_t>(reading_limit.count());
  ask.search = true;
  ask.search_ms = 20'000;
  types::helper_process helper(helper_program(), std::move(ask), file.get(), separate.get());
  std::optional<types::description> answer = helper.collect(std::chrono::steady_clock::now() + reading_limit);
  if (!answer) return error(stage::guard, of.path(), "its debug information was not read: " + helper.why());
  return *std::move(answer);
}

types::request request_for(const library& of, const types_wanted& wanted) {
  types::request ask;
  ask.all_types = wanted.everything;
  ask.api_fields = wanted.api_fields;
  ask.variables = ask.static_types = wanted.scoped;
  ask.types = wanted.names;
  const std::set<std::string, std::less<>> names(wanted.names.begin(), wanted.names.end());
  for (const exported_name& e : of.exports()) {
    if (wanted.everything || wanted.all_symbols || names.contains(e.name))
      ask.symbols.push_back({e.name, e.function, 0});
  }
  for (const local_name& l : of.locals()) {
    if (wanted.everything || names.contains(l.name)) {
      ask.symbols.push_back({.name = l.name, .function = l.function, .address = l.address, .local = true});
    }
  }
  return ask;
}

}  // namespace

// From this program's own directory when it is installed, else where the build left it.
std::string helper_program() {
  std::array<char, PATH_MAX> self;
  const ssize_t size = readlink("/proc/self/exe", self.data(), self.size());
  if (size > 0) {
    std::string place(self.data(), static_cast<std::size_t>(size));
    place = place.substr(0, place.rfind('/')) + "/" AUTORELOAD_GUARD_HELPER_FROM_PROGRAM;
    if (access(place.c_str(), X_OK) == 0) return place;
  }
  return detail::guard_helper(AUTORELOAD_GUARD_HELPER, "");
}

std::string debug_file_of(const library& of) {
  const unique_fd file = open_file(of.path());
  const std::optional<types::debug_links> links = file ? types::find_debug_links(file.get()) : std::nullopt;
  if (!links) return {};
  if (links->inside) return of.path();
  const std::vector<std::string> roots{"/usr/lib/debug"};
  for (const std::string& place : types::separate_debug_files(*links, of.path(), roots)) {
    if (access(place.c_str(), R_OK) == 0) return place;
  }
  return {};
}

result<types::description> read_types(const library& of, const types_wanted& wanted) {
  types::request ask = request_for(of, wanted);
  if (wanted.headers.empty()) {
    result<types::description> found = ask_helper(of, std::move(ask));
    if (found) {
      for (scoped_name& n : scoped_names(*found)) found->symbols.push_back({std::move(n.name), n.function, n.type});
    }
    return found;
  }
  std::vector<std::string> names;
  for (const types::wanted_symbol& s : ask.symbols) {
    if (!s.local) names.push_back(s.name);  // no header declares the others
  }
  result<header_library> compiled = header_library::compile(wanted, names, of.path());
  if (!compiled) return compiled.error();
  result<library> header = library::open(compiled->path());
  if (!header) return header.error();
  std::vector<std::string> types = wanted.names;
  types.insert(types.end(), compiled->constants().begin(), compiled->constants().end());
  result<types::description> found = ask_helper(
      *header, request_for(*header, {.names = std::move(types), .everything = wanted.everything, .all_symbols = true}));
  if (found) compiled->rename(*found, of);
  return found;
}

}  // namespace autoreload::command
