// SPDX-License-Identifier: MIT
// measure: the times from a save to the first new value.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "project.hpp"

namespace bench {

using steady = std::chrono::steady_clock;

/// One way, and what was measured of it, in microseconds. Empty parts were not measured.
struct feel_row {
  std::string name;
  std::string label;
  std::vector<double> total;    // from the save to the first new value
  std::vector<double> notice;   // from the save to the start of the build
  std::vector<double> command;  // from there to the build's end
  std::vector<double> load;     // from there to the value; the engine's own time where the value came before the end
  std::vector<double> compile;  // by hand
  std::vector<double> link;     // by hand
  std::vector<double> floor;    // the same build, started by hand, dlopen and dlsym
};

/// A rebuilder and an engine on it. Saves and builds by hand take turns.
/// @return a row without times when it can't be had here
[[nodiscard]] feel_row measure(const row& of, int rounds, const std::string& sources);

/// What people do without it: CMake in a shell's loop under a host that polls once a second, entr and ninja, and a host
/// that polls at 60 Hz as cr.h does under `cmake --build`. Those whose programs are here.
[[nodiscard]] std::vector<feel_row> measure_other_ways(int rounds, const std::string& wanted);

/// A temporary directory; gone at the end.
class scratch {
 public:
  scratch();
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch();
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// A program that was started; ended with all its children at the end.
class child {
 public:
  explicit child(const std::vector<std::string>& words);
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child();
  /// Waits for it. @return whether it succeeded
  bool wait();

 private:
  int id_ = 0;
};

/// dlopen of a copy under a new name, and value(), or -1: as a host without an engine would.
[[nodiscard]] int value_of_copy(const std::string& library);

[[nodiscard]] inline double microseconds(steady::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

}  // namespace bench
