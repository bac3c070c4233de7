// SPDX-License-Identifier: MIT
// running_libraries: the list, and who is woken by what.
#include "reload/dependencies/running_libraries.hpp"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace autoreload {

struct running_library::state {
  engine who;
  pid_t process = getpid();  // a forked child's copy of its parent's engine decides nothing any more
  std::optional<running_copy> now;
  file_identity decided;
  std::vector<std::string> uses;
};

namespace {

struct list {
  std::mutex mutex;
  std::vector<running_library*> engines;
  std::uint64_t serial = 0;
  static list& get() {
    static auto* const one = [] {
      auto* const made = new list;
      pthread_atfork([] { get().mutex.lock(); }, [] { get().mutex.unlock(); }, [] { get().mutex.unlock(); });
      return made;
    }();
    return *one;
  }
};

std::optional<file_identity> identity_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return file_identity::of(status);
}

bool is_same_file(const std::string& path, const file_identity& file) {
  const auto there = identity_of(path);
  return there && there->device == file.device && there->inode == file.inode;
}

}  // namespace

running_library::running_library(engine who) : state_(new state{std::move(who), getpid(), {}, {}, {}}) {
  list& all = list::get();
  const std::lock_guard lock(all.mutex);
  all.engines.push_back(this);
}

running_library::~running_library() {
  list& all = list::get();
  std::optional<running_copy> last;  // what it needs may be unloaded now, whose destructors may be anything
  const std::lock_guard lock(all.mutex);
  std::erase(all.engines, this);
  last.swap(state_->now);
}

void running_library::runs(running_copy now) {
  list& all = list::get();
  std::optional<running_copy> last(std::move(now));
  const std::lock_guard lock(all.mutex);
  last->file = state_->who.file;
  last->serial = ++all.serial;
  last->by = this;
  last.swap(state_->now);
  wake_users();
}

void running_library::decided(const file_identity& file) {
  const std::lock_guard lock(list::get().mutex);
  if (std::exchange(state_->decided, file) != file) wake_users();
}

void running_library::uses(const std::vector<std::string>& paths) {
  const std::lock_guard lock(list::get().mutex);
  state_->uses = paths;
}

void running_library::wake_users() const {
  const pid_t process = getpid();
  std::optional<std::optional<file_identity>> mine;  // looked at when somebody needs it
  const auto is_mine = [&](const std::string& path) {
    if (path == state_->who.file) return true;
    if (!mine) mine = identity_of(state_->who.file);
    return *mine && is_same_file(path, **mine);
  };
  for (const running_library* const other : list::get().engines) {
    if (other == this || other->state_->process != process) continue;
    const auto& uses = other->state_->uses;
    if (std::any_of(uses.begin(), uses.end(), is_mine)) other->state_->who.wake();
  }
}

std::optional<running_copy> running_library::copy() const {
  std::optional<running_copy> found = state_->now;
  const auto there = identity_of(state_->who.file);
  if (found) found->pending = there && *there != state_->decided && !state_->who.paused();
  return found;
}

// The others run in this process, and `is_it` says which of them is meant. The list's mutex is held.
template <class Predicate>
const running_library* running_library::find(const running_library* but, Predicate is_it) {
  const pid_t process = getpid();
  for (const running_library* const one : list::get().engines) {
    if (one != but && one->state_->process == process && one->state_->now && is_it(*one->state_)) return one;
  }
  return nullptr;
}

std::optional<running_copy> running_library::copy_of(const file_identity& file, const running_library* but) {
  const std::lock_guard lock(list::get().mutex);
  const auto* const found = find(but, [&](const state& one) { return is_same_file(one.who.file, file); });
  return found != nullptr ? found->copy() : std::nullopt;
}

std::optional<running_copy> running_library::copy_named(const std::string& soname, const running_library* but) {
  const std::lock_guard lock(list::get().mutex);
  const auto* const found = find(but, [&](const state& one) { return one.now->soname == soname; });
  return found != nullptr ? found->copy() : std::nullopt;
}

std::uint64_t running_library::serial_of(const file_identity& file) {
  list& all = list::get();
  const std::lock_guard lock(all.mutex);
  if (all.engines.size() < 2) return 0;
  const auto* const found = find(nullptr, [&](const state& one) { return is_same_file(one.who.file, file); });
  return found != nullptr ? found->state_->now->serial : 0;
}

}  // namespace autoreload
