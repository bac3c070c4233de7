// SPDX-License-Identifier: MIT
// live_generations: each build gets a process of its own, so that nothing that the library does ends the program. The
// old process goes on until the new one has loaded. The new one is a copy of the old one, where state is carried.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "live_library.hpp"
#include "terminal.hpp"

namespace autoreload::command {

namespace {

using namespace std::chrono_literals;
constexpr std::size_t most_kept = 16;  // generations that one can roll back to
constexpr auto longest_wait = 1s;      // for a call that is inside, before the state is given up

// For a process that has the file loaded already: it would get the same library once more.
unique_fd copy_of(const std::string& path) {
  const unique_fd from(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  unique_fd to(memfd_create("library", MFD_CLOEXEC));
  struct stat status {};
  if (!from || !to || fstat(from.get(), &status) != 0) return {};
  for (off_t left = status.st_size; left > 0;) {
    const ssize_t put = sendfile(to.get(), from.get(), nullptr, static_cast<std::size_t>(left));
    if (put <= 0) return {};
    left -= put;
  }
  return to;
}

}  // namespace

bool live_library::can_carry() const { return !options_.fresh && carries_state() && worker_ && worker_->alive(); }

// What was to be started before and has not loaded yet gives way.
void live_library::start(std::shared_ptr<kept_generation> what, const std::optional<std::string>& fresh_because) {
  candidate_.reset();
  next_.reset();
  if (fresh_because || !can_carry()) {
    say_state(fresh_because.value_or(""));
    return start_fresh(std::move(what));
  }
  next_ = {std::move(what), clock::now() + longest_wait};
  start_next();
}

// A call that is inside has to end first; a person's as long as it takes.
void live_library::start_next() {
  if (!next_) return;
  const bool gone = !worker_->alive();
  if (!gone && worker_->busy()) {
    if (call_goes_first() || clock::now() < next_->until) return;
    const std::string inside = asked_ ? state_.calls[asked_->call].text : "a call";
    return start(std::exchange(next_, std::nullopt)->what, "started anew: " + inside + " did not end");
  }
  std::shared_ptr<kept_generation> what = std::exchange(next_, std::nullopt)->what;
  if (gone) return start(std::move(what), "started anew: its process has ended");
  start_with_state(std::move(what));
}

void live_library::start_with_state(std::shared_ptr<kept_generation> what) {
  succession order{.library = options_.library.path,
                   .load_path = what->image->load_path,
                   .generation = state_.newest + 1,
                   .requests = -1,
                   .answers = -1,
                   .locals = what->locals,
                   .types = what->types->all()};
  if (what->number != 0) {  // it ran before, so it is loaded in the process that is copied
    what->copy = copy_of(what->image->load_path);
    if (what->copy) order.load_path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(what->copy.get());
    order.generation = what->number;
  }
  result<worker> process = worker_->spawn_successor(std::move(order));
  if (!process) return start(std::move(what), "started anew: " + process.error().reason());
  candidate_.emplace(candidate{std::move(what), *std::move(process), true});
}

void live_library::start_fresh(std::shared_ptr<kept_generation> what) {
  worker_options how{.show = options_.calling.show,
                     .json = false,
                     .limit = options_.calling.limit,
                     .preload = options_.calling.preload,
                     .locals = what->locals,
                     .library = options_.library.path,
                     .generation = what->number != 0 ? what->number : state_.newest + 1};
  if (output_write_) how.output = output_write_.get();
  result<worker> process = worker::spawn(what->image->load_path, *what->types, how);
  if (!process) {
    return fail({.where = problem::from::load, .text = lines_of(error(process.error()).rename(options_.library.path))});
  }
  candidate_.emplace(candidate{std::move(what), *std::move(process)});
}

// What a person asked for is not ended by a new build; what is evaluated anyway is.
bool live_library::call_goes_first() const {
  return asked_ && worker_ && worker_->busy() && state_.calls[asked_->call].once;
}

void live_library::try_candidate() {
  if (!candidate_ || call_goes_first()) return;
  const std::optional<reply> came = candidate_->process.take();
  if (!came) return;
  candidate loaded = *std::exchange(candidate_, std::nullopt);
  if (came->is == reply::end::good) return run(std::move(loaded), came->words);
  if (loaded.inherits) {
    // What goes wrong without the state, too, is said then.
    const bool loads = came->is == reply::end::not_carried;
    return start(std::move(loaded.what),
                 "started anew: " + (loads ? came->words : "with what was kept the new build " + came->words));
  }
  fail({.where = problem::from::load,
        .text = lines_of(not_started(*came, options_.library.path)),
        .file = came->file,
        .line = came->line});
}

// Each line once, until it is another one.
void live_library::say_state(const std::string& line) {
  state_.carried = line;
  if (std::exchange(state_said_, line) != line && !line.empty()) observer_->noted(line);
}

void live_library::run(candidate&& loaded, const std::string& carried) {
  worker_.emplace(std::move(loaded.process));
  running_ = std::move(loaded.what);
  if (running_->number == 0) {
    running_->number = ++state_.newest;
    kept_.push_back(running_);
    if (kept_.size() > most_kept) kept_.erase(kept_.begin());
    state_.after_save.reset();
    if (saved_at_) {
      const auto passed = std::chrono::system_clock::now() - *std::exchange(saved_at_, std::nullopt);
      // A file's time may lie in the past: moved there, or from another machine.
      if (passed >= 0s && passed < 1h) state_.after_save = passed;
    }
  } else {
    state_.after_save.reset();
  }
  state_.generation = running_->number;
  state_.since = clock::now();
  state_.alive = true;
  if (state_.wrong && state_.wrong->where != problem::from::build) state_.wrong.reset();
  observer_->loaded(state_);
  if (loaded.inherits) say_state(carried);
  evaluate_all(true);
}

void live_library::hold(bool on) {
  state_.held = on;
  if (on) return;
  state_.newer = false;
  if (waiting_) {
    read_and_start(std::exchange(waiting_, nullptr));
  } else if (running_ && running_ != kept_.back()) {
    start(kept_.back());
  }
}

// What runs, or is about to, among those that are kept.
std::optional<std::size_t> live_library::running_index() const {
  const auto& soon = next_ ? next_->what : candidate_ ? candidate_->what : running_;
  const auto& what = soon && soon->number != 0 ? soon : running_;
  const auto it = std::find(kept_.begin(), kept_.end(), what);
  if (it == kept_.end()) return std::nullopt;
  return static_cast<std::size_t>(it - kept_.begin());
}

bool live_library::roll_back() {
  const std::optional<std::size_t> now = running_index();
  if (!now || *now == 0) return false;
  state_.held = true;
  state_.newer = true;
  start(kept_[*now - 1]);
  return true;
}

bool live_library::start_anew() {
  if (!running_) return false;
  start(running_, "");
  return true;
}

}  // namespace autoreload::command
