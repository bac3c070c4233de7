// SPDX-License-Identifier: MIT
// worker: the loop, from a save to the event that tells what came of it.
#include "rebuild/worker.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "system/cancellation.hpp"

namespace autoreload {

using namespace building;
namespace fs = std::filesystem;

namespace {

// The times of files have steps of some milliseconds, and are taken from the step before.
constexpr std::chrono::milliseconds time_step{10};

timespec file_time_now(std::chrono::milliseconds later) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const long long sum = now.tv_nsec + std::chrono::nanoseconds(later).count();
  now.tv_sec += sum < 0 ? -1 : sum / 1'000'000'000;
  now.tv_nsec = static_cast<long>((sum + 1'000'000'000) % 1'000'000'000);
  return now;
}

// The host's environment, but for what only its own make or ninja could answer to, and with messages in English, which
// are read. The character set stays.
std::vector<std::string> environment_for_builds(bool colours) {
  std::vector<std::string> entries;
  std::string all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (name == "LC_ALL") all = text.substr(std::min(text.size(), name.size() + 1));
    const bool make = name == "MAKELEVEL" || name == "MFLAGS" ||
                      (name == "MAKEFLAGS" && text.find("jobserver") != std::string_view::npos);
    if (make || name == "LC_ALL" || name == "LC_MESSAGES" || name == "LANGUAGE") continue;
    entries.emplace_back(text);
  }
  if (!all.empty()) {
    std::erase_if(entries,
                  [](const std::string& entry) { return entry.starts_with("LANG=") || entry.starts_with("LC_"); });
    entries.push_back("LANG=" + all);
  }
  entries.emplace_back("LC_MESSAGES=C");
  if (colours) entries.emplace_back("CLICOLOR_FORCE=1");
  return entries;
}

}  // namespace

rebuilder::worker::worker(std::string library, rebuild_options options)
    : named_(std::move(library)),
      library_(fs::absolute(named_).lexically_normal()),
      options_(std::move(options)),
      environment_(environment_for_builds(options_.colours)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
  due_ = options_.build_at_start;
  // The host's signals are for its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

rebuilder::worker::~worker() {
  stopping_.store(true);
  wake();
  thread_.join();
}

void rebuilder::worker::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);  // full: it is awake
}

void rebuilder::worker::ask() {
  asked_.store(true);
  wake();
}

std::string rebuilder::worker::command() const {
  const std::lock_guard lock(mutex_);
  return told_.command;
}

std::vector<std::string> rebuilder::worker::sources() const {
  const std::lock_guard lock(mutex_);
  return told_.sources;
}

void rebuilder::worker::tell(rebuild_event happened) {
  happened.library = named_;
  if (!options_.observer) return;
  try {
    options_.observer(happened);
  } catch (const cancellation&) {
    throw;
  } catch (...) {  // NOLINT(bugprone-empty-catch): there is nobody to hand it to
  }
}

void rebuilder::worker::tell_failure(error failure) {
  if (failure.path().empty()) failure.rename(named_);
  if (std::exchange(last_trouble_, failure.what()) == failure.what()) return;
  rebuild_event event;
  event.kind = rebuild_kind::failed;
  event.text = failure.reason();
  event.failure = std::move(failure);
  tell(std::move(event));
}

// What the standard library throws must not end the host.
void rebuilder::worker::run() {
  try {
    work();
  } catch (const std::exception& thrown) {
    runner_.reset();  // nobody reads what it says
    try {
      tell_failure(
          error(stage::build, named_, "building has stopped").system(thrown.what()).advise("start the program anew"));
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): there is no memory for the words
    }
  }
}

void rebuilder::worker::work() {
  if (options_.watch != watch_mode::polling) {
    if (auto hub = watch_hub::make()) hub_ = *std::move(hub);
  }
  watch_ = std::make_unique<watch>(hub_, options_.watch == watch_mode::automatic);
  polling_ = hub_ == nullptr;
  built_library_.watch({library_}, {std::numeric_limits<time_t>::max(), 0});
  find_tool();
  refresh();
  while (!stopping_.load()) {
    const bool idle = !runner_ || !runner_->running();
    if (idle && (due_ || follow_up_due_) && tool_) {
      start();
    } else if (idle && refresh_due_) {
      refresh();
    }
    wait();
    if (runner_ && runner_->running()) {
      if (std::optional<ending> ended = runner_->advance()) finish(*ended);
    }
    check_limits();
    look_at_sources();
  }
}

void rebuilder::worker::wait() {
  const bool running = runner_ && runner_->running();
  const std::array<int, 2> ends = running ? runner_->readable() : std::array<int, 2>{-1, -1};
  std::array<pollfd, 4> waits{{{wake_.get(), POLLIN, 0},
                               {hub_ ? hub_->readable() : -1, POLLIN, 0},
                               {ends[0], POLLIN, 0},
                               {ends[1], POLLIN, 0}}};
  using std::chrono::milliseconds;
  milliseconds patience{-1};
  if (polling_) patience = options_.poll_interval;
  if (running && cut_ == cut::none) {
    const auto left = std::max(std::chrono::ceil<milliseconds>(deadline_ - clock::now()), milliseconds{0});
    patience = patience.count() < 0 ? left : std::min(left, patience);
  }
  const bool now = (!running && (((due_ || follow_up_due_) && tool_) || refresh_due_)) || watch_->has_changed();
  ::poll(waits.data(), waits.size(), now ? 0 : static_cast<int>(std::min<long>(patience.count(), 1 << 30)));
  std::uint64_t count = 0;
  if (waits[0].revents != 0) [[maybe_unused]]
    const ssize_t taken = ::read(wake_.get(), &count, sizeof count);
  if (waits[1].revents != 0) hub_->drain();
  if (!due_) noticed_ = clock::now();
}

