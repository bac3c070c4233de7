// SPDX-License-Identifier: MIT
// run_screen: an event changes the state, the state becomes a frame, the frame is painted.
#include "run_screen.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "live_library.hpp"
#include "painter.hpp"
#include "terminal.hpp"
#include "terminal_mode.hpp"
#include "waiting.hpp"
#include "worker_wire.hpp"

namespace autoreload::command {

namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

class screen : public run_observer {
 public:
  explicit screen(const run_options& options)
      : options_(options),
        signals_(caught_signals({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT})),
        draw_with_(glyphs::of_environment()) {}

  int run() {
    result<live_library> opened = live_library::open({.run = options_, .catch_output = true}, *this);
    if (!opened) return say_error(opened.error()), exit_status::failed;
    library_ = &*opened;
    mode_.emplace(terminal_use::screen);
    while (!ended_) {
      library_->advance();
      if (has_enough(options_, *library_)) break;
      const clock::time_point now = clock::now();
      if (now >= paint_at_) paint(library_->state());
      const std::vector<bool> ready = wait_for(*library_, {signals_.get(), STDIN_FILENO}, paint_at_);
      // What happened is shown soon, and a flood of it in a bounded number of frames.
      paint_at_ = std::min(paint_at_, painted_ + 30ms);
      if (ready[0]) take_signals();
      if (ready[1]) take_keys();
    }
    mode_.reset();
    return good;
  }

  void busy(const run_state& now) override { paint(now); }

 private:
  void paint(const run_state& state) {
    painted_ = clock::now();
    if (painted_ >= message_until_) message_.clear();
    const screen_size size = terminal_mode::size();
    const std::vector<screen_line> frame =
        frame_of({.state = state, .size = size, .draw_with = draw_with_, .now = painted_, .message = message_});
    const std::string bytes = painter_.paint_over(frame, size, draw_with_);
    write_all(STDOUT_FILENO, bytes.data(), bytes.size());
    paint_at_ = painted_ + frame_lasts(state, painted_);
  }

  void take_signals() {
    signalfd_siginfo got;
    while (!ended_ && read(signals_.get(), &got, sizeof got) == static_cast<ssize_t>(sizeof got)) {
      switch (static_cast<int>(got.ssi_signo)) {
        case SIGWINCH: break;
        case SIGTSTP:
          mode_->stop();
          painter_.forget();
          break;
        case SIGCONT:  // after a stop that can't be caught
          mode_->enter();
          painter_.forget();
          break;
        default: ended_ = true;
      }
      paint_at_ = clock::time_point::min();
    }
  }

  void take_keys() {
    std::array<char, 256> keys;
    const ssize_t got = read(STDIN_FILENO, keys.data(), keys.size());
    if (got <= 0) ended_ = true;  // the terminal is gone
    for (ssize_t i = 0; i < got && !ended_; ++i) {
      if (keys[static_cast<std::size_t>(i)] == '\033') break;  // a key with a name, of which none is used
      take_key(keys[static_cast<std::size_t>(i)]);
    }
    paint_at_ = clock::time_point::min();
  }

  void take_key(char key) {
    switch (key) {
      case 'b':
      case 'B': {
        const std::string why = library_->rebuild();
        if (!why.empty()) say(why);
        return;
      }
      case 'h':
      case 'H':
        library_->hold(!library_->state().held);
        return say(library_->state().held ? "newer builds wait until you press h again" : "");
      case 'r':
      case 'R': return say(library_->roll_back() ? "" : "there is no earlier generation");
      case 'f':
      case 'F': return say(library_->start_anew() ? "started anew" : "nothing is loaded yet");
      case 'L' - '@': return painter_.forget();
      case 'q':
      case 'Q': ended_ = true; return;
      default: return;
    }
  }

  void say(const std::string& text) {
    message_ = text;
    message_until_ = clock::now() + 4s;
  }

  const run_options& options_;
  unique_fd signals_;
  glyphs draw_with_;
  painter painter_;
  std::optional<terminal_mode> mode_;
  live_library* library_ = nullptr;
  bool ended_ = false;
  std::string message_;
  clock::time_point message_until_{};
  clock::time_point painted_{};
  clock::time_point paint_at_{};
};

}  // namespace

int run_on_screen(const run_options& options) { return screen(options).run(); }

}  // namespace autoreload::command
