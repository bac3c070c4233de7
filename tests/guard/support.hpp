// SPDX-License-Identifier: MIT
// support: small C libraries compiled while a test runs, and guard checks written as one reads them.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/abi_guard.hpp>

#include "in_memory.hpp"
#include "system/unique_fd.hpp"

namespace autoreload_test {

using autoreload::guard_verdict;
using autoreload::symbol_info;
using autoreload::unique_fd;

/// A directory of this test's own, removed with everything in it.
class scratch_directory {
 public:
  scratch_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "autoreload-guard-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::filesystem::filesystem_error("mkdtemp", {});
    path_ = name;
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  ~scratch_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  [[nodiscard]] std::string path() const { return path_.string(); }
  void write(std::string_view name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  /// Runs a shell command in the directory.
  [[nodiscard]] testing::AssertionResult run(const std::string& command) const {
    const int status = std::system(("cd '" + path_.string() + "' && " + command + " >log 2>&1").c_str());
    if (status == 0) return testing::AssertionSuccess();
    std::ifstream log(path_ / "log");
    return testing::AssertionFailure() << command << "\n" << std::string(std::istreambuf_iterator<char>(log), {});
  }

 private:
  std::filesystem::path path_;
};

inline bool installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

inline unique_fd open_file(const std::string& path) { return unique_fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
/// A copy, as the engine's snapshot is: its name says nothing of the directory it came from.
inline unique_fd snapshot(const std::string& path) { return in_memory(contents(path)); }

/// A guard that never gives up because the machine is busy.
inline autoreload::abi_guard_options patient(autoreload::abi_guard_options options = {}) {
  options.time_limit = std::chrono::minutes(1);
  return options;
}

/// What an API struct says of a symbol, without the host that it stands in.
inline symbol_info function(const char* name) { return {name, true, true, 0, nullptr}; }
inline symbol_info variable(const char* name, std::size_t size = 0) { return {name, true, false, size, nullptr}; }

inline std::string text_of(const guard_verdict& verdict) {
  std::string text = verdict.refuse ? "refused" : "passes";
  for (const std::string& difference : verdict.differences) text += "\n  difference: " + difference;
  for (const std::string& note : verdict.notes) text += "\n  note: " + note;
  return text;
}
inline bool says(const std::vector<std::string>& remarks, std::string_view part) {
  return std::ranges::any_of(remarks, [&](const std::string& r) { return r.find(part) != std::string::npos; });
}

}  // namespace autoreload_test
