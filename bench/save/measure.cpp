// SPDX-License-Identifier: MIT
// measure: a rebuilder and an engine under saves, beside the same builds by hand.
//
// SHARED  what the observers leave for the measuring thread: guarded by a mutex.
#include "measure.hpp"

#include <dlfcn.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <autoreload/autoreload.hpp>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

extern "C" int value(void);

namespace bench {
namespace fs = std::filesystem;
namespace {

struct value_api {
  autoreload::required<::value> value;
};

constexpr std::chrono::seconds patience{120};
constexpr int learning = 3;  // saves before the first that counts: a chain is learned by them

struct observed {
  std::mutex mutex;
  std::condition_variable changed;
  bool armed = false;  // the next build that starts is the save's; what follows a chain is not
  std::uint64_t build = 0;
  steady::time_point started, ended;
  double engine = 0;  // µs of the last reload
};

void observe(observed& into, const autoreload::rebuild_event& e) {
  const auto now = steady::now();
  const std::lock_guard lock(into.mutex);
  if (e.kind == autoreload::rebuild_kind::building && std::exchange(into.armed, false)) {
    into.started = now;
    into.build = e.build;
  } else if (e.kind == autoreload::rebuild_kind::built && e.build == into.build) {
    into.ended = now;
  }
  into.changed.notify_all();
}

double by_hand(const std::vector<std::string>& words) {
  const auto start = steady::now();
  child running(words);
  return running.wait() ? microseconds(steady::now() - start) : 0;
}

// `cd DIRECTORY && COMMAND`, without a process for the shell.
std::vector<std::string> as_words(const std::string& line) {
  const std::size_t command = line.find(" && ") + 4;
  return {"/bin/sh", "-c", line.substr(0, command) + "exec " + line.substr(command)};
}

}  // namespace

scratch::scratch() {
  std::string name = (fs::temp_directory_path() / "autoreload-save-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = fs::canonical(name);
}

scratch::~scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

child::child(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A session of its own, as the rebuilder's builds have: the kernel shares a busy processor out among sessions.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int file : {1, 2}) posix_spawn_file_actions_addopen(&files, file, "/dev/null", 1, 0);
  if (posix_spawnp(&id_, pointers[0], &files, &attributes, pointers.data(), environ) != 0) id_ = 0;
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
}

child::~child() {
  if (id_ == 0) return;
  kill(-id_, SIGTERM);
  wait();
}

bool child::wait() {
  int status = 0;
  const bool ended = id_ != 0 && waitpid(id_, &status, 0) == id_;
  id_ = 0;
  return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int value_of_copy(const std::string& library) {
  static int copies = 0;
  const std::string copy = library + "." + std::to_string(++copies);
  std::error_code problem;
  fs::copy_file(library, copy, problem);
  int found = -1;
  if (void* const opened = problem ? nullptr : dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (auto* const function = reinterpret_cast<int (*)()>(dlsym(opened, "value"))) found = function();
    dlclose(opened);
  }
  fs::remove(copy, problem);
  return found;
}

feel_row measure(const row& of, int rounds, const std::string& sources) {
  feel_row made{of.name(), of.label(), {}, {}, {}, {}, {}, {}, {}};
  const scratch ours;
  const scratch by_hand_place;
  std::optional<project> on = make_project(of, ours.path(), sources);
  std::optional<project> beside = make_project(of, by_hand_place.path(), sources);
  if (!on || !beside) return made;
  observed seen;
  on->options.observer = [&](const autoreload::rebuild_event& e) { observe(seen, e); };
  on->options.build_at_start = of.chain != autoreload::rebuild_chain::tool;
  autoreload::options engine;
  engine.observer = [&](const autoreload::event& e) {
    const std::lock_guard lock(seen.mutex);
    if (e.kind == autoreload::event_kind::loaded) seen.engine = microseconds(e.times.total);
    seen.changed.notify_all();
  };
  fs::remove(on->library);
  if (!shell([&] {
        std::string all;
        for (const std::string& word : on->tool) all += "'" + word + "' ";
        return all;
      }()))
    return made;
  const autoreload::reloadable<value_api> running(on->library, engine);
  const autoreload::rebuilder builder(on->library, on->options);
  const bool quick = of.chain != autoreload::rebuild_chain::tool;
  // A person thinks, and a tool catches up.
  const std::chrono::milliseconds pause{!quick ? 200 : of.library == "demo" ? 500 : of.library == "lua" ? 1500 : 4000};
  std::this_thread::sleep_for(std::chrono::milliseconds(600));  // the sources are watched
  // What the tool would do by hand: the commands themselves where they go first.
  std::vector<std::string> words = beside->tool;
  if (quick)
    words = {"/bin/sh", "-c", beside->compile + " && exec " + beside->link.substr(beside->link.find(" && ") + 4)};
  const std::string made_by_hand = quick ? (by_hand_place.path() / "libvalue.so").string() : beside->library;
  const auto hand = [&](int value) {
    const auto start = beside->save(value);  // the editor's time, here and below
    const bool right = by_hand(words) > 0 && value_of_copy(made_by_hand) == value;
    return right ? microseconds(steady::now() - start) : 0.0;
  };
  for (int i = 1; i <= rounds + (quick ? learning : 1); ++i) {
    std::this_thread::sleep_for(pause);
    // Who comes second finds the compiler warm: so they take turns in that, too.
    const bool counts = i > (quick ? learning : 1);
    double floor = 0;
    if (counts && i % 2 == 0) {
      floor = hand(i);
      std::this_thread::sleep_for(pause);
    }
    {
      const std::lock_guard lock(seen.mutex);
      seen.armed = true;
      seen.ended = {};
    }
    const auto start = on->save(i);
    // Woken by what happens, not by a clock: the processors are the compiler's.
    std::unique_lock lock(seen.mutex);
    const auto wait_until = [&](auto true_now) {
      return seen.changed.wait_until(lock, start + patience, [&] { return true_now(); });
    };
    if (!wait_until([&] { return running.loaded() && running->value() == i; })) return made;
    const auto end = steady::now();
    if (!wait_until([&] { return seen.ended != steady::time_point{}; })) return made;
    const steady::time_point started = seen.started;
    const steady::time_point ended = seen.ended;
    const double engine_took = seen.engine;
    lock.unlock();
    if (!counts) continue;
    std::this_thread::sleep_for(pause);
    if (floor == 0) floor = hand(i);
    if (floor == 0) return made;
    made.floor.push_back(floor);
    made.total.push_back(microseconds(end - start));
    made.notice.push_back(microseconds(started - start));
    made.command.push_back(microseconds(ended - started));
    made.load.push_back(end > ended ? microseconds(end - ended) : engine_took);
    const bool other_commands =
        of.chain == autoreload::rebuild_chain::tcc || of.chain == autoreload::rebuild_chain::linker;
    if (other_commands) continue;
    made.compile.push_back(by_hand(as_words(beside->compile)));
    made.link.push_back(by_hand(as_words(beside->link)));
  }
  return made;
}

}  // namespace bench
