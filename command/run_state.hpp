// SPDX-License-Identifier: MIT
// run_state: what a person sees of a library that is run. Plain data: views draw it and change nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "output_tail.hpp"

namespace autoreload::command {

/// A value of an expression, or of a new object that it made.
struct call_value {
  std::string what{};    ///< the expression, or `the expression, rest`
  std::string name{};    ///< of the parameter that got the object's address; empty for the value itself
  std::string text{};    ///< the value
  std::string before{};  ///< that of the generation before, when it was another; else empty
};

struct watched_call {
  enum class end : std::uint8_t {
    waiting,  ///< not evaluated yet in this generation, or not any more because an earlier one crashed
    running,
    good,
    wrong,  ///< see `wrong`
  };
  std::string text;
  end is = end::waiting;
  bool once = false;  ///< not again at the next build
  std::vector<call_value> values{};
  std::string wrong{};  ///< its first line is the sentence
  std::chrono::nanoseconds took{};
  std::chrono::steady_clock::time_point since{};  ///< it runs
};

/// What went wrong last.
struct problem {
  enum class from : std::uint8_t { build, load, call };
  from where = from::build;
  std::string text{};   ///< its first line is the sentence
  std::string file{};   ///< absolute, or as it was told; empty when no source is concerned
  unsigned line = 0;    ///< from 1; 0: not known
  unsigned column = 0;  ///< from 1; 0: not known
};

struct build_state {
  enum class is : std::uint8_t { none, ready, building, built, unchanged, failed };
  is now = is::none;
  std::string command{};  ///< that builds
  std::string text{};     ///< how it ended, or why there is none
  std::string saved{};    ///< the source whose saving started it
  std::chrono::steady_clock::time_point since{};
};

struct run_state {
  std::string library;
  std::uint64_t generation = 0;  ///< that runs; 0: none has yet
  std::uint64_t newest = 0;      ///< the last one that was loaded
  std::chrono::steady_clock::time_point since{};
  bool alive = false;   ///< its process is there
  bool held = false;    ///< newer builds wait
  bool newer = false;   ///< and there is one
  std::string doing{};  ///< what takes time now
  build_state build{};
  /// From the save of the source until the generation that runs was loaded.
  std::optional<std::chrono::nanoseconds> after_save{};
  std::string carried{};  ///< what the generation kept of the one before it, or why nothing; empty: nothing to say
  std::vector<watched_call> calls{};
  std::optional<problem> wrong{};
  output_tail output{};
};

}  // namespace autoreload::command
