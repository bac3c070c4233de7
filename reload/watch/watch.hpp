// SPDX-License-Identifier: MIT
// watch: notices that something happened to a path, wherever on the way to it.
//
// SHARED  a hub's table and its watches' interests and ways, guarded by the hub's mutex, under which events are read,
//         too: the thread that drains the hub reads the interests and counts the ways up, the thread that runs a
//         library's pipeline changes the interests. `changed_`, `moved_` and `renewed_` are flags between the two: set
//         by the drainer after the event is in, taken (exchange) by the pipeline before it looks at the file, so an
//         event that arrives while the pipeline looks makes it look again. Acquire and release order nothing but
//         themselves here: what the pipeline then sees comes from the file system.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/error.hpp>

#include "system/unique_fd.hpp"

namespace autoreload {

class watch;

/// One inotify instance, shared by the watches that are drained together (the kernel grants a user only about 128).
class watch_hub {
 public:
  /// @return a hub, or an error of stage watch when the system has no inotify instance left
  [[nodiscard]] static result<std::shared_ptr<watch_hub>> make();

  /// Readable when drain() has something to do.
  [[nodiscard]] int readable() const {
    const std::lock_guard lock(mutex_);
    return inotify_.get();
  }
  /// Reads every event that is there and tells the watches. Never blocks. Any thread. When somebody has closed the
  /// descriptor, makes another and tells all watches to arm themselves again.
  /// @return whether another had to be made: readable() may be another number
  bool drain();
  /// The same without reading. @return whether another had to be made: readable() may be another number
  bool renew_if_closed();
  /// As if its descriptor had been closed: for an owner who has lost another one, so that it is said.
  void tell_renewed();

 private:
  friend class watch;
  explicit watch_hub(unique_fd inotify) : inotify_(std::move(inotify)) {}
  // All of these under the mutex.
  void tell(int directory, std::uint32_t what, std::string_view name);
  bool renew_if_closed_locked();
  void shake_all_locked();

  mutable std::mutex mutex_;
  unique_fd inotify_;
  std::map<int, std::vector<watch*>> watches_of_;  // by inotify's watch descriptor: one for each directory (or file)
};

/// The watch on a set of paths: the library, and files that it depends on.
///
/// Each name on the way is watched in the directory that holds it: the file, every symbolic link and its target, and
/// every directory, so a renamed or re-created parent counts as well, and so does one whose owner, mode or access list
/// changes. Nothing is watched by inode but a file that has several names (hard links, bind mounts of a single file).
class watch {
 public:
  /// @param hub   null: never notices anything by itself (the owner polls)
  /// @param wary  take a file system whose changes inotify doesn't see as a reason to poll
  explicit watch(std::shared_ptr<watch_hub> hub, bool wary = true) : hub_(std::move(hub)), wary_(wary) {}
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;
  ~watch();

  /// Resolves the paths anew and watches what they now lead through. Call it before the first look at the file, and
  /// after each look when take_moved() says that a name on the way changed.
  /// @return whether anything is watched now that was not before: then look at the file again;
  ///         or an error of stage watch when a change on the way could remain unseen: then poll, and try again
  [[nodiscard]] result<bool> arm(const std::vector<std::string>& paths);

  /// See change_source::way().
  [[nodiscard]] std::optional<std::uint64_t> way();

  /// See change_source::doubt_way().
  void doubt_way();

  /// Whether something happened since the last call.
  [[nodiscard]] bool take_changed() noexcept { return changed_.exchange(false, std::memory_order_acq_rel); }
  /// Whether a directory or link on the way may lead elsewhere since the last call.
  [[nodiscard]] bool take_moved() noexcept { return moved_.exchange(false, std::memory_order_acq_rel); }

  /// Whether somebody closed the hub's descriptor since the last call, so that it was made again.
  [[nodiscard]] bool take_renewed() noexcept { return renewed_.exchange(false, std::memory_order_acq_rel); }

  /// The same without taking it.
  [[nodiscard]] bool has_changed() const noexcept { return changed_.load(std::memory_order_acquire); }
  /// As if something had happened.
  void mark_changed() noexcept { changed_.store(true, std::memory_order_release); }
  void mark_moved() noexcept { moved_.store(true, std::memory_order_release); }

  /// Gives the hub up: from now on the owner polls.
  void detach();

 private:
  friend class watch_hub;
  struct interest {
    int directory;  // inotify's watch descriptor
    std::string name;
    bool last;  // the file itself, not a directory or link on the way
    bool operator==(const interest&) const = default;
  };
  struct step {
    std::string directory;
    std::string name;
    bool last;
  };
  static std::vector<step> way_to(const std::string& path);
  void shake();
  // Under the hub's mutex. It is watched again, as it is then, by the next arm().
  void lose_way() noexcept {
    ++way_;
    sees_all_of_it_ = false;
  }
  void forget_directories(const std::vector<interest>& still_used);

  std::shared_ptr<watch_hub> hub_;
  const bool wary_;
  std::vector<interest> interests_;
  std::uint64_t way_ = 0;        // changes of the way; guarded by the hub's mutex, as the next
  bool sees_all_of_it_ = false;  // as far as it goes
  std::atomic<bool> changed_{false};
  std::atomic<bool> moved_{false};
  std::atomic<bool> renewed_{false};
};

}  // namespace autoreload
