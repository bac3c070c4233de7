// SPDX-License-Identifier: MIT
// live_library: from what happens to the library's file and its sources to a build that can be started.
#include "live_library.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "library.hpp"
#include "library_types.hpp"
#include "scoped_names.hpp"
#include "session.hpp"
#include "terminal.hpp"

namespace autoreload::command {

namespace {

using namespace std::chrono_literals;

// A name that no file here has may be one that the dynamic loader knows.
std::string place_of(const std::string& name) {
  if (name.find('/') != std::string::npos || access(name.c_str(), F_OK) == 0) return name;
  const result<library> found = library::open(name);
  return found ? found->path() : name;
}

}  // namespace

result<live_library> live_library::open(const live_options& how, run_observer& to) {
  live_library made(how, to);
  const std::string& path = how.run.library.path;
  made.state_.library = path;
  for (const std::string& text : how.run.expressions) made.state_.calls.push_back({.text = text});
  made.source_.emplace(place_of(path));
  if (how.catch_output) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return error(stage::use, path, "no pipe could be made");
    made.output_read_ = unique_fd(ends[0]);
    made.output_write_ = unique_fd(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  const bool asked = how.run.build || !how.run.build_command.empty();
  if (asked || (!how.run.no_build && builder::available())) {
    if (result<void> started = made.start_building(asked); !started) return started.error();
  }
  return made;
}

result<void> live_library::start_building(bool asked) {
  building_asked_ = asked;
  result<builder> started = builder::start({.library = options_.library.path,
                                            .command = options_.build_command,
                                            .directory = options_.build_directory,
                                            .at_start = asked});
  if (!started) return started.error();
  building_.emplace(*std::move(started));
  return {};
}

std::vector<int> live_library::descriptors() const {
  std::vector<int> list;
  if (source_->readable() >= 0) list.push_back(source_->readable());
  if (building_) list.push_back(building_->readable());
  if (output_read_) list.push_back(output_read_.get());
  const bool next = candidate_ && !call_goes_first();
  for (const worker* one : {worker_ ? &*worker_ : nullptr, next ? &candidate_->process : nullptr}) {
    if (one == nullptr || !one->busy()) continue;
    list.push_back(one->answers());
    list.push_back(one->process());
  }
  return list;
}

std::optional<live_library::clock::time_point> live_library::due() const {
  if (again_) return clock::now();
  std::optional<clock::time_point> first = look_at_;
  const auto also = [&](clock::time_point at) {
    if (!first || at < *first) first = at;
  };
  if (source_->due() != never) also(source_->due());
  if (every_at_) also(*every_at_);
  if (say_at_) also(*say_at_);
  if (worker_ && worker_->busy()) also(worker_->deadline());
  if (candidate_ && !call_goes_first()) also(candidate_->process.deadline());
  if (next_ && !call_goes_first()) also(next_->until);
  return first;
}

void live_library::advance() {
  listen();
  look();
  if (say_at_ && clock::now() >= *say_at_) say_why();
  start_next();
  try_candidate();
  take_answer();
  start_next();
  if (every_at_ && clock::now() >= *every_at_) evaluate_all(false);
  evaluate_next();
  read_output();
}

void live_library::listen() {
  if (!building_) return;
  const bool alive = building_->read_more();
  while (const std::optional<build_notice> notice = building_->next()) heard(*notice);
  if (!alive) building_.reset();
}

void live_library::heard(const build_notice& notice) {
  using is = build_state::is;
  using kind = build_notice::kind;
  build_state& build = state_.build;
  build.text = notice.text;
  if (!notice.command.empty()) build.command = notice.command;
  build.since = clock::now();
  switch (notice.is) {
    case kind::ready: build.now = build.now == is::none ? is::ready : build.now; break;
    case kind::building:
      build.now = is::building;
      build.saved = notice.saved;
      saved_at_ = notice.saved_at;
      break;
    case kind::built: build.now = is::built; break;
    case kind::unchanged: build.now = is::unchanged; break;
    case kind::failed: build.now = is::failed; break;
    case kind::trouble: build.now = building_asked_ || build.now != is::none ? is::failed : is::none; break;
  }
  if (build.now == is::none) return;  // nobody asked for building
  if (notice.bad()) {
    return fail({.where = problem::from::build,
                 .text = notice.text,
                 .file = notice.file,
                 .line = notice.line,
                 .column = notice.column});
  }
  const bool ended = build.now == is::built || build.now == is::unchanged;
  if (ended && state_.wrong && state_.wrong->where == problem::from::build) state_.wrong.reset();
  observer_->noted(notice.text);
}

void live_library::look() {
  bool anyway = std::exchange(again_, false);
  if (look_at_ && clock::now() >= *look_at_) {
    look_at_.reset();
    anyway = true;
  }
  take(source_->look_again(anyway));
}

void live_library::take(autoreload::command::look seen) {
  using end = autoreload::command::look::end;
  if (seen.again_in) look_at_ = clock::now() + *seen.again_in;
  for (const std::string& note : seen.notes) observer_->noted(note);
  switch (seen.is) {
    case end::nothing: return;
    case end::unchanged: say_at_.reset(); return;  // it was away for a moment
    case end::waiting:                             // a build removes the file for a moment: said if it lasts
      why_ = std::move(seen.why);
      if (!say_at_) say_at_ = clock::now() + (state_.newest == 0 && !building_asked_ ? 0s : 1s);
      return;
    case end::refused: why_ = std::move(seen.why); return say_why();
    case end::fresh: break;
  }
  say_at_.reset();
  said_.clear();
  for (const std::string& warning : seen.warnings) observer_->noted(warning);
  if (state_.held) {
    waiting_ = std::move(seen.image);
    state_.newer = true;
    return observer_->noted("a newer build waits, because this one is held");
  }
  read_and_start(std::move(seen.image));
}

void live_library::say_why() {
  say_at_.reset();
  if (!why_ || why_->reason() == said_) return;
  said_ = why_->reason();
  fail({.where = problem::from::load, .text = lines_of(*why_)});
}

void live_library::fail(problem wrong) {
  observer_->failed(wrong.text);
  state_.wrong = std::move(wrong);
}

void live_library::read_and_start(std::shared_ptr<const snapshot> image) {
  const auto refuse = [&](const error& why) { fail({.where = problem::from::load, .text = lines_of(why)}); };
  state_.doing = "reading its types";
  observer_->busy(state_);
  state_.doing.clear();
  const result<library> opened = library::open(image->load_path);
  if (!opened) return refuse(opened.error());
  types_wanted wanted{.everything = how_.all_types,
                      .scoped = how_.all_types,
                      .headers = options_.library.headers,
                      .include_directories = options_.library.include_directories,
                      .compiler = options_.library.compiler};
  for (const std::string& text : options_.expressions) {
    for (std::string& name : names_in(text)) {
      wanted.scoped |= is_scoped(name);
      wanted.names.push_back(std::move(name));
    }
  }
  result<types::description> types = read_types(*opened, wanted);
  if (!types) return refuse(error(types.error()).rename(options_.library.path));
  auto made = std::make_shared<kept_generation>();
  made->image = std::move(image);
  made->locals = all_locals(*opened, *types);
  made->types = std::make_shared<const type_table>(*std::move(types));
  start(std::move(made));
}

}  // namespace autoreload::command
