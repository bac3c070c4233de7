// SPDX-License-Identifier: MIT
// terminal: https://no-color.org: NO_COLOR counts when it is there and not empty.
#include "terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "worker_wire.hpp"

namespace autoreload::command {

namespace {

std::array<bool, 3> coloured{};  // by descriptor; written once, at the start

bool takes_colours(int descriptor) {
  const char* const none = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  if (none != nullptr && *none != '\0') return false;
  return isatty(descriptor) != 0 && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

std::string_view code_of(ink colour) {
  switch (colour) {
    case ink::plain: return "";
    case ink::bold: return "\033[1m";
    case ink::red: return "\033[1;31m";
    case ink::green: return "\033[32m";
    case ink::yellow: return "\033[33m";
    case ink::blue: return "\033[34m";
    case ink::grey: return "\033[2m";
  }
  return "";
}

void write_error(const std::string& text) { write_all(STDERR_FILENO, text.data(), text.size()); }

void say(ink colour, const char* kind, std::string_view text) {
  write_error(paint(colour, std::string(kind) + ":", STDERR_FILENO) + " " + std::string(text) + "\n");
}

}  // namespace

void choose_colours(colour_choice choice) {
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    coloured[static_cast<std::size_t>(descriptor)] =
        choice == colour_choice::always || (choice == colour_choice::automatic && takes_colours(descriptor));
  }
}

std::string paint(ink colour, std::string_view text, int descriptor) {
  if (!coloured[static_cast<std::size_t>(descriptor)] || colour == ink::plain) return std::string(text);
  return std::string(code_of(colour)) + std::string(text) + "\033[0m";
}

void write_output(std::string_view text) {
  if (!write_all(STDOUT_FILENO, text.data(), text.size())) throw lost_output{errno};
}

void say_error(std::string_view text) { say(ink::red, "error", text); }
void say_error(const error& failure) { say_error(std::string_view(lines_of(failure))); }

std::string advice_of(const error& failure) {
  constexpr std::pair<std::string_view, std::string_view> options[] = {
      {"rebuild_options::command", "--build-command"}, {"rebuild_options::directory", "--build-directory"}};
  std::string text = failure.advice();
  for (const auto& [field, option] : options) {
    for (std::size_t at = 0; (at = text.find(field, at)) != std::string::npos;) text.replace(at, field.size(), option);
  }
  constexpr std::string_view either = ", or ";
  std::string kept;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(either, at), text.size());
    const std::string one = text.substr(at, end - at);
    if (one.find("_policy::") == std::string::npos && one.find("options::") == std::string::npos) {
      kept += (kept.empty() ? "" : either);
      kept += one;
    }
    at = end + either.size();
  }
  return kept;
}

// Not what(): that the command is used is no news.
std::string lines_of(const error& failure) {
  std::string text = failure.path().empty() ? failure.reason() : failure.path() + ": " + failure.reason();
  if (!failure.system().empty()) text += ": " + failure.system();
  if (const std::string advice = advice_of(failure); !advice.empty()) text += "\n  " + advice;
  return text;
}

void say_note(std::string_view text) { say(ink::yellow, "note", text); }

progress::progress(const std::string& what) : shown_(isatty(STDERR_FILENO) != 0) {
  if (shown_) write_error(paint(ink::grey, what + " …", STDERR_FILENO));
}

progress::~progress() {
  if (shown_) write_error("\r\033[K");
}

}  // namespace autoreload::command
