// SPDX-License-Identifier: MIT
// launch: chooses the libraries, writes their stand-ins, and puts them in front by LD_PRELOAD.
#include "exec/launch.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "exec/program_file.hpp"
#include "exec/user_library.hpp"
#include "system/nearest.hpp"

namespace autoreload::exec {
namespace {

constexpr const char* prefix = "autoreload-exec-";

// The process that a directory was made for is gone: it was killed, else its agent would have removed it.
void remove_leftovers(const std::string& base) {
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(base, failure)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const long process = std::strtol(name.c_str() + std::strlen(prefix), nullptr, 10);
    if (process <= 0 || kill(static_cast<pid_t>(process), 0) == 0 || errno != ESRCH) continue;
    std::error_code ignored;
    std::filesystem::remove_all(entry.path(), ignored);
  }
}

bool is_fit(const std::string& base) {
  struct statvfs system {};
  // LD_PRELOAD has no way to write a path with these.
  return !base.empty() && base.front() == '/' && base.find_first_of(" :") == std::string::npos &&
         statvfs(base.c_str(), &system) == 0 && (system.f_flag & ST_NOEXEC) == 0 && access(base.c_str(), W_OK) == 0;
}

result<std::string> make_directory() {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  for (const std::string& base : {variable("XDG_RUNTIME_DIR"), variable("TMPDIR"), std::string("/tmp"),
                                  std::string("/var/tmp"), std::string("/dev/shm")}) {
    if (!is_fit(base)) continue;
    remove_leftovers(base);
    std::string name = base + "/" + prefix + std::to_string(getpid()) + "-XXXXXX";
    if (mkdtemp(name.data()) != nullptr) return name;
  }
  return error(stage::use, "/tmp", "there is no directory for stand-ins that one may write to and run code from")
      .advise("set TMPDIR to one, without spaces and colons in its name");
}

// The program may go to another directory before it opens one of them.
std::vector<std::string> named_from_anywhere(std::vector<std::string> libraries) {
  for (std::string& name : libraries) {
    std::error_code failure;
    if (name.find('/') != std::string::npos) name = std::filesystem::absolute(name, failure).string();
  }
  return libraries;
}

class planning {
 public:
  explicit planning(const launch_wish& wish) : wish_(wish) {}

  result<launch_plan> run() {
    result<program_file> program = find_program(wish_.words);
    if (!program) return program.error();
    const auto needed = libraries_of(*program);
    if (!needed) return needed.error();
    result<std::string> directory = make_directory();
    if (!directory) return directory.error();
    plan_.directory = *directory;
    plan_.path = program->path;
    plan_.words = program->words;
    if (std::optional<error> no = fill(*program, *needed)) {
      std::error_code ignored;
      std::filesystem::remove_all(plan_.directory, ignored);
      return *std::move(no);
    }
    return std::move(plan_);
  }

 private:
  std::optional<error> fill(const program_file& program, const std::vector<needed_library>& needed) {
    for (const needed_library& one : needed) {
      if (std::optional<error> no = consider(program, one)) return no;
    }
    if (std::optional<error> no = look_for_boundary()) return no;
    if (wish_.agent.empty()) return prepare_environment(std::to_string(getpid()) + ":");
    const std::string agent = plan_.directory + "/libautoreload-exec.so";
    if (access(wish_.agent.c_str(), R_OK) != 0 || symlink(wish_.agent.c_str(), agent.c_str()) != 0) {
      return error(stage::use, wish_.agent, "the agent that goes into the program is not there")
          .advise("install autoreload as a whole, or configure it with -Dexec=enabled");
    }
    preload_.insert(preload_.begin(), agent);
    return prepare_environment();
  }

  std::optional<error> consider(const program_file& program, const needed_library& one) {
    const bool named = is_named(wish_.libraries, one.path, one.name);
    if (!named && (!wish_.libraries.empty() || !is_users_own(one.path))) return std::nullopt;
    if (std::find(plan_.taken.begin(), plan_.taken.end(), one.path) != plan_.taken.end()) return std::nullopt;
    const auto prepared = prepare_standin({.path = one.path,
                                           .needed = one.name,
                                           .directory = plan_.directory,
                                           .asked_for = named,
                                           .carries_state = wish_.state,
                                           .is_global = true,
                                           .replaced = program.functions});
    if (!prepared) {
      if (named) return prepared.error();
      plan_.remarks.push_back("\"" + one.path + "\" is not reloaded: " + prepared.error().what());
      return std::nullopt;
    }
    plan_.taken.push_back(one.path);
    functions_.insert(functions_.end(), prepared->functions.begin(), prepared->functions.end());
    for (const std::string& text : prepared->remarks) plan_.remarks.push_back("\"" + one.path + "\": " + text);
    preload_.push_back(prepared->file);
    return std::nullopt;
  }

  // Of what the program opens later nothing is known yet.
  std::optional<error> look_for_boundary() const {
    const bool found = std::find(functions_.begin(), functions_.end(), wish_.at) != functions_.end();
    if (wish_.at.empty() || plan_.taken.empty() || found) return std::nullopt;
    error no(stage::use, {}, "none of the libraries that are reloaded exports " + wish_.at + "()");
    const std::string near = nearest_name(wish_.at, functions_, wish_.at.size() / 3 + 1);
    no.advise(near.empty() ? "name one of their functions: nm -D lists them" : "did you mean " + near + "?");
    return no;
  }

  std::optional<error> prepare_environment(const std::string& before_directory = {}) {
    const char* const before = std::getenv("LD_PRELOAD");
    std::string preload;
    for (const std::string& one : preload_) preload += (preload.empty() ? "" : ":") + one;
    if (before != nullptr && *before != '\0') preload += std::string(":") + before;
    for (char** one = environ; *one != nullptr; ++one) {
      const std::string variable = *one;
      if (!variable.starts_with("LD_PRELOAD=")) plan_.environment.push_back(variable);
    }
    plan_.environment.push_back("LD_PRELOAD=" + preload);
    plan_.environment.push_back(wish_.variable + "=" + before_directory + plan_.directory);
    std::error_code failure;
    agent_orders orders{.directory = plan_.directory,
                        .journal = {},
                        .preload = before != nullptr ? before : "",
                        .helper = wish_.helper,
                        .at = wish_.at,
                        .had_preload = before != nullptr,
                        .trial = wish_.trial,
                        .keep_old = wish_.keep_old,
                        .state = wish_.state,
                        .guard = wish_.guard,
                        .libraries = named_from_anywhere(wish_.libraries),
                        .remarks = plan_.remarks};
    if (!wish_.journal.empty()) orders.journal = std::filesystem::absolute(wish_.journal, failure).string();
    if (result<void> written = write_orders(orders); !written) return written.error();
    return std::nullopt;
  }

  const launch_wish& wish_;
  launch_plan plan_;
  std::vector<std::string> preload_;
  std::vector<std::string> functions_;  // of all libraries that are reloaded
};

}  // namespace

result<launch_plan> plan_launch(const launch_wish& wish) { return planning(wish).run(); }

}  // namespace autoreload::exec
