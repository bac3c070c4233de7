// SPDX-License-Identifier: MIT
// expression_server: an expression that fails leaves no result behind.
#include "expression_server.hpp"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <utility>

#include "json.hpp"
#include "types/wire.hpp"

namespace autoreload::command {

expression_server::expression_server(void* handle, type_table types, const worker_options& options,
                                     std::vector<local_name> locals, int answers)
    : handle_(handle),
      types_(std::move(types)),
      options_(options),
      locals_(std::move(locals)),
      answers_(answers),
      session_(types_),
      evaluator_(types_, around()) {}

void expression_server::answer(const std::string& expression) {
  try {
    const checked_expression checked = session_.check(expression);
    try {
      run(checked);
    } catch (...) {
      session_.forget(checked);
      throw;
    }
  } catch (const complaint& wrong) {
    types::wire_writer out;
    out.number(wrong.where.begin);
    out.number(wrong.where.end);
    out.text(wrong.text);
    out.number(wrong.notes.size());
    for (const std::string& note : wrong.notes) out.text(note);
    send_message(answers_, message_kind::complained, out.take());
  } catch (const std::exception& thrown) {
    send_message(answers_, message_kind::threw, thrown.what());
  } catch (...) {
    send_message(answers_, message_kind::threw, "of no standard type");
  }
}

surroundings expression_server::around() {
  surroundings made;
  made.address_of = [this](const std::string& name) { return address_of(name); };
  made.before_call = [this](const std::string& function, place) {
    send_message(answers_, message_kind::calling, function);
  };
  made.after_call = [home = getpid()] {
    if (getpid() != home) _exit(0);  // the library forked, and both came back: one of them is ours
  };
  return made;
}

void* expression_server::address_of(const std::string& name) const {
  // Before dlsym, which would find a function of this name in another library.
  const auto local = std::ranges::lower_bound(locals_, name, {}, &local_name::name);
  link_map* map = nullptr;
  if (local == locals_.end() || local->name != name || dlinfo(handle_, RTLD_DI_LINKMAP, &map) != 0) {
    return dlsym(handle_, name.c_str());
  }
  return reinterpret_cast<void*>(map->l_addr + local->address);
}

void expression_server::run(const checked_expression& checked) {
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<value> values = evaluator_.run(*checked.tree, checked.shown.size());
  const auto took = std::chrono::steady_clock::now() - begin;
  std::fflush(nullptr);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const shown_value shown = show(values[i], types_, options_.show);
    types::wire_writer out;
    out.text(checked.shown[i].name);
    out.text(types_.spell(values[i].type));
    out.text(to_text(shown));
    out.text(options_.json ? to_json(shown) : "");
    send_message(answers_, message_kind::result, out.take());
  }
  types::wire_writer out;
  out.number(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
  send_message(answers_, message_kind::done, out.take());
}

}  // namespace autoreload::command
