// SPDX-License-Identifier: MIT
// repl: a prompt over a live library. The library is watched while a person types and while a call runs; what happens
// meanwhile is printed above the line that is edited.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <sys/signalfd.h>

#include "line_reader.hpp"
#include "live_library.hpp"
#include "options.hpp"
#include "prompt_command.hpp"
#include "run_lines.hpp"
#include "terminal.hpp"
#include "waiting.hpp"
#include "worker_wire.hpp"

namespace autoreload::command {

namespace {

constexpr int timed_runs = 11;

void print(const std::string& text) { write_output(text); }

// The place that the XDG base directory specification has for it. Empty when there is none.
std::string usual_history() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  const char* const home = std::getenv("HOME");
  std::filesystem::path place;
  if (state != nullptr && *state == '/') {
    place = state;
  } else if (home != nullptr && *home == '/') {
    place = std::filesystem::path(home) / ".local" / "state";
  } else {
    return {};
  }
  std::error_code failed_code;
  std::filesystem::create_directories(place / "autoreload", failed_code);
  return failed_code ? std::string() : (place / "autoreload" / "history").string();
}

class repl : public run_observer {
 public:
  explicit repl(const repl_options& options)
      : options_(options),
        signals_(caught_signals({SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP})),
        interactive_(isatty(STDIN_FILENO) != 0) {}

  int run() {
    result<live_library> opened =
        live_library::open({.run = options_.run, .all_types = true, .catch_output = true}, *this);
    if (!opened) return say_error(opened.error()), exit_status::failed;
    library_ = &*opened;
    const std::unique_ptr<line_reader> reader = make_reader();
    wait_until([this] { return told_; });
    flush();
    while (!ended_) {
      const std::optional<std::string> line = reader->read();
      if (!line) break;
      take(*line);
    }
    return interactive_ ? good : worst_;
  }

  void loaded(const run_state& now) override {
    current_.reset();
    types_.emplace(*library_->types());
    current_.emplace(*types_);
    const bool again = std::exchange(generation_, now.generation) == now.generation;
    std::string text =
        (again ? "started anew " : "loaded ") + now.library + ", generation " + std::to_string(now.generation);
    if (now.after_save) {
      text += ", " + duration_text(*now.after_save) + " after " +
              std::filesystem::path(now.build.saved).filename().string() + " was saved";
    }
    tell(text + "\n");
    told_ = true;
  }
  void failed(const std::string& text) override {
    told_ = true;
    if (asking_) return;  // said with the answer
    tell(paint(ink::red, "error:", STDERR_FILENO) + " " + text + "\n");
  }
  void noted(const std::string& text) override {
    if (text.rfind("building", 0) != 0 && text.rfind("ready", 0) != 0)
      tell(paint(ink::yellow, "note:", STDERR_FILENO) + " " + text + "\n");
  }
  void printed(std::string_view bytes) override { tell(std::string(bytes)); }
  void answered(const watched_call& /*call*/, const reply& came, bool /*is_new*/) override { answer_ = came; }

 private:
  std::unique_ptr<line_reader> make_reader() {
    reader_needs needs{.wait = [this] { return wait(); },
                       .take_message = [this] { return std::exchange(messages_, {}); },
                       .complete =
                           [this](std::string_view line) {
                             return current_ ? complete(line, *types_, *current_) : completion{line.size()};
                           },
                       .history_file = {}};
    if (!interactive_) return line_reader::plain(std::move(needs), "");
    if (!options_.no_history) needs.history_file = options_.history.empty() ? usual_history() : options_.history;
    if (std::unique_ptr<line_reader> made = line_reader::editing(needs)) return made;
    say_note("built without libedit: lines can't be edited, and nothing is completed");
    return line_reader::plain(std::move(needs), "> ");
  }

  // For the reader, while a person types.
  woken wait() {
    for (;;) {
      library_->advance();
      if (!messages_.empty()) return woken::message;
      const std::vector<bool> ready = wait_for(*library_, {signals_.get(), STDIN_FILENO}, std::nullopt);
      if (ready[0]) {
        if (const std::optional<woken> what = take_signal()) return *what;
      }
      if (ready[1]) return woken::input;
    }
  }

  std::optional<woken> take_signal() {
    signalfd_siginfo got;
    if (read(signals_.get(), &got, sizeof got) != static_cast<ssize_t>(sizeof got)) return std::nullopt;
    switch (static_cast<int>(got.ssi_signo)) {
      case SIGINT: return woken::interrupt;
      case SIGWINCH: return woken::resize;
      case SIGTSTP: return woken::stop;
      default: ended_ = true; return woken::end;
    }
  }

  // While nobody types: what is said is printed at once.
  template <typename Done>
  void wait_until(Done done) {
    for (;;) {
      library_->advance();
      flush();
      if (done() || ended_) return;
      if (!wait_for(*library_, {signals_.get()}, std::nullopt)[0]) continue;
      const std::optional<woken> what = take_signal();
      if (what == woken::interrupt) library_->interrupt();
      if (what == woken::stop) stop_as_a_job();
    }
  }

  void tell(const std::string& text) { messages_ += text; }
  void flush() {
    const std::string text = std::exchange(messages_, {});
    write_all(STDERR_FILENO, text.data(), text.size());
  }
  void fail(const std::string& text, exit_status how) {
    worst_ = std::max<int>(worst_, how);
    say_error(text);
  }

