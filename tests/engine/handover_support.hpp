// SPDX-License-Identifier: MIT
// handover_support: a library with state, an engine for it, and who gets in the way of a handover.
#pragma once

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "engine_support.hpp"
#include "handed.h"

namespace support {

struct handed_api {
  autoreload::required<::handed_stamp> stamp;
  autoreload::required<::handed_total> total;
  autoreload::required<::handed_set_total> set_total;
  autoreload::optional<::handed_add> add;
  autoreload::required<::handed_visit> visit;
};
using handed_library = autoreload::reloadable<handed_api, autoreload::TEST_BACKEND::backend>;

inline void put_handed(const std::string& path, std::uint64_t stamp, const char* file = libraries::handed) {
  put(path, stamped(file, stamp));
}

/// Whether a thread of this process sleeps.
inline bool sleeps(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(')');
  return end != std::string::npos && text.compare(end, 3, ") S") == 0;
}

/// What the libraries told the host's hook, such as "save 1, restore 2", without constructors; and what the hook
/// answers.
struct told_by_libraries {
  std::mutex mutex;
  std::string text;
  int constructors = 0;
  int answer_of_new = 0;            // of restore in generations of a stamp higher than 1
  std::function<void()> meanwhile;  // inside save

  int tell(const std::string& where, std::uint64_t stamp) {
    const std::lock_guard lock(mutex);
    if (where == "constructor") {
      ++constructors;
      return 0;
    }
    text += (text.empty() ? "" : ", ") + where + " " + std::to_string(stamp);
    if (where == "save" && meanwhile) meanwhile();
    return where == "restore" && stamp > 1 ? answer_of_new : 0;
  }
  std::string take() {
    const std::lock_guard lock(mutex);
    return std::exchange(text, {});
  }
};

/// A thread that is inside a call of the library until finish(), and does what it is asked to do there.
class guest_inside {
 public:
  explicit guest_inside(const handed_library& lib) {
    std::promise<void> entered;
    thread_ = std::thread([&, this] {
      number_ = gettid();
      pthread_setname_np(pthread_self(), "lingerer");
      returned_ = lib.call<&handed_api::visit>(
          [](void* self) {
            auto* const here = static_cast<std::pair<guest_inside*, std::promise<void>*>*>(self);
            guest_inside* const guest = here->first;
            here->second->set_value();
            for (std::unique_lock lock(guest->mutex_);;) {
              guest->wake_.wait(lock, [&] { return guest->task_ || guest->leave_; });
              if (!guest->task_) return;
              const auto task = std::exchange(guest->task_, nullptr);
              lock.unlock();
              task();
              lock.lock();
              guest->done_ = true;
              guest->wake_.notify_all();
            }
          },
          [&] {
            pair_ = {this, &entered};
            return &pair_;
          }());
    });
    entered.get_future().wait();
  }
  guest_inside(const guest_inside&) = delete;
  guest_inside& operator=(const guest_inside&) = delete;
  ~guest_inside() {
    if (thread_.joinable()) finish();
  }
  /// On the thread, inside the library.
  void run(std::function<void()> task) {
    std::unique_lock lock(mutex_);
    task_ = std::move(task);
    done_ = false;
    wake_.notify_all();
    wake_.wait(lock, [&] { return done_; });
  }
  /// @return the stamp of the library that it was inside of
  std::uint64_t finish() {
    {
      const std::lock_guard lock(mutex_);
      leave_ = true;
      wake_.notify_all();
    }
    thread_.join();
    return returned_;
  }
  [[nodiscard]] pid_t number() const { return number_; }

 private:
  std::pair<guest_inside*, std::promise<void>*> pair_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::function<void()> task_;
  bool done_ = false;
  bool leave_ = false;
  std::atomic<pid_t> number_{0};
  std::uint64_t returned_ = 0;
  std::thread thread_;
};

/// Carries the number that a handed library has, for real: by its exported name.
class number_carrier : public autoreload::state_carrier {
 public:
  std::function<void()> when_prepared = [] {};
  std::function<void()> when_carried = [] {};
  autoreload::state_report report{1, 1, {}, false};

  autoreload::result<std::unique_ptr<autoreload::state_plan>> prepare(const autoreload::state_side& from,
                                                                      const autoreload::state_side& to) override {
    struct plan : autoreload::state_plan {
      number_carrier& carrier;
      std::uint64_t *from, *to;
      plan(number_carrier& by, void* old_one, void* new_one)
          : carrier(by), from(static_cast<std::uint64_t*>(old_one)), to(static_cast<std::uint64_t*>(new_one)) {}
      autoreload::result<autoreload::state_report> carry() override {
        carrier.when_carried();
        *to = *from;
        return carrier.report;
      }
      void undo() noexcept override { ++carrier.undone; }
      std::function<void()> farewell() override {
        return [&by = carrier, at = from] {
          ++by.farewells;
          *at = 0;  // the old generation is still there
        };
      }
    };
    sides = {{std::string(from.path), from.generation, to.generation}};
    both_are_files = is_elf(from.file) && is_elf(to.file);
    when_prepared();
    if (refuses) return autoreload::error(autoreload::stage::handover, {}, "nothing can be carried");
    auto made = std::make_unique<plan>(*this, dlsym(from.handle, "handed_number"), dlsym(to.handle, "handed_number"));
    return std::unique_ptr<autoreload::state_plan>(std::move(made));
  }

  struct seen {
    std::string path;
    std::uint64_t from = 0, to = 0;
  };
  std::optional<seen> sides;
  bool both_are_files = false;
  int undone = 0;
  int farewells = 0;
  bool refuses = false;

 private:
  static bool is_elf(int file) {
    char magic[4];
    return pread(file, magic, sizeof magic, 0) == 4 && std::string_view(magic, 4) == "\177ELF";
  }
};

class HandoverTest : public EngineTest {
 protected:
  void start(std::uint64_t stamp, autoreload::options chosen, const char* file = libraries::handed) {
    put_handed(path_, stamp, file);
    lib_ = std::make_unique<handed_library>(path_, std::move(chosen));
    expect(kind::loaded);
  }
  /// Manual, with a limit that only a hang runs into.
  [[nodiscard]] autoreload::options unhurried() {
    autoreload::options chosen = manual();
    chosen.handover.limit = std::chrono::milliseconds(patience);
    return chosen;
  }
  [[nodiscard]] autoreload::options hurried() {
    autoreload::options chosen = manual();
    chosen.handover.limit = std::chrono::milliseconds(5);
    return chosen;
  }
  void build(std::uint64_t stamp, const char* file = libraries::handed) {
    put_handed(path_, stamp, file);
    lib_->poll();
  }
  void carry_by_hand() {
    lib_->on_handover([](const handed_api& from, const handed_api& to) { to.set_total(from.total()); });
  }
  /// Polls until an event of the kind comes.
  autoreload::event poll_until(autoreload::event_kind wanted) {
    std::optional<autoreload::event> found;
    EXPECT_TRUE(comes_true([&] {
      lib_->poll();
      while (auto one = events_.next()) {
        if (one->kind != wanted) continue;
        found = std::move(one);
        return true;
      }
      return false;
    })) << "no event of kind "
        << to_string(wanted);
    return found.value_or(autoreload::event{});
  }
  /// Whether calls that begin now would wait, asked on a thread that is inside of nothing.
  [[nodiscard]] bool is_closed() {
    bool closed = false;
    std::thread([&] { closed = !lib_->try_pin(); }).join();
    return closed;
  }

  std::unique_ptr<handed_library> lib_;
};

}  // namespace support
