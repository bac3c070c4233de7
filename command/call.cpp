// SPDX-License-Identifier: MIT
// call: checks all expressions, then evaluates them in a process of their own.
#include <cstdio>

#include "library.hpp"
#include "library_types.hpp"
#include "options.hpp"
#include "scoped_names.hpp"
#include "session.hpp"
#include "terminal.hpp"
#include "worker.hpp"

namespace autoreload::command {

namespace {

result<type_table> types_for(const library& opened, const call_options& options) {
  types_wanted wanted{.headers = options.library.headers,
                      .include_directories = options.library.include_directories,
                      .compiler = options.library.compiler};
  for (const std::string& text : options.expressions) {
    for (std::string& name : names_in(text)) {
      wanted.scoped |= is_scoped(name);
      wanted.names.push_back(std::move(name));
    }
  }
  const progress working("reading the types of " + opened.path());
  result<types::description> types = read_types(opened, wanted);
  if (!types) return types.error();
  return type_table(*std::move(types));
}

// A name that the library exports, and that has no type: why.
void explain_unknown(const complaint& wrong, const std::string& expression, const library& opened,
                     const type_table& types) {
  const std::string name = expression.substr(wrong.where.begin, wrong.where.end - wrong.where.begin);
  const bool exported = opened.find(name) != nullptr && types.symbol(name) == nullptr;
  if (exported)
    say_note("the library exports it, but no debug information describes it: compile it with -g, or name its header");
  if (opened.is_shared(name)) say_note("several units have one: say which by its file, such as 'list.c'::" + name);
  for (const std::string& problem : types.all().problems) {
    if (exported) say_note(problem);
  }
}

void print(const shown_result& shown, bool json) { write_output((json ? shown.json : shown.text) + "\n"); }

}  // namespace

int run_call(const call_options& options) {
  const result<library> opened = library::open(options.library.path);
  if (!opened) return say_error(opened.error()), failed;
  result<type_table> types = types_for(*opened, options);
  if (!types) return say_error(types.error()), failed;

  // Nothing runs before all is right.
  session checks(*types);
  for (const std::string& text : options.expressions) {
    try {
      static_cast<void>(checks.check(text));
    } catch (const complaint& wrong) {
      say_error(describe(wrong, text));
      explain_unknown(wrong, text, *opened, *types);
      return failed;
    }
  }

  const worker_options how{.show = options.calling.show,
                           .json = options.calling.json,
                           .limit = options.calling.limit,
                           .preload = options.calling.preload,
                           .locals = all_locals(*opened, types->all())};
  result<worker> process = worker::start(opened->path(), *types, how);
  if (!process) return say_error(process.error()), failed;
  for (const std::string& text : options.expressions) {
    const reply came = process->evaluate(text);
    for (const shown_result& shown : came.results) print(shown, options.calling.json);
    switch (came.is) {
      case reply::end::good: break;
      case reply::end::complained: say_error(describe(came.wrong, text)); return failed;
      default: say_error(came.words); return crashed;
    }
  }
  return good;
}

}  // namespace autoreload::command
