// SPDX-License-Identifier: MIT
// exec: becomes the program, with stand-ins in front of its libraries.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <autoreload/abi_guard.hpp>

#include "exec/agent_orders.hpp"
#include "exec/journal.hpp"
#include "exec/launch.hpp"
#include "exec/words.hpp"
#include "exec_builder.hpp"
#include "options.hpp"
#include "system/unique_fd.hpp"
#include "terminal.hpp"

namespace autoreload::command {

namespace {

// Beside this program in an installed copy, or in the build directory.
std::string agent_file() {
  std::array<char, PATH_MAX> self{};
  if (readlink("/proc/self/exe", self.data(), self.size() - 1) <= 0) return {};
  const std::string directory = std::filesystem::path(self.data()).parent_path().string();
  for (const char* const way : {AUTORELOAD_AGENT_FROM_PROGRAM, "../exec/libautoreload-exec.so"}) {
    const std::string found = directory + "/" + way;
    if (access(found.c_str(), R_OK) == 0) return std::filesystem::path(found).lexically_normal().string();
  }
  return directory + "/" AUTORELOAD_AGENT_FROM_PROGRAM;
}

void note(const std::string& text) { std::fprintf(stderr, "autoreload: %s\n", text.c_str()); }

int give_up(const exec::launch_plan& plan, const std::string& why) {
  std::error_code ignored;
  std::filesystem::remove_all(plan.directory, ignored);
  say_error(why);
  return failed;
}

// Whoever says something in the program has nowhere to say that its log can't be written.
std::string why_not_written(const std::string& log) {
  if (log.empty()) return {};
  const unique_fd file(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666));
  return file ? std::string() : std::strerror(errno);
}

bool builds(const exec_options& options) { return options.rebuild || !options.build_command.empty(); }

result<void> start_building(const exec_options& options, const exec::launch_plan& plan) {
  if (!options.log.empty()) exec::open_journal(std::filesystem::absolute(options.log).string());
  return build_beside({.libraries = plan.taken,
                       .command = options.build_command,
                       .directory = options.build_directory,
                       .notices = plan.directory + "/" + exec::opened_pipe});
}

}  // namespace

int run_exec(const exec_options& options) {
  if (const std::string why = why_not_written(options.log); !why.empty()) {
    say_error(options.log + ": the log can't be written: " + why);
    return failed;
  }
#ifndef AUTORELOAD_EXEC_CARRIES_STATE
  if (options.state) {
    say_error("this program was built without what --state needs: configure it with -Dstate=enabled -Dholders=enabled");
    return failed;
  }
#endif
  result<exec::launch_plan> plan = exec::plan_launch({.words = options.words,
                                                      .libraries = options.libraries,
                                                      .journal = options.log,
                                                      .agent = agent_file(),
                                                      .helper = abi_guard_options().helper,
                                                      .at = options.at,
                                                      .trial = options.trial,
                                                      .keep_old = options.keep_old,
                                                      .state = options.state,
                                                      .guard = !options.no_guard});
  if (!plan) {
    say_error(lines_of(plan.error()));
    return failed;
  }
  for (const std::string& text : plan->remarks) note(text);
  std::string list;
  for (const std::string& path : plan->taken) list += (list.empty() ? "\"" : ", \"") + path + "\"";
  if (!list.empty()) note("reloads " + list);
  if (list.empty()) {
    note(options.libraries.empty()
             ? "no library of yours is among those that it starts with; those that it opens are reloaded"
             : "none of the libraries that --lib names is among those that it starts with; they are reloaded when it "
               "opens them");
  }
  if (builds(options)) {
    if (result<void> started = start_building(options, *plan); !started) {
      return give_up(*plan, lines_of(started.error()));
    }
  }
  if (!options.ignores_sigpipe) std::signal(SIGPIPE, SIG_DFL);
  const std::vector<char*> words = exec::pointers(plan->words);
  const std::vector<char*> environment = exec::pointers(plan->environment);
  execve(plan->path.c_str(), words.data(), environment.data());
  return give_up(*plan, "\"" + plan->path + "\" can't be started: " + std::strerror(errno));
}

}  // namespace autoreload::command
