// SPDX-License-Identifier: MIT
// watch: inotify on every directory between the root and the file.
#include "reload/watch/watch.hpp"

#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <optional>
#include <system_error>
#include <utility>

#include "reload/watch/blind_spots.hpp"

namespace autoreload {
namespace {

// A file is complete when its writer closes it or its name appears. IN_CREATE sees links, and directories. IN_ATTRIB
// sees an owner, a mode or an access list that lets us in, or lets us trust it, at last; of a directory it also sees
// what happens to the directory itself. IN_MODIFY would wake us for each write of a linker and say nothing.
constexpr std::uint32_t directory_events = IN_MOVED_TO | IN_CREATE | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM;
constexpr std::uint32_t file_events = IN_CLOSE_WRITE | directory_events;
constexpr std::uint32_t own_events = IN_DELETE_SELF | IN_MOVE_SELF;

constexpr int most_links = 40;  // as the kernel: more is ELOOP

std::deque<std::string> components(std::string_view path) {
  std::deque<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    at = slash + 1;
  }
  return parts;
}

std::string join(const std::string& directory, const std::string& name) {
  return directory.empty() || directory.back() == '/' ? directory + name : directory + "/" + name;
}

}  // namespace

result<std::shared_ptr<watch_hub>> watch_hub::make() {
  unique_fd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (inotify) return std::shared_ptr<watch_hub>(new watch_hub(std::move(inotify)));
  return error(stage::watch, {}, "the system grants no inotify instance")
      .system(std::generic_category().message(errno))
      .advise("raise fs.inotify.max_user_instances and start the program anew, or watch by polling");
}

// The number of a closed descriptor may be another file's by now, which must be neither read nor closed. The kernel has
// dropped the watches with the instance.
bool watch_hub::renew_if_closed_locked() {
  if (inotify_.still_ours()) return false;
  inotify_ = unique_fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));  // if that fails, arm() does, and is called again
  shake_all_locked();
  for (auto& [directory, watches] : watches_of_) {
    for (watch* const one : watches) one->interests_.clear();
  }
  watches_of_.clear();
  return true;
}

void watch_hub::shake_all_locked() {
  for (auto& [directory, watches] : watches_of_) {
    for (watch* const one : watches) {
      one->renewed_.store(true, std::memory_order_release);
      one->shake();
    }
  }
}

bool watch_hub::renew_if_closed() {
  const std::lock_guard lock(mutex_);
  return renew_if_closed_locked();
}

void watch_hub::tell_renewed() {
  const std::lock_guard lock(mutex_);
  shake_all_locked();
}

