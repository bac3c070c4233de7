// SPDX-License-Identifier: MIT
// options: what the command line said, one struct for each subcommand.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "expression/show.hpp"

namespace autoreload::command {

/// The exit statuses of all subcommands.
enum exit_status : int {
  good = 0,
  failed = 1,     ///< the library can't be loaded, an expression is wrong, a check says no
  bad_usage = 2,  ///< the command line is wrong
  crashed = 3,    ///< a call crashed, hung or ended the process
};

/// The library, and where its types come from.
struct library_options {
  std::string path;
  std::vector<std::string> headers;
  std::vector<std::string> include_directories;
  std::string compiler = "cc";
};

/// How calls are made and shown.
struct calling_options {
  show_options show;
  std::chrono::milliseconds limit{10'000};
  std::vector<std::string> preload;
  bool json = false;
};

struct call_options {
  library_options library;
  calling_options calling;
  std::vector<std::string> expressions;
};

struct check_options {
  library_options library;
  std::string against;
  bool json = false;
};

struct api_options {
  library_options library;
  std::vector<std::string> functions;
  std::string name;
  std::string output;
};

struct run_options {
  library_options library;
  calling_options calling;
  std::vector<std::string> expressions;
  std::chrono::milliseconds every{0};  ///< evaluate again so often; 0: only at each new build
  std::uint64_t generations = 0;       ///< end after so many; 0: never
  bool fresh = false;                  ///< carry no state from one build to the next
  bool build = false;
  bool no_build = false;
  bool lines = false;         ///< no screen, also on a terminal
  std::string build_command;  ///< for a shell; empty: it is found out
  std::string build_directory;
};

struct repl_options {
  run_options run;      ///< without expressions
  std::string history;  ///< the file; empty: the usual place
  bool no_history = false;
};

struct exec_options {
  std::vector<std::string> words;      ///< the program and its arguments
  std::vector<std::string> libraries;  ///< none: all of the user's own
  std::string log;                     ///< a file; empty: standard error
  bool trial = false;
  bool keep_old = false;      ///< never unload an old build
  bool state = false;         ///< carry the libraries' own variables over
  bool fresh = false;         ///< the same as no `state`
  std::string at;             ///< take a build over when this function is called; empty: at once
  bool no_guard = false;      ///< take a build also if the program can't call it
  bool rebuild = false;       ///< build a library when a source of it is saved
  std::string build_command;  ///< for a shell; empty: it is found out
  std::string build_directory;
  bool ignores_sigpipe = false;  ///< as the program shall
};

[[nodiscard]] int run_call(const call_options& options);
[[nodiscard]] int run_check(const check_options& options);
[[nodiscard]] int run_api(const api_options& options);
[[nodiscard]] int run_run(const run_options& options);
[[nodiscard]] int run_repl(const repl_options& options);
#ifdef AUTORELOAD_WITH_EXEC
[[nodiscard]] int run_exec(const exec_options& options);
#endif

}  // namespace autoreload::command
