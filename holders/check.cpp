// SPDX-License-Identifier: MIT
// check: has a search run beside the engine, and bounds what searches cost.
//
// SHARED  the report and how long the search took, which the search's thread writes before it sets `ended_` (release),
//         and which are read after that was seen (acquire), or after the thread was joined. `cancelled_` stands alone.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "autoreload/holders.hpp"
#include "holders/asleep.hpp"
#include "system/aside.hpp"
#include "system/loader_state.hpp"

namespace autoreload {
namespace {

using clock = std::chrono::steady_clock;

// A search may take this part of the time: then there are 19 times its duration between two.
constexpr int share = 20;

class search_beside final : public unload_search {
 public:
  search_beside(held_image image, unload_policy policy) : image_(std::move(image)), policy_(policy) {}
  search_beside(const search_beside&) = delete;
  search_beside& operator=(const search_beside&) = delete;
  ~search_beside() override {
    cancelled_ = true;
    forget_after_fork();
    if (thread_.joinable()) thread_.join();
  }

  std::optional<holder_report> look(bool wait) override {
    forget_after_fork();
    if (!thread_.joinable()) {
      if (!wait && last_ && clock::now() < not_before_) return inverted(*last_);
      begin(wait);
    }
    if (!wait && !ended_.load(std::memory_order_acquire)) return std::nullopt;
    if (thread_.joinable()) thread_.join();
    not_before_ = clock::now() + took_ * (share - 1);
    last_ = inverted(report_);
    return std::exchange(report_, {});
  }

 private:
  // What is kept must not be found by the next search, as one more pointer to the blocks that it names.
  static holder_report inverted(holder_report report) {
    for (holder& one : report.holders) one.at = ~one.at;
    return report;
  }

  // A forked child has no such thread, and must not wait for it.
  void forget_after_fork() noexcept {
    if (thread_.joinable() && process_ != getpid()) thread_.detach();
  }

  void begin(bool waited_for) {
    process_ = getpid();
    asker_ = waited_for ? static_cast<pid_t>(syscall(SYS_gettid)) : 0;
    ended_ = false;
    report_ = {};
    report_.unseen = "anything, for want of memory";  // if it stays so
    const undisturbed no_signals;  // the thread inherits that: the host's handlers are not to run on it
    try {
      thread_ = std::thread([this] { search(); });
    } catch (const std::system_error&) {  // no thread to be had
      asker_ = 0;
      search();
    }
  }

  // Who waits for the answer comes to rest first: on the way there it is deeper in its stack, where calls that have
  // returned have left their words.
  void let_asker_sleep() const {
    for (int round = 0; asker_ != 0 && round < 1000; ++round) {
      if (!holding::position_of(asker_).running) return;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  void search() noexcept {
    const auto began = clock::now();
    try {
      let_asker_sleep();
      pthread_setname_np(pthread_self(), "autoreload-look");
      report_ = who_holds(image_, policy_, &cancelled_);
    } catch (const std::bad_alloc&) {  // then the report is what was prepared for that
    }
    took_ = clock::now() - began;
    ended_.store(true, std::memory_order_release);
  }

  const held_image image_;
  const unload_policy policy_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> ended_{false};
  holder_report report_;
  clock::duration took_{};
  std::optional<holder_report> last_;
  clock::time_point not_before_{};
  pid_t process_ = 0;  // that has the thread
  pid_t asker_ = 0;    // the thread that waits for the answer, or 0
  std::thread thread_;
};

class check final : public unload_check {
 public:
  explicit check(unload_policy policy) : policy_(policy) {}
  std::unique_ptr<unload_search> begin(const held_image& image) override {
    return std::make_unique<search_beside>(image, policy_);
  }

 private:
  const unload_policy policy_;
};

}  // namespace

std::shared_ptr<unload_check> unload_when(unload_policy policy) {
  if (policy == unload_policy::pins) return nullptr;
  // A generation that is held outlives its engine, and its search the plugin that may have this code. So that stays.
  keep_resident(reinterpret_cast<const void*>(&unload_when));
  return std::make_shared<check>(policy);
}

}  // namespace autoreload
