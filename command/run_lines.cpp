// SPDX-License-Identifier: MIT
// run_lines: one event is one line, or more for an error.
#include "run_lines.hpp"

#include <cstdio>
#include <filesystem>

#include "terminal.hpp"

namespace autoreload::command {

namespace {

void print(const std::string& line) { write_output(line + "\n"); }

}  // namespace

std::string duration_text(std::chrono::nanoseconds time) {
  const double seconds = std::chrono::duration<double>(time).count();
  char text[32];
  if (seconds < 1e-6) {
    std::snprintf(text, sizeof text, "%.0f ns", seconds * 1e9);
  } else if (seconds < 1e-3) {
    std::snprintf(text, sizeof text, seconds < 1e-5 ? "%.1f µs" : "%.0f µs", seconds * 1e6);
  } else if (seconds < 1) {
    std::snprintf(text, sizeof text, seconds < 1e-2 ? "%.1f ms" : "%.0f ms", seconds * 1e3);
  } else if (seconds < 120) {
    std::snprintf(text, sizeof text, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  } else if (seconds < 7200) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof text, "%.0f h", seconds / 3600);
  }
  return text;
}

void run_lines::loaded(const run_state& now) {
  std::string line = "loaded " + now.library + ", generation " + std::to_string(now.generation);
  if (now.after_save) {
    line += ", " + duration_text(*now.after_save) + " after " +
            std::filesystem::path(now.build.saved).filename().string() + " was saved";
  }
  print(line);
}

void run_lines::answered(const watched_call& call, const reply& came, bool is_new) {
  for (const call_value& value : call.values) {
    const bool changed = is_new && !value.before.empty();
    print(value.what + " = " + value.text + (changed ? " (was " + value.before + ")" : ""));
  }
  if (call.values.empty() && came.is == reply::end::good) print(call.text);
}

void run_lines::failed(const std::string& text) { say_error(text); }

void run_lines::noted(const std::string& text) { say_note(text); }

}  // namespace autoreload::command