void rebuilder::worker::look_at_sources() {
  const bool asked = asked_.exchange(false);
  const bool moved = watch_->take_moved();
  const bool noticed = watch_->take_changed() || asked;
  if (!noticed && !polling_) return;
  if (!tool_) {
    // Looking for one takes commands: not at every look of polling's.
    if (std::string marks = marks_of_tools(); std::exchange(tool_marks_, marks) == marks && !noticed) return;
    find_tool();
    refresh_due_ = true;
    due_ = due_ || asked;
    return;
  }
  if (asked) sources_.forget();
  const std::vector<std::string> changed = sources_.changed();
  const bool running = runner_ && runner_->running();
  if (!running && !built_library_.changed().empty()) {  // somebody else built it
    refresh_due_ = true;
    built_library_.accept();
    built_library_.complete();
    if (tool_->kind == tool_kind::compiler) find_tool();  // perhaps by another command
  }
  if (moved) arm();
  if (!asked && changed.empty()) {
    if (running || sources_.touched().empty()) return;
    rebuild_event event;
    event.kind = rebuild_kind::no_effect;
    event.text = short_list(sources_.touched()) + " was saved, and holds what it held before";
    event.files = sources_.touched();
    tell(std::move(event));
    return;
  }
  due_ = true;
  if (!asked) due_files_ = changed;
  if (running && cut_ == cut::none && !reconfigures()) {
    cut_ = cut::overtaken;
    runner_->stop();
  }
}

// Whether the tool that runs may be writing its own files. Stopped in that, ninja deletes build.ninja, and nothing can
// be built any more; so it is let go on, and the next build follows it.
bool rebuilder::worker::reconfigures() const {
  const auto listed = [&](const std::string& file) {
    return std::find(configuration_.begin(), configuration_.end(), file) != configuration_.end();
  };
  return std::any_of(due_files_.begin(), due_files_.end(), listed) ||
         std::any_of(unsynced_.begin(), unsynced_.end(), listed);
}

void rebuilder::worker::start() {
  // What the build that was overtaken was for is still to be built.
  if (cut_ == cut::overtaken) {
    for (const std::string& file : building_files_) {
      if (std::find(due_files_.begin(), due_files_.end(), file) == due_files_.end()) due_files_.push_back(file);
    }
  }
  sources_.make_newer_than(due_files_, build_started_, build_ended_);
  build_started_ = file_time_now(-time_step);
  sources_.accept();
  struct read_the_rest {
    building::source_states& of;
    ~read_the_rest() { of.complete(); }
  } const once_it_runs{sources_};
  choose_way();
  due_ = follow_up_due_ = false;
  cut_ = cut::none;
  if (result<void> trusted = check_build_files(tool_->trusted, options_.trust); !trusted) {
    return tell_failure(trusted.error());
  }
  if (!have_runner()) return;
  const bool quick = way_ == way::direct || way_ == way::stand_in;
  const building::command chosen = quick ? quick_command() : tool_->run;
  if (result<void> started = runner_->start(chosen); !started) {
    runner_.reset();  // the next save makes another
    return tell_failure(started.error());
  }
  const clock::time_point now = clock::now();
  deadline_ = now + options_.time_limit;
  notice_time_ = now - noticed_;
  if (way_ != way::follow_up) building_files_ = std::move(due_files_);
  due_files_.clear();
  ++build_;
  if (way_ == way::follow_up && !stands_in_) return;  // nothing new is to come of it
  rebuild_event event;
  event.kind = rebuild_kind::building;
  event.build = build_;
  event.files = building_files_;
  event.text =
      (building_files_.empty() ? "" : short_list(building_files_) + ": ") + tool_->found + place_in_the_chain();
  tell(std::move(event));
}

void rebuilder::worker::check_limits() {
  if (!runner_ || !runner_->running() || cut_ != cut::none) return;
  if (runner_->printed() > options_.flood_limit) cut_ = cut::flood;
  if (clock::now() >= deadline_) cut_ = cut::time;
  if (cut_ != cut::none) runner_->stop();
}

void rebuilder::worker::finish(const ending& ended) {
  build_ended_ = file_time_now(time_step);
  std::error_code ignored;
  const bool other = !built_library_.changed().empty();
  outcome became = outcome::untouched;
  if (!fs::exists(library_, ignored)) {
    became = outcome::missing;
  } else if (other) {
    became = outcome::changed;
  } else if (!built_library_.touched().empty()) {
    became = outcome::same_content;
  }
  built_library_.accept();
  built_library_.complete();
  if (ended.start_error == ECHILD) runner_.reset();
  rebuild_event event = judge({ended, *tool_, options_, cut_, became, building_files_});
  event.build = build_;
  event.times.noticed = notice_time_;
  if (event.failure && event.failure->path().empty()) event.failure->rename(named_);
  const bool worth_telling = after_the_end(ended, event);
  if (cut_ != cut::overtaken) {
    refresh_due_ = true;
    cut_ = cut::none;
    last_trouble_.clear();
  }
  if (worth_telling) tell(std::move(event));
}

}  // namespace autoreload
