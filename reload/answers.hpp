// SPDX-License-Identifier: MIT
// answers: what anybody may ask of an engine at any time, also while its pipeline runs.
//
// SHARED  tables and failure are guarded by one mutex for all engines, held for a few instructions, so that questions
//         don't wait for a dlopen; and held across fork, because they are also asked in a child, where nobody would
//         ever unlock it. A generation is published under it, and `paused_` set: once pause() has returned, none is
//         published but by reload(). `number_` stands alone. `current_` is changed under it, once: see redirect(). It
//         is read without it where a null is all that matters: the engine's lock is held there, under which it becomes
//         null.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <autoreload/error.hpp>

#include "reload/publish.hpp"

namespace autoreload {

class answers {
 public:
  /// @param current  the owner's; outlives this, unless redirect() is called
  explicit answers(detail::published& current) : current_(&current) {}

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] std::uint64_t number_of(const void* table) const {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(tables_.begin(), tables_.end(), [&](const auto& one) { return one.first == table; });
    return found == tables_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::optional<error> failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  [[nodiscard]] bool paused() const noexcept { return paused_; }

  void pause(bool yes) {
    const std::lock_guard lock(mutex_);
    paused_ = yes;
  }
  void set_failure(const std::optional<error>& why) {
    std::optional<error> copy = why;
    const std::lock_guard lock(mutex_);
    failure_.swap(copy);
  }
  /// So that publishing takes no memory.
  void make_room() {
    const std::lock_guard lock(mutex_);
    tables_.reserve(tables_.size() + 1);
  }
  /// Makes a table the one that is called, unless paused meanwhile. @param anyway  also when paused
  [[nodiscard]] bool publish(const void* table, std::uint64_t number, bool anyway) {
    const std::lock_guard lock(mutex_);
    if (paused_ && !anyway) return false;
    std::erase_if(tables_, [&](const auto& one) { return one.first == table; });
    tables_.emplace_back(table, number);
    failure_.reset();
    autoreload::publish(*current_.load(), table);
    number_ = number;
    return true;
  }
  void unpublish(const void* not_loaded) {
    autoreload::publish(*current_.load(), not_loaded);
    number_ = 0;
  }
  /// Nothing will be published any more.
  void close() noexcept { current_ = nullptr; }
  [[nodiscard]] bool closed() const noexcept { return current_ == nullptr; }
  /// Unpublishes, and lets what is published from now on go nowhere: the owner of the pointer is gone in a moment, and
  /// who is at work on the engine has to close it.
  void redirect(const void* not_loaded) {
    const std::lock_guard lock(mutex_);
    autoreload::publish(*current_.load(), not_loaded);
    current_ = &nobodys_;
    left_ = true;
  }
  /// Whether the owner is gone before the engine was closed.
  [[nodiscard]] bool left() const noexcept { return left_; }
  /// Whether this table is the one that is called.
  [[nodiscard]] bool confirms(const void* table) const noexcept {
    const detail::published* const current = current_;
    return current != nullptr && current->confirmed == table;
  }
  /// What is done to the published value itself, by who holds the engine's lock. Not when it is closed for good.
  template <class Use>
  void with_published(Use use) {
    if (detail::published* const here = current_.load()) use(*here);
  }
  /// Changes the gate before the calls, under the lock, as redirect() may come in between. Nothing when it is closed
  /// for good.
  template <class Change>
  void at_gate(Change change) {
    const std::lock_guard lock(mutex_);
    if (detail::published* const here = current_.load()) change(*here);
  }
  void forget(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    std::erase_if(tables_, [&](const auto& one) { return one.second == number; });
  }

 private:
  static std::mutex& one_mutex() {
    static auto* const one = [] {
      auto* const made = new std::mutex;
      pthread_atfork([] { one_mutex().lock(); }, [] { one_mutex().unlock(); }, [] { one_mutex().unlock(); });
      return made;
    }();
    return *one;
  }

  std::mutex& mutex_ = one_mutex();
  std::atomic<detail::published*> current_;  // null once closed
  detail::published nobodys_{nullptr};       // what current_ leads to when the owner is gone
  std::atomic<bool> left_{false};
  std::vector<std::pair<const void*, std::uint64_t>> tables_;
  std::optional<error> failure_;
  std::atomic<std::uint64_t> number_{0};
  std::atomic<bool> paused_{false};
};

}  // namespace autoreload
