// SPDX-License-Identifier: MIT
// judge: from the end of a command and the state of the library's file to an event.
#include "rebuild/judge.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "system/signal_name.hpp"

namespace autoreload::building {
namespace {

std::string last_line(std::string_view output) {
  while (!output.empty() && (output.back() == '\n' || output.back() == ' ')) output.remove_suffix(1);
  const std::size_t start = output.rfind('\n');
  return std::string(output.substr(start == std::string_view::npos ? 0 : start + 1).substr(0, 300));
}

std::string status_text(int status) {
  if (WIFEXITED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  const char* const name = signal_name(WTERMSIG(status));
  return "died of " + (name != nullptr ? std::string(name) : "signal " + std::to_string(WTERMSIG(status)));
}

std::string package_of(std::string_view program) {
  struct packaged {
    std::string_view program;
    const char* package;
  };
  constexpr std::array<packaged, 8> known{{{"ninja", "ninja-build"},
                                           {"make", "make"},
                                           {"cmake", "cmake"},
                                           {"meson", "meson"},
                                           {"gcc", "gcc"},
                                           {"cc", "gcc"},
                                           {"clang", "clang"},
                                           {"tcc", "tcc"}}};
  const auto* const found =
      std::find_if(known.begin(), known.end(), [&](const packaged& one) { return one.program == program; });
  return found == known.end() ? "" : found->package;
}

// A build that failed: its first error is the text.
void tell_failure(const verdict_request& of, rebuild_event& into) {
  into.kind = rebuild_kind::build_failed;
  const diagnostic* const first = first_error(into.diagnostics);
  into.text = first != nullptr ? to_string(*first) : of.tool.run.words[0] + " " + status_text(of.ended.status);
  if (first == nullptr && !last_line(into.output).empty()) into.text += ": " + last_line(into.output);
  if (of.outcome == outcome::changed) into.text += " (the library was made even so)";
  const std::string question = open_question(into.output);
  if (question.empty()) return;
  into.failure = error(stage::build, into.library, "the build asks for input: " + question);
  into.failure->advise(
      "nobody answers a build: it has no terminal, and its standard input is empty. Answer by an option "
      "or the environment, or name another command by rebuild_options::command");
}

void tell_cut(const verdict_request& of, rebuild_event& into) {
  into.kind = rebuild_kind::failed;
  const std::string name = of.tool.run.words[0];
  if (of.cut == cut::flood) {
    into.failure =
        error(stage::build, {},
              name + " printed more than " + std::to_string(of.options.flood_limit) + " bytes, and was ended");
    into.failure->advise("see what it repeats, or raise rebuild_options::flood_limit");
  } else {
    into.failure =
        error(stage::build, {}, name + " did not end within " + short_time(of.options.time_limit) + ", and was ended");
    const std::string question = open_question(into.output);
    into.failure->advise(question.empty() ? "see what it waits for, or raise rebuild_options::time_limit"
                                          : "it seems to ask for input, and nobody answers a build: " + question);
  }
  into.failure->system(last_line(into.output));
  into.text = into.failure->reason();
}

}  // namespace

std::string open_question(std::string_view output) {
  if (output.empty()) return {};
  const std::string line = last_line(output);
  if (output.find("/dev/tty") != std::string_view::npos && output.back() == '\n') {
    return "it opens /dev/tty";
  }
  if (output.back() == '\n' || line.empty()) return {};
  constexpr std::string_view ends = "?:])>";
  return ends.find(line.back()) != std::string_view::npos ? line : std::string{};
}

std::string short_list(const std::vector<std::string>& files) {
  constexpr std::size_t most = 2;
  std::string text;
  for (std::size_t i = 0; i < std::min(files.size(), most); ++i) {
    if (i > 0) text += i + 1 == files.size() ? " and " : ", ";
    text += files[i].substr(files[i].rfind('/') + 1);
  }
  if (files.size() > most) text += " and " + std::to_string(files.size() - most) + " more";
  return text;
}

std::string short_time(std::chrono::nanoseconds time) {
  const double milliseconds = std::chrono::duration<double, std::milli>(time).count();
  std::array<char, 32> text{};
  const bool seconds = milliseconds >= 1000;
  std::snprintf(text.data(), text.size(), seconds || milliseconds < 10 ? "%.1f %s" : "%.0f %s",
                seconds ? milliseconds / 1000 : milliseconds, seconds ? "s" : "ms");
  return text.data();
}

error not_started(const build_tool& tool, int cause) {
  const std::string& name = tool.run.words[0];
  error failure(stage::build, tool.run.directory, "\"" + name + "\" can't be started");
  failure.system(std::strerror(cause));
  const std::string package = package_of(name);
  if (cause == ENOENT && !package.empty()) {
    failure.advise("install it (on Debian: apt install " + package +
                   "), or name another command by rebuild_options::command");
  } else {
    failure.advise("is the directory there, and the program in PATH and executable? See rebuild_options::command");
  }
  return failure;
}

rebuild_event judge(const verdict_request& of) {
  rebuild_event made;
  made.files = of.files;
  made.output = of.options.colours ? of.ended.output : without_escapes(of.ended.output);
  made.diagnostics = read_diagnostics(of.ended.output);
  made.times.ran = of.ended.ended - of.ended.started;
  if (of.ended.start_error != 0) {
    made.kind = rebuild_kind::failed;
    made.failure = not_started(of.tool, of.ended.start_error);
    made.text = made.failure->reason();
  } else if (of.cut == cut::overtaken) {
    made.kind = rebuild_kind::overtaken;
    made.text = "after " + short_time(made.times.ran);
  } else if (of.cut != cut::none) {
    tell_cut(of, made);
  } else if (!of.ended.succeeded()) {
    tell_failure(of, made);
  } else if (of.outcome == outcome::changed) {
    made.kind = rebuild_kind::built;
    made.text = "in " + short_time(made.times.ran);
    const auto warnings = std::count_if(made.diagnostics.begin(), made.diagnostics.end(),
                                        [](const diagnostic& one) { return one.severity == severity::warning; });
    if (warnings > 0) made.text += ", " + std::to_string(warnings) + (warnings == 1 ? " warning" : " warnings");
  } else {
    made.kind = rebuild_kind::no_effect;
    const std::string what = of.files.empty() ? "everything" : short_list(of.files);
    if (of.outcome == outcome::same_content) {
      made.text = what + " was built, and the same library came out: its code did not change";
    } else if (of.outcome == outcome::missing) {
      made.text = of.tool.run.words[0] + " succeeded, but there is no library: does the command build it?";
    } else if (of.files.empty()) {
      made.text = "the library is up to date";
    } else {
      made.text = what + " is no source of this library for " + of.tool.run.words[0] + ", which left it as it was";
    }
  }
  return made;
}

}  // namespace autoreload::building
