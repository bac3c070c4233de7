// SPDX-License-Identifier: MIT
// main: the command line's words become a subcommand's options.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

#include "command_app.hpp"
#include "generate.hpp"
#include "terminal.hpp"

int main(int count, char** words) {
  using namespace autoreload::command;
  const bool ignored = std::signal(SIGPIPE, SIG_IGN) == SIG_IGN;  // a worker that ended is found out by its answers
  command_app line;
  line.exec.ignores_sigpipe = ignored;
  try {
    line.app.parse(count, words);
  } catch (const CLI::ParseError& wrong) {
    choose_colours(line.colours);
    if (wrong.get_exit_code() == 0) return line.app.exit(wrong);  // --help, --version
    say_error(wrong.what());
    const CLI::App* const at = line.app.get_subcommands().empty() ? &line.app : line.app.get_subcommands().front();
    std::fprintf(stderr, "  %s --help says more\n",
                 at == &line.app ? "autoreload" : ("autoreload " + at->get_name()).c_str());
    return bad_usage;
  }
  choose_colours(line.colours);
  try {
    if (*line.call_command) return run_call(line.call);
    if (*line.run_command) return run_run(line.run);
    if (*line.repl_command) return run_repl(line.repl);
    if (*line.check_command) return run_check(line.check);
    if (*line.api_command) return run_api(line.api);
#ifdef AUTORELOAD_WITH_EXEC
    if (*line.exec_command) return run_exec(line.exec);
#endif
    if (*line.generate_command) return generate(line.app, line.generate);
  } catch (const lost_output& lost) {
    if (lost.reason == EPIPE) {  // as any program ends whose reader has left
      std::signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
      std::raise(SIGPIPE);
    } else {
      say_error(std::string("standard output can't be written: ") + std::strerror(lost.reason));
    }
  } catch (const std::exception& thrown) {
    say_error(std::string("this should not have happened: ") + thrown.what());
  }
  return failed;
}
