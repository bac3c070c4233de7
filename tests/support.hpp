// SPDX-License-Identifier: MIT
// support: directories of their own, real compilers and real libraries for tests.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace support {

/// Longer than any machine needs, so that only a hang runs into it.
inline constexpr std::chrono::seconds patience{20};

/// Where temporary files go that another user shall reach: TMPDIR, unless it or a directory above it is closed to
/// others.
inline std::filesystem::path open_to_all() {
  const auto may_be_entered = [](std::filesystem::path at) {
    for (at = std::filesystem::canonical(at);; at = at.parent_path()) {
      using std::filesystem::perms;
      if ((std::filesystem::status(at).permissions() & perms::others_exec) == perms::none) return false;
      if (at == at.root_path()) return true;
    }
  };
  const std::filesystem::path usual = std::filesystem::temp_directory_path();
  return may_be_entered(usual) ? usual : std::filesystem::path("/tmp");
}

/// A directory that is empty, nobody else's, and gone at the end.
class temp_directory {
 public:
  explicit temp_directory(const std::filesystem::path& in = std::filesystem::temp_directory_path()) {
    std::string name = (in / "autoreload-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    path_ = std::filesystem::canonical(name);
  }
  temp_directory(const temp_directory&) = delete;
  temp_directory& operator=(const temp_directory&) = delete;
  ~temp_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("can't write " + path);
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Runs a shell command; throws with what it printed when it fails.
inline std::string shell(const std::string& command) {
  FILE* const pipe = popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("popen: " + command);
  std::string output;
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, got);
  if (const int status = pclose(pipe); status != 0) {
    throw std::runtime_error(command + " failed (" + std::to_string(status) + "):\n" + output);
  }
  return output;
}

/// The C compiler that the project was built with.
inline std::string c_compiler() {
  const char* const given = std::getenv("AUTORELOAD_TEST_CC");
  return given != nullptr ? given : "cc";
}

/// Compiles C source text into a shared library; linked beside it and renamed, as lld and mold do.
inline void build_library(const std::string& library, const std::string& source, const std::string& flags = "") {
  const std::string file = library + ".c";
  write_file(file, source);
  shell(c_compiler() + " -shared -fPIC -g -O1 -o '" + library + ".new' '" + file + "' " + flags);
  std::filesystem::rename(library + ".new", library);
}

}  // namespace support
