// SPDX-License-Identifier: MIT
// project: a C library with one way to build it, for the rows of save.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/rebuild.hpp>

namespace bench {

/// What is built, by what, and what runs first at a save.
struct row {
  std::string library;   // demo, lua, sqlite
  std::string compiler;  // gcc, clang, tcc
  std::string linker;    // bfd, gold, lld, mold; tcc for its own
  std::string tool;      // direct, fast, ninja, make, cmake
  autoreload::rebuild_chain chain = autoreload::rebuild_chain::tool;

  /// `feel/demo/gcc/bfd/ninja`, and `-direct` or `-tcc` for what goes before the tool.
  [[nodiscard]] std::string name() const;
  /// In words.
  [[nodiscard]] std::string label() const;
};

/// All rows whose programs and sources are here.
/// @param sources  a directory with `lua/` and `sqlite/` (see bench/save/get_sources), or empty
[[nodiscard]] std::vector<row> all_rows(const std::string& sources);

[[nodiscard]] bool installed(const std::string& program);

/// A directory with the library's sources and what builds it.
struct project {
  std::filesystem::path directory;
  std::string library;            // absolute
  std::string compile;            // shell commands that do by hand what a save of the file makes necessary;
  std::string link;               // the tool may have other names for its objects
  std::vector<std::string> tool;  // the words that have the tool build the library
  autoreload::rebuild_options options;

  /// Saves the source so that value() returns this.
  /// @return when it was done; to forget a text of some megabytes takes a millisecond more
  std::chrono::steady_clock::time_point save(int value) const;

  std::filesystem::path source;  // the one that is saved
  std::string text;              // all of it but value()
};

/// Makes it, and builds all of it once. @return nothing when it can't be had here
[[nodiscard]] std::optional<project> make_project(const row& of, const std::filesystem::path& directory,
                                                  const std::string& sources);

/// Runs a shell command. @return whether it succeeded
bool shell(const std::string& command);

}  // namespace bench
