// SPDX-License-Identifier: MIT
// user_library: the checks before a stand-in is made.
#include "exec/user_library.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include "exec/copy_plan.hpp"
#include "exec/exports.hpp"
#include "exec/files.hpp"
#include "exec/standin.hpp"
#include "reload/dependencies/packaged.hpp"
#include "reload/inspect/inspect.hpp"

namespace autoreload::exec {
namespace {

bool exports_classes(const std::vector<exported_symbol>& exports) {
  return std::any_of(exports.begin(), exports.end(), [](const exported_symbol& one) {
    return one.name.starts_with("_ZTV") || one.name.starts_with("_ZTI");
  });
}

bool is_python_module(const std::vector<exported_symbol>& exports) {
  return std::any_of(exports.begin(), exports.end(),
                     [](const exported_symbol& one) { return one.name.starts_with("PyInit_"); });
}

// Variables that its own code reaches without a symbol: they can't be shared with copies.
bool binds_to_itself(const dynamic_tables& tables) {
  return tables.value(DT_SYMBOLIC) || (tables.value(DT_FLAGS).value_or(0) & DF_SYMBOLIC) != 0;
}

class examination {
 public:
  explicit examination(const standin_wish& wish) : wish_(wish) {}

  result<prepared_standin> run() {
    std::optional<std::string> read = read_file(wish_.path);
    if (!read) return refuse("it can't be read", "give yourself the right to read it");
    bytes_ = *std::move(read);
    const auto bytes = std::as_bytes(std::span(bytes_));
    const inspection seen = inspect(bytes, this_machine, writing::is_over);
    if (seen.is != verdict::sound) return error(stage::inspect, wish_.path, seen.reason).advise(seen.advice);
    const elf_view file{bytes, seen.facts.segments, 0};
    const std::optional<dynamic_tables> tables = tables_of(file);
    if (!tables) return refuse("it has no dynamic symbols", "link it as a shared library");
    const std::vector<exported_symbol> exports = exports_of(file, *tables);
    if (std::optional<error> no = look_at(exports, *tables)) return *std::move(no);
    for (const exported_symbol& one : exports) {
      if (one.is_function()) made_.functions.push_back(one.name);
    }
    look_for_state(hidden_variables(file, *tables, exports));
    return write(bytes, seen.facts);
  }

 private:
  error refuse(const std::string& reason, const std::string& advice) const {
    return error(stage::load, wish_.path, reason).advise(advice);
  }

  // What is taken only when it was asked for.
  std::optional<error> doubt(const std::string& reason, const std::string& danger) {
    if (!wish_.asked_for) return refuse(reason + ": " + danger, "--lib " + base_of(wish_.path) + " takes it anyway");
    made_.remarks.push_back(reason + ": " + danger);
    return std::nullopt;
  }

  std::optional<error> look_at(const std::vector<exported_symbol>& exports, const dynamic_tables& tables) {
    std::string variables;
    for (const exported_symbol& one : exports) {
      if (one.kind == symbol_kind::thread_local_variable && !wish_.is_global) {
        return refuse(
            "it exports the thread-local variable `" + one.name +
                "`, which a copy can't share when the library "
                "is opened at run time",
            "link the program with it, open it with RTLD_GLOBAL at the start, or export a function that gives "
            "the variable's address");
      }
      if (one.kind == symbol_kind::variable) variables += (variables.empty() ? "" : ", ") + one.name;
    }
    if (std::none_of(exports.begin(), exports.end(), [](const auto& one) { return one.is_function(); })) {
      return refuse("it exports no function", "there is nothing to replace");
    }
    if (is_python_module(exports)) {
      if (auto no = doubt("it is a Python extension module", "Python calls it by addresses that it keeps")) return no;
    }
    if (exports_classes(exports)) {
      if (auto no = doubt("it exports C++ classes",
                          "an object of an older build is called by that build's functions, and "
                          "one whose layout changed breaks the program")) {
        return no;
      }
    }
    if (binds_to_itself(tables) && !variables.empty()) {
      made_.remarks.push_back("it is linked with -Bsymbolic, so the program and newer builds have each their own " +
                              variables);
    }
    return std::nullopt;
  }

  // Tables of open handles, pools, caches: what an older build keeps in such variables, the newest doesn't know.
  void look_for_state(std::uint64_t bytes) {
    constexpr std::uint64_t few = 512;
    if (bytes <= few || wish_.carries_state) return;
    made_.remarks.push_back(
        "it has " + std::to_string(bytes) +
        " bytes of variables of its own, which start anew in each build, so newer ones know nothing "
        "of what it remembers there (handles, settings): build it with -g and start the program "
        "with --state to carry them over");
  }

  result<prepared_standin> write(std::span<const std::byte> bytes, const elf_facts& facts) {
    made_.path = wish_.path;
    made_.file = wish_.directory + "/" + file_name();
    auto standin = make_standin({.bytes = bytes,
                                 .facts = facts,
                                 .path = wish_.path,
                                 .name = wish_.needed,
                                 .replaced = {wish_.replaced.begin(), wish_.replaced.end()}});
    if (!standin) return standin.error();
    std::ofstream to(made_.file, std::ios::binary | std::ios::trunc);
    to.write(reinterpret_cast<const char*>(standin->data()), static_cast<std::streamsize>(standin->size()));
    if (!to.flush()) return error(stage::load, made_.file, "the stand-in can't be written").advise("make room there");
    return std::move(made_);
  }

  // LD_PRELOAD's separators are spaces and colons. Two libraries may have one name.
  [[nodiscard]] std::string file_name() const {
    std::string name = base_of(wish_.path);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == ' ' || c == ':'; }, '_');
    std::string made = name;
    struct stat status {};
    for (int i = 1; stat((wish_.directory + "/" + made).c_str(), &status) == 0; ++i) made = std::to_string(i) + name;
    return made;
  }

  const standin_wish& wish_;
  std::string bytes_;
  prepared_standin made_;
};

}  // namespace

bool is_named(const std::vector<std::string>& names, const std::string& path, const std::string& needed) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == needed || name == base_of(path) || real_path(name) == real_path(path);
  });
}

bool is_users_own(const std::string& path) {
  if (is_packaged(path) || path.starts_with("/usr/libexec/")) return false;
  for (const char* const part : {"/site-packages/", "/dist-packages/", "/node_modules/"}) {
    if (path.find(part) != std::string::npos) return false;
  }
  return true;
}

result<prepared_standin> prepare_standin(const standin_wish& wish) { return examination(wish).run(); }

}  // namespace autoreload::exec
