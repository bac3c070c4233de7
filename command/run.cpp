// SPDX-License-Identifier: MIT
// run: one loop that waits for the library's file, for builds, for the time and for signals. Each new build gets a
// worker of its own, so that nothing that the library does ends the program.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <map>
#include <optional>

#include "builder.hpp"
#include "fresh_library.hpp"
#include "library.hpp"
#include "library_types.hpp"
#include "options.hpp"
#include "session.hpp"
#include "terminal.hpp"
#include "worker.hpp"

namespace autoreload::command {

namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

void print(const std::string& line) { write_all(STDOUT_FILENO, (line + "\n").data(), line.size() + 1); }

class runner {
 public:
  runner(const run_options& options, fresh_library source) : options_(options), source_(std::move(source)) {}

  int run(std::optional<builder> building, int signals) {
    take(source_.look_again(true));
    while (!enough()) {
      std::array<pollfd, 3> files{pollfd{signals, POLLIN, 0}, pollfd{source_.readable(), POLLIN, 0},
                                  pollfd{building ? building->readable() : -1, POLLIN, 0}};
      poll(files.data(), files.size(), wait_ms());
      if (files[0].revents != 0) return good;
      if (files[2].revents != 0 && !listen(*building)) building.reset();
      const bool again = look_at_ && clock::now() >= *look_at_;
      if (again) look_at_.reset();
      if (files[1].revents != 0 || again) take(source_.look_again(again));
      if (say_at_ && clock::now() >= *say_at_) say_why();
      if (every_at_ && clock::now() >= *every_at_) evaluate(false);
    }
    return good;
  }

 private:
  bool enough() const { return options_.generations != 0 && generation_ >= options_.generations; }

  int wait_ms() const {
    std::optional<clock::time_point> first = look_at_;
    for (const std::optional<clock::time_point>& at : {every_at_, say_at_}) {
      if (at && (!first || *at < *first)) first = at;
    }
    if (!first) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - clock::now()).count();
    return static_cast<int>(std::clamp<long>(left, 0, 1'000'000));
  }

  static bool listen(builder& building) {
    const bool alive = building.read_more();
    while (const std::optional<build_notice> notice = building.next()) {
      notice->bad ? say_error(notice->text) : say_note(notice->text);
    }
    return alive;
  }

  void take(look seen) {
    if (seen.again_in) look_at_ = clock::now() + *seen.again_in;
    switch (seen.is) {
      case look::end::nothing: return;
      case look::end::waiting:  // a build removes the file for a moment: said if it lasts
        why_ = std::move(seen.why);
        if (!say_at_) say_at_ = clock::now() + (generation_ == 0 && !options_.build ? 0s : 1s);
        return;
      case look::end::refused: why_ = std::move(seen.why); return say_why();
      case look::end::fresh: break;
    }
    say_at_.reset();
    said_.clear();
    for (const std::string& warning : seen.warnings) say_note(warning);
    start(seen.load_path);
  }

  void say_why() {
    say_at_.reset();
    if (!why_ || why_->reason() == said_) return;
    said_ = why_->reason();
    say_error(*why_);
  }

  // The old worker stays until the new one has loaded, and goes on when that fails.
  void start(const std::string& load_path) {
    const result<library> opened = library::open(load_path);
    if (!opened) return say_error(opened.error());
    types_wanted wanted{.headers = options_.library.headers,
                        .include_directories = options_.library.include_directories,
                        .compiler = options_.library.compiler};
    for (const std::string& text : options_.expressions) {
      for (std::string& name : names_in(text)) wanted.names.push_back(std::move(name));
    }
    result<abi::description> types = read_types(*opened, wanted);
    if (!types) return say_error(types.error().rename(options_.library.path));
    const type_table table(*std::move(types));
    result<worker> next = worker::start(
        load_path, table,
        {.show = options_.calling.show, .limit = options_.calling.limit, .preload = options_.calling.preload});
    if (!next) return say_error(next.error().rename(options_.library.path));
    worker_.emplace(*std::move(next));
    print("loaded " + options_.library.path + ", generation " + std::to_string(++generation_));
    evaluate(true);
  }

  void evaluate(bool is_new) {
    every_at_.reset();
    for (const std::string& text : options_.expressions) {
      if (!worker_ || !worker_->alive()) break;
      const reply came = worker_->evaluate(text);
      show(text, came, is_new);
      if (came.is == reply::end::complained) {
        say_error(describe(came.wrong, text));
      } else if (came.is != reply::end::good) {
        say_error(came.words);
      }
    }
    // A worker that crashed gives way to the next build.
    if (options_.every.count() != 0 && worker_ && worker_->alive()) every_at_ = clock::now() + options_.every;
  }

  void show(const std::string& text, const reply& came, bool is_new) {
    std::size_t count = 0;
    for (const shown_result& result : came.results) {
      const std::string what = result.name.empty() ? text : text + ", " + result.name;
      std::string& before = values_[what + " " + std::to_string(count++)];
      const bool changed = is_new && !before.empty() && before != result.text;
      print(what + " = " + result.text + (changed ? " (was " + before + ")" : ""));
      if (is_new) before = result.text;
    }
    if (came.results.empty() && came.is == reply::end::good) print(text);
  }

  const run_options& options_;
  fresh_library source_;
  std::optional<worker> worker_;
  std::uint64_t generation_ = 0;
  std::map<std::string, std::string> values_;  // of the generation before
  std::optional<clock::time_point> look_at_;
  std::optional<clock::time_point> every_at_;
  std::optional<clock::time_point> say_at_;
  std::optional<error> why_;  // why there is no new build
  std::string said_;          // its reason, once it was said
};

}  // namespace

int run_run(const run_options& options) {
  sigset_t ending;
  sigemptyset(&ending);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, signal);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  const unique_fd signals(signalfd(-1, &ending, SFD_CLOEXEC));
  result<fresh_library> source = fresh_library::watch(options.library.path);
  if (!source) return say_error(source.error()), failed;
  std::optional<builder> building;
  if (options.build || !options.build_command.empty()) {
    result<builder> started = builder::start({options.library.path, options.build_command, options.build_directory});
    if (!started) return say_error(started.error()), failed;
    building.emplace(*std::move(started));
  }
  return runner(options, *std::move(source)).run(std::move(building), signals.get());
}

}  // namespace autoreload::command
