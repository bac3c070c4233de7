// SPDX-License-Identifier: MIT
// arguments: reads the demo's command line.
#include "arguments.hpp"

#include <getopt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace {

constexpr const char* help =
    "usage: autoreload-demo [LIBRARY] [OPTIONS]\n"
    "Calls foo() and, when present, bar() of a C library, and goes on with the new functions when the library "
    "changes.\n"
    "\n"
    "  LIBRARY               the library; by default the libfoo.so that was built beside this program\n"
    "  --interval TIME       between two rounds of calls (default 1s)\n"
    "  --rounds N            end after N rounds (default: go on until Ctrl-C); with status 1 if LIBRARY never came\n"
    "  --watch inotify|poll  react to events at once (default), or compare the file's identity now and then\n"
    "  --poll-interval TIME  between two comparisons (default 1s)\n"
    "  --rebuild             build the library when one of its sources is saved: nothing else has to be started\n"
    "  --help                this text\n"
    "\n"
    "TIME is a number with a unit: 250ms, 1s, 0.5s, 2min. Results go to standard output, all else to standard error.\n";

[[noreturn]] void fail(const std::string& reason) {
  std::fprintf(stderr, "autoreload-demo: %s\nTry 'autoreload-demo --help'.\n", reason.c_str());
  std::exit(2);
}

std::chrono::nanoseconds parse_time(std::string_view option, std::string_view text) {
  const auto refuse = [&] {
    fail(std::string(option) + ": \"" + std::string(text) +
         "\" is no time between 1 us and 1 day: write 250ms, 1s or 2min");
  };
  // Not from_chars: libc++ has none for floating-point numbers before version 20.
  const std::size_t length = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string digits(text.substr(0, length));
  const std::string_view unit = text.substr(length);
  char* end = nullptr;
  const double number = std::strtod(digits.c_str(), &end);
  double scale = 0;
  if (unit == "us") scale = 1e3;
  if (unit == "ms") scale = 1e6;
  if (unit == "s") scale = 1e9;
  if (unit == "min") scale = 60e9;
  const double nanoseconds = number * scale;
  if (*end != '\0' || nanoseconds < 1e3 || nanoseconds > 86'400e9) refuse();
  return std::chrono::nanoseconds(std::llround(nanoseconds));
}

std::uint64_t parse_count(std::string_view option, std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size() || number == 0) {
    fail(std::string(option) + ": \"" + std::string(text) + "\" is no whole number of 1 or more");
  }
  return number;
}

// The words of --watch. Inotify is what the engine takes by itself, unless it can't see there.
autoreload::watch_mode parse_watch(std::string_view text) {
  if (text == "inotify") return autoreload::watch_mode::automatic;
  if (text == "poll") return autoreload::watch_mode::polling;
  fail("--watch: \"" + std::string(text) + "\" is neither inotify nor poll");
}

// build/demo/autoreload-demo has its library in build/clib/, named from here if that is shorter.
std::string library_beside() {
  namespace fs = std::filesystem;
  std::error_code problem;
  const fs::path program = fs::read_symlink("/proc/self/exe", problem);
  const fs::path whole = program.parent_path().parent_path() / "clib" / "libfoo.so";
  const fs::path near = fs::proximate(whole, problem);
  return near.native().size() < whole.native().size() ? near.native() : whole.native();
}

}  // namespace

demo_arguments parse_arguments(int count, char** words) {
  enum : int { interval = 1, rounds, watch, poll_interval, rebuild, usage };
  static constexpr std::array<option, 7> known{{{"interval", required_argument, nullptr, interval},
                                                {"rounds", required_argument, nullptr, rounds},
                                                {"watch", required_argument, nullptr, watch},
                                                {"poll-interval", required_argument, nullptr, poll_interval},
                                                {"rebuild", no_argument, nullptr, rebuild},
                                                {"help", no_argument, nullptr, usage},
                                                {}}};
  demo_arguments chosen;
  opterr = 0;
  for (int found = 0; (found = getopt_long(count, words, ":", known.data(), nullptr)) != -1;) {
    switch (found) {
      case interval: chosen.interval = parse_time("--interval", optarg); break;
      case rounds: chosen.rounds = parse_count("--rounds", optarg); break;
      case watch: chosen.watch = parse_watch(optarg); break;
      case poll_interval: chosen.poll_interval = parse_time("--poll-interval", optarg); break;
      case rebuild: chosen.rebuild = true; break;
      case usage: std::fputs(help, stdout); std::exit(EXIT_SUCCESS);
      case ':': fail(std::string(words[optind - 1]) + " needs a value");
      default: fail(std::string("unknown option \"") + words[optind - 1] + "\"");
    }
  }
  if (optind + 1 < count) fail(std::string("unexpected argument \"") + words[optind + 1] + "\"");
  chosen.library = optind < count ? words[optind] : library_beside();
  if (chosen.library.empty()) fail("the library's name is empty");
  return chosen;
}
