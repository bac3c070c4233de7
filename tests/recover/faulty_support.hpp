// SPDX-License-Identifier: MIT
// faulty_support: an engine with the library that crashes and hangs.
#pragma once

#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>
#include <cstring>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "../support.hpp"
#include "faulty.h"

namespace support {

struct faulty_api {
  autoreload::required<::faulty_stamp> stamp;
  autoreload::required<::faulty_add> add;
  autoreload::required<::faulty_mixed> mixed;
  autoreload::required<::faulty_wide> wide;
  autoreload::required<::faulty_sum> sum;
  autoreload::required<::faulty_nothing> nothing;
  autoreload::required<::faulty_write_null> write_null;
  autoreload::required<::faulty_far_address> far_address;
  autoreload::required<::faulty_divide> divide;
  autoreload::required<::faulty_undefined> undefined;
  autoreload::required<::faulty_trap> trap;
  autoreload::required<::faulty_past_the_file> past_the_file;
  autoreload::required<::faulty_gives_up> gives_up;
  autoreload::required<::faulty_asserts> asserts;
  autoreload::required<::faulty_recurses> recurses;
  autoreload::required<::faulty_measures_null> measures_null;
  autoreload::required<::faulty_copies> copies;
  autoreload::required<::faulty_calls_null> calls_null;
  autoreload::required<::faulty_in_malloc> in_malloc;
  autoreload::required<::faulty_in_stdio> in_stdio;
  autoreload::required<::faulty_raises> raises;
  autoreload::required<::faulty_spoils_the_state> spoils_the_state;
  autoreload::required<::faulty_calls_back> calls_back;
  autoreload::required<::faulty_crashes_after> crashes_after;
  autoreload::required<::faulty_loops> loops;
  autoreload::required<::faulty_sleeps> sleeps;
  autoreload::required<::faulty_waits_for> waits_for;
  autoreload::required<::faulty_by_stamp> by_stamp;
  autoreload::optional<::faulty_extra> extra;
};
using faulty_library = autoreload::reloadable<faulty_api>;

inline std::string from_environment(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) throw std::runtime_error(std::string(variable) + " is not set: run me by meson test");
  return value;
}

/// A copy of the library with a number in it, put at the path by a rename.
inline void put_faulty(const std::string& path, std::uint64_t number) {
  static const std::string original = read_file(from_environment("FAULTY_LIBRARY"));
  static constexpr char mark[32] = "the stamp of this build:";
  std::string bytes = original;
  const std::size_t at = bytes.find(std::string_view(mark, sizeof mark));
  if (at == std::string::npos) throw std::runtime_error("there is no mark in the library");
  std::memcpy(bytes.data() + at + sizeof mark, &number, sizeof number);
  write_file(path + ".new", bytes);
  std::filesystem::rename(path + ".new", path);
}

/// `faulty.c:12)` for the line with that comment.
inline std::string line_of(const std::string& mark) {
  std::istringstream source(read_file(from_environment("FAULTY_SOURCE")));
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    if (line.find("at: " + mark + " ") != std::string::npos) return "faulty.c:" + std::to_string(number) + ")";
  }
  return "no such mark";
}

inline ::testing::AssertionResult says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << part << "\" is not in:\n" << text;
}

/// A directory with a library of which some builds have run. Nothing happens but in poll().
class FaultyTest : public testing::Test {
 protected:
  FaultyTest() { put_faulty(path_, 1); }
  autoreload::options chosen() {
    autoreload::options options;
    options.trust.honour_noexec = false;
    options.drive = autoreload::drive_mode::manual;
    options.observer = events_.observer();
    return options;
  }
  faulty_library& lib() {
    if (!lib_) lib_.emplace(path_, chosen());
    return *lib_;
  }
  void build(std::uint64_t number) {
    (void)lib();
    put_faulty(path_, number);
    lib().poll();
    lib().poll();
  }

  temp_directory directory_;
  const std::string path_ = directory_ / "libfaulty.so";
  autoreload::event_queue events_;
  std::optional<faulty_library> lib_;
};

}  // namespace support
