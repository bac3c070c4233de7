// SPDX-License-Identifier: MIT
// terminal_mode: what is changed is written down before it is changed, for the handler of this program's own crashes.
#include "terminal_mode.hpp"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "waiting.hpp"
#include "worker_wire.hpp"

namespace autoreload::command {

namespace {

constexpr std::string_view screen_opening = "\033[?1049h\033[?25l\033[?7l";
constexpr std::string_view screen_closing = "\033[0m\033[?7h\033[?25h\033[?1049l";
constexpr std::array crash_signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

// Written by the one thread, read by a signal handler on it.
termios before;
std::string_view closing;
volatile std::sig_atomic_t entered = 0;
pid_t owner = 0;  // a forked child must not touch the terminal

void set(const termios& how) {
  // A process in the background would be stopped for this. When it is to be left in the background, so it is.
  while (tcsetattr(STDIN_FILENO, TCSADRAIN, &how) != 0 && errno == EINTR) {
  }
}

// Async-signal-safe.
void give_back() {
  if (entered == 0 || getpid() != owner) return;
  entered = 0;
  write_all(STDOUT_FILENO, closing.data(), closing.size());
  set(before);
}

void on_own_crash(int signal) {
  give_back();
  raise(signal);  // the default action, which was restored
}

}  // namespace

bool terminal_mode::possible() {
  const char* const term = std::getenv("TERM");
  const bool able = term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
  termios mode;
  return able && tcgetattr(STDIN_FILENO, &mode) == 0 && isatty(STDOUT_FILENO) != 0;
}

terminal_mode::terminal_mode(terminal_use use) : use_(use) {
  owner = getpid();
  tcgetattr(STDIN_FILENO, &before);
  struct sigaction action {};
  action.sa_handler = on_own_crash;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : crash_signals) sigaction(signal, &action, nullptr);
  enter();
}

terminal_mode::~terminal_mode() {
  leave();
  for (const int signal : crash_signals) std::signal(signal, SIG_DFL);
}

void terminal_mode::enter() {
  termios changed = before;
  if (use_ == terminal_use::screen) {
    changed.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
    changed.c_iflag &= static_cast<tcflag_t>(~(IXON | ICRNL));
    changed.c_cc[VMIN] = 0;
    changed.c_cc[VTIME] = 0;
  } else {
    changed.c_lflag &= static_cast<tcflag_t>(~ECHO);
  }
  closing = use_ == terminal_use::screen ? screen_closing : std::string_view();
  entered = 1;
  set(changed);
  if (use_ == terminal_use::screen) write_all(STDOUT_FILENO, screen_opening.data(), screen_opening.size());
}

void terminal_mode::leave() { give_back(); }

void terminal_mode::stop() {
  leave();
  stop_as_a_job();
  tcgetattr(STDIN_FILENO, &before);
  enter();
}

screen_size terminal_mode::size() {
  winsize now{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) != 0 || now.ws_col == 0 || now.ws_row == 0) return {};
  return {now.ws_col, now.ws_row};
}

}  // namespace autoreload::command
