// SPDX-License-Identifier: MIT
// event: what an event says to a person, and the default observer, which says it on standard error.
#include <autoreload/event.hpp>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <new>
#include <string_view>

#include "reload/words/timed_stages.hpp"
#include "system/file_limit.hpp"
#include "system/held_signal.hpp"

namespace autoreload {
namespace {

// "189 us (snapshot 40, inspect 10, load 130, verify 7, publish 2)": the stages that ran, in the unit of their total.
std::string in_words(const timings& times) {
  const bool is_long = times.total >= std::chrono::milliseconds(10);
  const auto number = [&](timings::duration time) {
    std::array<char, 32> digits{};
    const double microseconds = std::chrono::duration<double, std::micro>(time).count();
    if (is_long) std::snprintf(digits.data(), digits.size(), "%.1f", microseconds / 1000);
    if (!is_long) std::snprintf(digits.data(), digits.size(), "%.0f", microseconds);
    return std::string(digits.data());
  };
  std::string stages;
  for (const timed_stage& one : timed_stages) {
    const timings::duration time = times.*one.time;
    if (time == timings::duration{}) continue;
    stages += (stages.empty() ? "" : ", ") + std::string(one.name) + " " + number(time);
  }
  return number(times.total) + (is_long ? " ms" : " us") + (stages.empty() ? "" : " (" + stages + ")");
}

}  // namespace

std::string_view to_string(event_kind kind) noexcept {
  switch (kind) {
    case event_kind::loaded: return "loaded";
    case event_kind::refused: return "refused";
    case event_kind::waiting: return "waiting";
    case event_kind::unloaded: return "unloaded";
    case event_kind::retained: return "retained";
    case event_kind::warning: return "warning";
    case event_kind::activated: return "activated";
    case event_kind::held: return "held";
    case event_kind::released: return "released";
    case event_kind::approved: return "approved";
    case event_kind::quarantined: return "quarantined";
    case event_kind::stuck: return "stuck";
    case event_kind::current: return "current";
  }
  return "unknown";
}

std::string to_string(const event& happened) {
  const std::string kind(to_string(happened.kind));
  std::string words = kind + ": ";
  const std::string generation = "generation " + std::to_string(happened.generation);
  const std::string build = "build " + std::to_string(happened.attempt);
  if (happened.failure) {
    if (happened.attempt != 0) words += build + ": ";
    words += happened.failure->what();
    const bool says_more = !happened.text.empty() && happened.text != happened.failure->reason();
    if (says_more) words += "\n  " + happened.text;
    const bool its_own = happened.kind == event_kind::quarantined;
    if (happened.generation != 0 && !its_own) words += "\n  " + generation + " goes on";
    return words;
  }
  words += "\"" + happened.path + "\"";
  if (happened.generation != 0) words += ": " + generation;
  // While none was refused, both numbers are the same.
  if (happened.attempt != 0 && happened.attempt != happened.generation) words += " (" + build + ")";
  if (happened.times.total != timings::duration{}) words += " after " + in_words(happened.times);
  if (!happened.text.empty() && happened.text != kind) words += ": " + happened.text;
  if (happened.state != nullptr) words += "\n  " + to_string(*happened.state);
  return words;
}

void log_to_stderr(const event& happened) {
  std::string words;
  std::string_view left = "autoreload: an event, and no memory for its words\n";
  try {
    words = "autoreload: " + to_string(happened) + "\n";
    left = words;
  } catch (const std::bad_alloc&) {
  }
  // Standard error may be a pipe that nobody reads any more, or a file at its limit: no reason to end the host.
  const held_signal no_sigpipe(SIGPIPE);
  const quiet_file_limit no_sigxfsz;
  while (!left.empty()) {
    const ssize_t written = write(STDERR_FILENO, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace autoreload