bool watch_hub::drain() {
  const std::lock_guard lock(mutex_);
  if (renew_if_closed_locked()) return true;
  alignas(inotify_event) std::array<char, 16384> buffer;
  constexpr ssize_t longest_event = sizeof(inotify_event) + NAME_MAX + 1;
  ssize_t length = 0;
  do {
    length = read(inotify_.get(), buffer.data(), buffer.size());
    for (ssize_t at = 0; at < length;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      tell(event->wd, event->mask, event->len > 0 ? std::string_view(event->name) : std::string_view());
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  } while (length + longest_event > std::ssize(buffer));  // otherwise there was room for one more: these were all
  return false;
}

void watch_hub::tell(int directory, std::uint32_t what, std::string_view name) {
  if ((what & IN_Q_OVERFLOW) != 0) {  // events were lost: everybody looks for themselves
    for (auto& [wd, watches] : watches_of_)
      std::for_each(watches.begin(), watches.end(), [](watch* one) { one->shake(); });
    return;
  }
  const auto found = watches_of_.find(directory);
  if (found == watches_of_.end()) return;
  for (watch* const one : found->second) {
    if (name.empty()) {  // it happened to the directory itself
      one->shake();
      continue;
    }
    for (const watch::interest& interest : one->interests_) {
      if (interest.directory != directory || interest.name != name) continue;
      if (!interest.last && (what & directory_events) == 0) continue;
      if (!interest.last) one->lose_way();
      if (!interest.last || (what & directory_events) != 0) one->moved_.store(true, std::memory_order_release);
      one->changed_.store(true, std::memory_order_release);
    }
  }
  if ((what & IN_IGNORED) != 0) {  // the kernel dropped the directory: its number may be given out again
    for (watch* const one : found->second) {
      std::erase_if(one->interests_, [&](const watch::interest& interest) { return interest.directory == directory; });
    }
    watches_of_.erase(found);
  }
}

watch::~watch() { detach(); }

// Anything may have happened.
void watch::shake() {
  lose_way();
  moved_.store(true, std::memory_order_release);
  changed_.store(true, std::memory_order_release);
}

std::optional<std::uint64_t> watch::way() {
  if (hub_ == nullptr) return std::nullopt;
  const std::lock_guard lock(hub_->mutex_);
  int unread = 0;  // to be read by who waits for them
  const bool all_is_known = sees_all_of_it_ && hub_->inotify_.still_ours() &&
                            ioctl(hub_->inotify_.get(), FIONREAD, &unread) == 0 && unread == 0;
  return all_is_known ? std::optional(way_) : std::nullopt;
}

void watch::doubt_way() {
  if (hub_ == nullptr) return;
  const std::lock_guard lock(hub_->mutex_);
  lose_way();
  mark_moved();
}

void watch::detach() {
  if (hub_ == nullptr) return;
  {
    const std::lock_guard lock(hub_->mutex_);
    hub_->renew_if_closed_locked();
    forget_directories({});
    interests_.clear();
  }
  hub_.reset();
}

// Drops this watch from all other directories, also those that an arm() that failed half-way left. The hub's mutex is
// held.
void watch::forget_directories(const std::vector<interest>& still_used) {
  for (auto next = hub_->watches_of_.begin(); next != hub_->watches_of_.end();) {
    const auto directory = next++;
    const auto same = [&](const interest& one) { return one.directory == directory->first; };
    if (std::any_of(still_used.begin(), still_used.end(), same)) continue;
    std::erase(directory->second, this);
    if (!directory->second.empty()) continue;
    inotify_rm_watch(hub_->inotify_.get(), directory->first);
    hub_->watches_of_.erase(directory);
  }
}

// Every (directory, name) whose change can change what the path leads to, links expanded, up to the first that is
// missing. A file that may be written to through another name (a hard link, or the file that is mounted here) comes
// last as a "directory" without a name.
std::vector<watch::step> watch::way_to(const std::string& path) {
  std::vector<step> way;
  std::deque<std::string> left = components(path);
  std::string directory = path.starts_with('/') ? "/" : ".";
  int links = 0;
  while (!left.empty()) {
    const std::string name = std::move(left.front());
    left.pop_front();
    if (name == "..") {
      // The parent by the system's reckoning: the directory before it is real, links in it are expanded already.
      directory = join(directory, name);
      continue;
    }
    way.push_back({directory, name, left.empty()});
    const std::string here = join(directory, name);
    struct stat status {};
    if (lstat(here.c_str(), &status) != 0) break;
    if (S_ISLNK(status.st_mode)) {
      std::array<char, PATH_MAX> target{};
      if (++links > most_links || readlink(here.c_str(), target.data(), target.size() - 1) <= 0) break;
      const std::string_view to(target.data());
      std::deque<std::string> parts = components(to);
      left.insert(left.begin(), std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
      if (to.starts_with('/')) directory = std::string(1, '/');
      continue;
    }
    if (left.empty() && S_ISREG(status.st_mode) && (status.st_nlink > 1 || may_be_mounted(here))) {
      way.push_back({here, {}, true});
    }
    directory = here;
  }
  return way;
}

result<bool> watch::arm(const std::vector<std::string>& paths) {
  if (hub_ == nullptr) return false;
  bool news = false;
  // A name may change between our look at it and the watch on its directory; so after all watches are set the way must
  // still be the same. It nearly always is at the second look.
  for (int round = 0; round < 8; ++round) {
    std::vector<interest> wanted;
    const std::lock_guard lock(hub_->mutex_);
    if (hub_->renew_if_closed_locked()) renewed_.store(true, std::memory_order_release);
    std::optional<error> failure;
    bool sees_all = true;
    for (const std::string& path : paths) {
      const std::vector<step> way = way_to(path);
      std::string watched;  // the directory that tells itself when it is moved
      for (auto at = way.rbegin(); at != way.rend(); ++at) {
        const step& one = *at;
        const std::optional<bool> hides = hides_changes(one.directory);
        sees_all &= !hides.value_or(true);
        if (wary_ && at == way.rbegin() && hides.value_or(false)) {
          failure = error(stage::watch, path,
                          "inotify doesn't see all changes on the file system of \"" + one.directory + "\"");
        }
        const std::uint32_t events = (one.last ? file_events : directory_events) | own_events | IN_MASK_ADD |
                                     (one.name.empty() ? IN_DONT_FOLLOW : IN_ONLYDIR);
        const int directory = inotify_add_watch(hub_->inotify_.get(), one.directory.c_str(), events);
        if (directory < 0) {
          sees_all = false;
          const int reason = errno;
          const bool replaceable = std::exchange(watched, {}) != join(one.directory, one.name);
          // No directory (any more): the next round will find another way, or one that ends before it.
          if (reason == ENOENT || reason == ENOTDIR) continue;
          // A directory that we may not read is no obstacle as long as the one that the way takes in it can be watched.
          if (replaceable || reason == ENOSPC || reason == ENOMEM) {
            failure = error(stage::watch, path, "\"" + one.directory + "\" can't be watched")
                          .system(std::generic_category().message(reason))
                          .advise(reason == ENOSPC ? "raise fs.inotify.max_user_watches, or watch by polling"
                                                   : "make it readable, or watch by polling");
          }
          continue;
        }
        watched = one.directory;
        auto& watches = hub_->watches_of_[directory];
        if (std::find(watches.begin(), watches.end(), this) == watches.end()) watches.push_back(this);
        wanted.push_back({directory, one.name, one.last});
      }
    }
    const bool same = wanted == interests_;
    if (!same) ++way_;
    sees_all_of_it_ = sees_all;
    forget_directories(wanted);
    interests_ = std::move(wanted);
    if (failure) return *failure;
    if (same) return news;
    news = true;
  }
  changed_.store(true, std::memory_order_release);  // the way keeps changing: look again
  moved_.store(true, std::memory_order_release);
  return news;
}

}  // namespace autoreload
