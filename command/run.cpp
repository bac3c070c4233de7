// SPDX-License-Identifier: MIT
// run: waits for the library, for signals and for keys. On a terminal there is a screen, elsewhere there are lines.
#include <csignal>

#include "live_library.hpp"
#include "options.hpp"
#include "run_lines.hpp"
#include "screen/run_screen.hpp"
#include "screen/terminal_mode.hpp"
#include "terminal.hpp"
#include "waiting.hpp"

namespace autoreload::command {

namespace {

int run_as_lines(const run_options& options) {
  const unique_fd signals = caught_signals({SIGINT, SIGTERM, SIGHUP});
  run_lines lines;
  result<live_library> opened = live_library::open({.run = options}, lines);
  if (!opened) return say_error(opened.error()), failed;
  for (;;) {
    opened->advance();
    if (has_enough(options, *opened)) return good;
    if (wait_for(*opened, {signals.get()}, std::nullopt)[0]) return good;
  }
}

}  // namespace

int run_run(const run_options& options) {
  return !options.lines && terminal_mode::possible() ? run_on_screen(options) : run_as_lines(options);
}

}  // namespace autoreload::command
