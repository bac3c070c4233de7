// SPDX-License-Identifier: MIT
// build_tool: finds out which command builds a library, and what the tool knows of its sources.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/error.hpp>
#include <autoreload/trust.hpp>

#include "rebuild/runner.hpp"

namespace autoreload::building {

class debug_file;
struct compile_candidate;

enum class tool_kind : std::uint8_t { named, ninja, make, cmake_make, compiler };

/// The command that builds one library.
struct build_tool {
  tool_kind kind = tool_kind::named;
  command run;
  std::string target;                    ///< the library, as the tool calls it
  std::vector<std::string> build_files;  ///< absolute; an edit of one is a reason to build
  std::vector<std::string> trusted;  ///< files that the tool runs commands from: whose they are is looked at each time
  std::filesystem::path target_directory;  ///< of cmake_make: where the target's own files lie
  std::vector<command> questions;          ///< of compiler: each prints a depfile of one source
  std::string found;                       ///< for a person: `ninja -C /home/me/p/build libfoo.so (build.ninja)`
};

/// What a tool knows of the files that a library is made of.
struct tool_inputs {
  std::vector<std::string> sources;        ///< headers included; absolute, or relative to the tool's directory
  std::vector<std::string> products;       ///< what the tool makes itself; relative to its directory
  std::vector<std::string> configuration;  ///< sources of the tool's own files: `CMakeLists.txt`, `meson.build`
  bool complete = true;                    ///< the questions were answered
};

/// Whether commands may be run from these files: each passes the policy as a library would have to.
/// @return an error of stage build that names the first that does not
[[nodiscard]] result<void> check_build_files(const std::vector<std::string>& files, const trust_policy& trust);

/// Answers questions about a directory by running the tool itself, one short command after the other.
class tool_finder {
 public:
  /// @param ask          runs the tools; nothing else may run in it meanwhile
  /// @param environment  for every command
  /// @param interrupt    when one of these descriptors is readable, a question is given up; -1: none
  tool_finder(runner& ask, const std::vector<std::string>& environment, const trust_policy& trust,
              std::array<int, 2> interrupt = {-1, -1})
      : ask_(ask), environment_(environment), trust_(trust), interrupt_(interrupt) {}

  /// Finds the tool in the library's directory or the nearest one above it that knows the library. Where there is none,
  /// the compiler's command by which the library was made: it is run once, and believed when the same library comes
  /// out.
  /// @param library  absolute; need not exist
  /// @return an error of stage build: there is none, or its files are not to be trusted
  [[nodiscard]] result<build_tool> find(const std::string& library);

  /// The files that the tool would build the library from, as far as it knows them.
  [[nodiscard]] tool_inputs inputs(const build_tool& of);

  /// Whether a question was given up; then all further ones are.
  [[nodiscard]] bool interrupted() const noexcept { return interrupted_; }
  /// What a short command printed, or nothing when it failed.
  [[nodiscard]] std::optional<std::string> answer(const std::vector<std::string>& words, const std::string& directory);

 private:
  /// Runs a command to its end. @return nothing when it was stopped, or did not start
  std::optional<ending> run(const std::vector<std::string>& words, const std::string& directory,
                            std::chrono::milliseconds limit);
  result<build_tool> find_compile_command(const std::string& library);  // this and the next: compile_command.cpp
  std::string prove(compile_candidate& one, const std::string& library, debug_file& debug);
  result<std::optional<build_tool>> try_ninja(const std::filesystem::path& directory, const std::string& library);
  result<std::optional<build_tool>> try_cmake(const std::filesystem::path& directory, const std::string& library);
  result<std::optional<build_tool>> try_make(const std::filesystem::path& directory, const std::string& library);

  runner& ask_;
  const std::vector<std::string>& environment_;
  const trust_policy& trust_;
  std::array<int, 2> interrupt_;
  bool interrupted_ = false;
};

/// The prerequisites in a depfile as compilers write it (`lib.o: lib.c lib.h \`), as they stand there.
[[nodiscard]] std::vector<std::string> read_depfile(std::string_view text);

/// What make's database (`make -pn`) says the target is made of, all the way down: the files that nothing makes, and
/// those that something does.
[[nodiscard]] tool_inputs read_make_database(std::string_view text, const std::string& target);

}  // namespace autoreload::building
