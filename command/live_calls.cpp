// SPDX-License-Identifier: MIT
// live_calls: what a live library is asked, by the command line and by a person.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "live_library.hpp"
#include "session.hpp"

namespace autoreload::command {

void live_library::evaluate_all(bool is_new) {
  every_at_.reset();
  queue_.clear();
  for (std::size_t i = 0; i < state_.calls.size(); ++i) {
    if (state_.calls[i].once) continue;
    if (is_new) state_.calls[i].is = watched_call::end::waiting;
    queue_.push_back({i, is_new});
  }
}

void live_library::evaluate_next() {
  if (!worker_ || !worker_->alive() || worker_->busy() || queue_.empty()) return;
  if (next_ || (candidate_ && candidate_->inherits)) return;  // what it changed now would not be carried over
  asked_ = queue_.front();
  queue_.pop_front();
  watched_call& call = state_.calls[asked_->call];
  call.is = watched_call::end::running;
  call.since = clock::now();
  worker_->ask(call.text);
}

void live_library::take_answer() {
  if (!worker_ || !worker_->busy()) return;
  if (std::optional<reply> came = worker_->take()) answer(*came);
}

void live_library::answer(const reply& came) {
  const queued asked = *std::exchange(asked_, std::nullopt);
  watched_call& call = state_.calls[asked.call];
  call.is = came.is == reply::end::good ? watched_call::end::good : watched_call::end::wrong;
  call.took = came.took;
  call.wrong = came.is == reply::end::good         ? ""
               : came.is == reply::end::complained ? describe(came.wrong, call.text)
                                                   : came.words;
  fill_in(call, came, asked.is_new);
  state_.alive = worker_->alive();
  observer_->answered(call, came, asked.is_new);
  if (came.is != reply::end::good) {
    read_output();  // what it printed before stands before
    fail({.where = problem::from::call, .text = call.wrong, .file = came.file, .line = came.line});
  }
  // A process that is gone gives way to the next build.
  if (!state_.alive) {
    queue_.clear();
  } else if (queue_.empty() && options_.every.count() != 0) {
    every_at_ = clock::now() + options_.every;
  }
}

void live_library::fill_in(watched_call& call, const reply& came, bool is_new) {
  const std::vector<call_value> earlier = std::exchange(call.values, {});
  for (std::size_t i = 0; i < came.results.size(); ++i) {
    const shown_result& result = came.results[i];
    call_value made{.what = result.name.empty() ? call.text : call.text + ", " + result.name,
                    .name = result.name,
                    .text = result.text};
    if (is_new && !call.once) {
      std::string& known = values_[made.what + " " + std::to_string(i)];
      if (!known.empty() && known != result.text) made.before = known;
      known = result.text;
    } else if (i < earlier.size()) {
      made.before = earlier[i].before;
    }
    call.values.push_back(std::move(made));
  }
}

void live_library::ask(const std::string& expression) {
  std::erase_if(state_.calls, [](const watched_call& call) { return call.once; });
  state_.calls.push_back({.text = expression, .once = true});
  queue_.push_back({state_.calls.size() - 1, true});
  evaluate_next();
}

void live_library::interrupt() {
  next_.reset();
  candidate_.reset();
  queue_.clear();
  if (worker_ && worker_->busy()) answer(worker_->stop("was interrupted"));
}

std::string live_library::rebuild() {
  if (building_) {
    building_->rebuild();
    return {};
  }
  if (!builder::available()) return "this program was built without rebuilding";
  const result<void> started = start_building(true);
  return started ? std::string() : started.error().reason();
}

std::string live_library::path_before() const {
  const auto it = std::find(kept_.begin(), kept_.end(), running_);
  return it == kept_.end() || it == kept_.begin() ? std::string() : (*(it - 1))->image->load_path;
}

// A bounded part of it, so that a library that floods its output doesn't keep the program from keys and builds.
void live_library::read_output() {
  if (!output_read_) return;
  std::array<char, 65536> part;
  for (int i = 0; i < 4; ++i) {
    const ssize_t got = read(output_read_.get(), part.data(), part.size());
    if (got <= 0) return;
    const std::string_view text(part.data(), static_cast<std::size_t>(got));
    state_.output.feed(text);
    observer_->printed(text);
  }
}

}  // namespace autoreload::command