  void take(const std::string& line) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line.compare(begin, 2, "//") == 0) return;
    const std::string text = line.substr(begin, line.find_last_not_of(" \t\r;") + 1 - begin);
    try {
      text.front() == ':' ? command(text) : show(text, evaluate(text));
    } catch (const complaint& wrong) {
      fail(wrong.where.begin == wrong.where.end ? wrong.text : describe(wrong, shown_), exit_status::failed);
    }
    flush();
  }

  void command(const std::string& text) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string name = text.substr(0, blank);
    const std::size_t begin = text.find_first_not_of(' ', blank);
    const std::string rest = begin == std::string::npos ? "" : text.substr(begin);
    shown_ = rest;
    // A start is enough where no other command has it.
    std::vector<std::string> meant;
    for (const std::string& known : prompt_commands()) {
      if (known == name) meant = {known};
      if (known == name) break;
      if (known.rfind(name, 0) == 0) meant.push_back(known);
    }
    if (meant.size() != 1) return fail("there is no command " + name + ": see :help", exit_status::failed);
    const std::string& known = meant.front();
    if (known == ":quit") {
      ended_ = true;
    } else if (known == ":help") {
      print(help_text());
    } else if (known == ":build") {
      if (const std::string why = library_->rebuild(); !why.empty()) fail(why, exit_status::failed);
    } else if (known == ":hold") {
      library_->hold(!library_->state().held);
      say_note(library_->state().held ? "newer builds wait until :hold is said again" : "newer builds are loaded");
    } else if (known == ":back") {
      library_->roll_back() ? settle() : fail("there is no build before this one", exit_status::failed);
    } else if (known == ":fresh") {
      library_->start_anew() ? settle() : fail("no library is loaded", exit_status::failed);
    } else {
      if (!current_) return fail("no library is loaded", exit_status::failed);
      if (known == ":type") print(type_text(rest, *types_, *current_));
      if (known == ":list") print(list_text(rest, *types_));
      if (known == ":source") print(source_text(rest, library_->load_path()));
      if (known == ":diff")
        print(difference_text(library_->path_before(), library_->load_path(), options_.run.library));
      if (known == ":time") time(rest);
    }
  }

  void settle() {
    wait_until([this] { return library_->idle(); });
  }

  struct evaluated {
    reply came;
    std::size_t first = 0;  // the number of its first result
  };

  // Nothing of a wrong expression runs.
  evaluated evaluate(const std::string& text) {
    settle();
    if (!current_ || !library_->state().alive) {
      return {{.is = reply::end::complained, .wrong = {"no library is loaded", {}, {}}}, 0};
    }
    shown_ = text;
    evaluated made;
    made.first = current_->results() + 1;
    const checked_expression checked = current_->check(text);
    asking_ = true;
    answer_.reset();
    library_->ask(text);
    wait_until([this] { return answer_.has_value(); });
    asking_ = false;
    if (!answer_) return {{.is = reply::end::complained, .wrong = {"ended", {}, {}}}, 0};
    made.came = *std::exchange(answer_, std::nullopt);
    if (made.came.is != reply::end::good) current_->forget(checked);
    return made;
  }

  void show(const std::string& text, const evaluated& what) {
    for (std::size_t i = 0; i < what.came.results.size(); ++i) {
      const shown_result& result = what.came.results[i];
      std::string line;
      if (interactive_) {
        line = paint(ink::grey, "$" + std::to_string(what.first + i), STDOUT_FILENO) +
               (result.name.empty() ? "" : " (" + result.name + ")") + " = ";
      }
      print(line + result.text + "\n");
    }
    if (what.came.is == reply::end::good) return;
    if (what.came.is == reply::end::complained) {
      const complaint& wrong = what.came.wrong;
      return fail(wrong.where.begin == wrong.where.end ? wrong.text : describe(wrong, text), exit_status::failed);
    }
    fail(what.came.words, crashed);
    // The same build again: the person goes on where the variables are as they were at first.
    if (!library_->state().alive && !ended_ && library_->start_anew()) settle();
  }

  void time(const std::string& text) {
    if (text.empty()) return fail(":time wants an expression", exit_status::failed);
    std::vector<std::chrono::nanoseconds> took;
    for (int i = 0; i < timed_runs && !ended_; ++i) {
      const evaluated what = evaluate(text);
      if (i + 1 == timed_runs || what.came.is != reply::end::good) show(text, what);
      if (what.came.is != reply::end::good) return;
      took.push_back(what.came.took);
    }
    if (took.empty()) return;
    std::sort(took.begin(), took.end());
    print("took " + duration_text(took[took.size() / 2]) + ", the middle of " + std::to_string(took.size()) +
          " runs from " + duration_text(took.front()) + " to " + duration_text(took.back()) + "\n");
  }

  const repl_options& options_;
  unique_fd signals_;
  bool interactive_;
  live_library* library_ = nullptr;
  std::optional<type_table> types_;
  std::optional<session> current_;
  std::string messages_;  // to be printed
  std::string shown_;     // the expression that a complaint's carets are under
  std::optional<reply> answer_;
  std::uint64_t generation_ = 0;  // that was loaded last
  bool asking_ = false;
  bool told_ = false;  // that it is loaded, or why not
  bool ended_ = false;
  int worst_ = good;
};

}  // namespace

int run_repl(const repl_options& options) { return repl(options).run(); }

}  // namespace autoreload::command
