// SPDX-License-Identifier: MIT
// command_app: by CLI11.
#include "command_app.hpp"

#include <cmath>
#include <map>

namespace autoreload::command {

namespace {

// `500ms`, `2s`, `1m`.
std::optional<std::chrono::milliseconds> duration_of(const std::string& text) {
  std::size_t end = 0;
  double count = 0;
  try {
    count = std::stod(text, &end);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  const std::string unit = text.substr(end);
  const double factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : unit == "h" ? 3'600'000 : 0;
  const double total = std::round(count * factor);
  if (!(total >= 1 && total <= 24 * 3'600'000.0)) return std::nullopt;
  return std::chrono::milliseconds(static_cast<long>(total));
}

CLI::Option* add_duration(CLI::App* to, const std::string& name, std::chrono::milliseconds& into,
                          const std::string& help) {
  return to
      ->add_option_function<std::string>(
          name,
          [name, &into](const std::string& text) {
            const auto found = duration_of(text);
            if (!found)
              throw CLI::ValidationError(name, "\"" + text + "\" is no time: write 500ms, 2s or 1m, up to 24h");
            into = *found;
          },
          help)
      ->type_name("TIME");
}

void add_library(CLI::App* to, library_options& into) {
  to->add_option("LIB", into.path, "The library: a path, or a name that the dynamic loader knows, such as libz.so.1")
      ->required()
      ->type_name("");
  to->add_option("--header", into.headers, "Take the types from this C header, as #include names it; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  to->add_option("-I,--include", into.include_directories, "A directory of headers; may be repeated")
      ->type_name("DIRECTORY")
      ->allow_extra_args(false);
  to->add_option("--cc", into.compiler, "The C compiler that reads headers")
      ->type_name("PROGRAM")
      ->capture_default_str();
}

void add_calling(CLI::App* to, calling_options& into) {
  to->add_option("--base", into.show.base, "Write integers in this base: 2, 8, 10 or 16")
      ->check(CLI::IsMember({2, 8, 10, 16}))
      ->type_name("BASE")
      ->capture_default_str();
  to->add_option("--elements", into.show.most_elements,
                 "Show so many elements of an array and letters of a string; 0 shows all")
      ->type_name("COUNT")
      ->capture_default_str();
  add_duration(to, "--limit", into.limit, "Stop a call that takes longer [10s]");
  to->add_option("--preload", into.preload, "Open this library before, with its symbols for all; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

template <class Options>
void add_build_command(CLI::App* to, Options& into) {
  to->add_option("--build-command", into.build_command, "Build by this command instead, which a shell runs")
      ->type_name("COMMAND");
  to->add_option("--build-directory", into.build_directory, "Where the build command runs")->type_name("DIRECTORY");
}

void add_building(CLI::App* to, run_options& into) {
  to->add_flag("--build", into.build, "Build at the start, too; it is an error when no way to build is found");
  to->add_flag("--no-build", into.no_build, "Don't build when a source is saved");
  add_build_command(to, into);
}

void add_fresh(CLI::App* to, run_options& into) {
  to->add_flag("--fresh", into.fresh, "Start each new build anew, and don't keep what the library remembers");
}

const char* const footer =
    "Exit status: 0 all is well; 1 the library or an expression is wrong, or a check says no; 2 the command line is\n"
    "wrong; 3 a call crashed, hung or ended the process.";

}  // namespace

command_app::command_app() : app("Calls, checks and describes C libraries by their types.", "autoreload") {
  app.require_subcommand(1);
  app.footer(footer);
  app.set_version_flag("--version", AUTORELOAD_VERSION);
  app.option_defaults()->always_capture_default(false);
  const std::map<std::string, colour_choice> choices{
      {"auto", colour_choice::automatic}, {"always", colour_choice::always}, {"never", colour_choice::never}};
  app.add_option("--color", colours, "Colours: auto, always or never")
      ->transform(CLI::CheckedTransformer(choices).description(""))
      ->type_name("WHEN")
      ->option_text("WHEN");
  app.fallthrough();

  add_run();
  add_call();
  add_repl();
  add_check();
  add_api();
#ifdef AUTORELOAD_WITH_EXEC
  add_exec();
#endif
  add_generate();
}

void command_app::add_run() {
  run_command = app.add_subcommand("run", "Evaluate C expressions again at each new build of the library");
  add_library(run_command, run.library);
  run_command->add_option("EXPRESSION", run.expressions, "As for call; what changed since the last build is said")
      ->type_name("");
  add_calling(run_command, run.calling);
  add_duration(run_command, "--every", run.every, "Evaluate in between, too, so often");
  run_command->add_option("--generations", run.generations, "End after so many builds were loaded")->type_name("COUNT");
  add_fresh(run_command, run);
  add_building(run_command, run);
  run_command->add_flag("--lines", run.lines, "Write lines instead of a screen, also on a terminal");
  run_command->footer(footer);
}

void command_app::add_call() {
  call_command = app.add_subcommand("call", "Evaluate C expressions that call the library, one line for each result");
  add_library(call_command, call.library);
  call_command
      ->add_option("EXPRESSION", call.expressions, "Such as 'add(1, 2)'; $1 is the first result, &int a new object")
      ->required()
      ->type_name("");
  add_calling(call_command, call.calling);
  call_command->add_flag("--json", call.calling.json, "Write each result as JSON");
  call_command->footer(footer);
}

void command_app::add_repl() {
  repl_command = app.add_subcommand("repl", "Evaluate C expressions at a prompt, while the library is edited");
  add_library(repl_command, repl.run.library);
  add_calling(repl_command, repl.run.calling);
  add_fresh(repl_command, repl.run);
  add_building(repl_command, repl.run);
  repl_command->add_option("--history", repl.history, "Keep the lines in this file")->type_name("FILE");
  repl_command->add_flag("--no-history", repl.no_history, "Keep no lines");
  repl_command->footer(footer);
}

void command_app::add_check() {
  check_command =
      app.add_subcommand("check", "Say whether the library can be loaded and reloaded, and what it exports");
  add_library(check_command, check.library);
  check_command->add_option("--against", check.against, "An older build, or a host: say what became different")
      ->type_name("FILE");
  check_command->add_flag("--json", check.json, "Write what was found as JSON");
  check_command->footer(footer);
}

void command_app::add_api() {
  api_command = app.add_subcommand("api", "Write a C++ header with the API struct for a host of the library");
  add_library(api_command, api.library);
  api_command
      ->add_option("FUNCTION", api.functions,
                   "Functions and variables; all that the library exports when none is named")
      ->type_name("");
  api_command->add_option("--name", api.name, "The struct's name")->type_name("NAME");
  api_command->add_option("-o,--output", api.output, "Write to this file")->type_name("FILE");
  api_command->footer(footer);
}

#ifdef AUTORELOAD_WITH_EXEC
void command_app::add_exec() {
  exec_command = app.add_subcommand("exec", "Run a program that was never written for this, and reload its libraries");
  exec_command->add_option("PROGRAM", exec.words, "The program and its arguments; write -- before it")
      ->required()
      ->type_name("");
  exec_command
      ->add_option("--lib", exec.libraries,
                   "Reload this library, by its name or path, and no others but those; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  exec_command->add_option("--log", exec.log, "Write what there is to say to this file instead of standard error")
      ->type_name("FILE");
  exec_command->add_flag("--trial", exec.trial, "Load each new build in a helper process first");
  exec_command->add_flag("--keep-old", exec.keep_old, "Never unload an old build");
  CLI::Option* const carried =
      exec_command->add_flag("--state", exec.state, "Carry the libraries' own variables from each build to the next");
  exec_command->add_flag("--fresh", exec.fresh, "Start each build's own variables anew, as without --state")
      ->excludes(carried);
  exec_command
      ->add_option("--at", exec.at,
                   "Take a build over when this function is called, as at the start of a frame or request")
      ->type_name("SYMBOL");
  exec_command->add_flag("--no-guard", exec.no_guard,
                         "Take a build also if its functions or structs are not what the program was compiled for");
  exec_command->add_flag("--rebuild", exec.rebuild, "Build a library when a source of it is saved");
  add_build_command(exec_command, exec);
  exec_command->footer("The program becomes this process: its exit status is its own.");
}
#endif

void command_app::add_generate() {
  generate_command = app.add_subcommand("generate", "Write a completion script or the manual page");
  generate_command->add_option("WHAT", generate, "bash, zsh, fish or man")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish", "man"}))
      ->type_name("");
  generate_command->group("");  // for packagers; not in the help
}

}  // namespace autoreload::command
