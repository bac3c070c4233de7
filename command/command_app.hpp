// SPDX-License-Identifier: MIT
// command_app: the command line: each subcommand and option once, for parsing, help, completions and the manual page.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "options.hpp"
#include "terminal.hpp"

namespace autoreload::command {

/// The parser and what it fills in.
struct command_app {
  command_app();
  command_app(const command_app&) = delete;
  command_app& operator=(const command_app&) = delete;

  CLI::App app;
  colour_choice colours = colour_choice::automatic;
  call_options call;
  run_options run;
  repl_options repl;
  check_options check;
  api_options api;
  exec_options exec;
  std::string generate;  ///< bash, zsh, fish or man
  CLI::App* call_command = nullptr;
  CLI::App* run_command = nullptr;
  CLI::App* repl_command = nullptr;
  CLI::App* check_command = nullptr;
  CLI::App* api_command = nullptr;
  CLI::App* exec_command = nullptr;
  CLI::App* generate_command = nullptr;

 private:
  void add_run();
  void add_call();
  void add_repl();
  void add_check();
  void add_api();
  void add_exec();
  void add_generate();
};

}  // namespace autoreload::command
