// SPDX-License-Identifier: MIT
// unloading: three looks that found nobody, each of everything, on a thread beside the engine's.
//
// SHARED  - the report. The search's thread writes it before it sets `ended_` (release). It is read after that was seen
//           (acquire), or after the thread was joined.
//         - `cancelled_`, written under the mutex with which the search's thread sleeps.
//         - whose turn it is, and when the next look may begin, under a mutex of the process.
#include "exec/unloading.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <autoreload/holders.hpp>

#include "exec/far_pointers.hpp"
#include "system/aside.hpp"

namespace autoreload::exec {
namespace {

using clock = std::chrono::steady_clock;

// A pointer that moves may be missed by one look.
constexpr int looks_that_find_nobody = 3;
// All looks together may take this part of a processor's time: there are 19 times a look's between it and the next.
constexpr int share = 20;
constexpr std::chrono::milliseconds shortest_pause{20};
constexpr std::chrono::seconds longest_pause{30};

void count_what_is_unseen(holder_report& report) {
  if (report.registers_unseen > 0) {
    report.unseen += (report.unseen.empty() ? "" : ", ") + std::string("the registers of ") +
                     std::to_string(report.registers_unseen) + " sleeping thread" +
                     (report.registers_unseen == 1 ? "" : "s");
  }
  if (report.unseen.empty()) return;
  report.holders.push_back(
      {holder_kind::memory, "what can't be looked at: " + std::exchange(report.unseen, {}), 0, 0, 0});
}

// The engine's thread is not inside, and what it has had on its stack is the engine's.
void leave_out_own_stack(held_image& image) {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* lowest = nullptr;
  std::size_t size = 0;
  if (pthread_attr_getstack(&attributes, &lowest, &size) == 0) {
    const auto begin = reinterpret_cast<std::uintptr_t>(lowest);
    image.ours.push_back({begin, begin + size});
  }
  pthread_attr_destroy(&attributes);
}

clock::duration processor_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

// One look at a time in the process: a thread has one tracer at most, and a search's own books are no holder's. Never
// destroyed: threads go on while the process ends.
struct turn {
  std::mutex mutex;
  clock::time_point next{};
  static turn& get() {
    static auto* const one = new turn;
    return *one;
  }
};

class careful_search final : public unload_search {
 public:
  explicit careful_search(held_image image) : image_(std::move(image)) {}
  careful_search(const careful_search&) = delete;
  careful_search& operator=(const careful_search&) = delete;
  ~careful_search() override {
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    ends_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  std::optional<holder_report> look(bool wait) override {
    if (wait) return held("there was no time to look");
    if (!thread_.joinable()) {
      ended_ = false;
      try {
        const undisturbed no_signals;  // the thread inherits that
        thread_ = std::thread([this] { search(); });
      } catch (const std::system_error&) {
        return held("there is no thread to look");
      }
    }
    if (!ended_.load(std::memory_order_acquire)) return std::nullopt;
    thread_.join();
    return std::exchange(report_, held("nobody looked"));
  }

 private:
  static holder_report held(const std::string& why) {
    holder_report report;
    report.unseen = why;
    count_what_is_unseen(report);
    return report;
  }

  // @return false when it is not wanted any more
  bool sleep_until(clock::time_point time) {
    std::unique_lock lock(mutex_);
    return !ends_.wait_until(lock, time, [&] { return cancelled_.load(); });
  }

  void search() noexcept {
    pthread_setname_np(pthread_self(), "autoreload-look");
    try {
      for (int free = 0; free < looks_that_find_nobody; ++free) {
        report_ = look_once();
        if (!report_.holders.empty() || report_.more > 0) break;
      }
    } catch (const std::bad_alloc&) {
      report_.more = 1;  // perhaps
    }
    ended_.store(true, std::memory_order_release);
  }

  holder_report look_once() {
    turn& ours = turn::get();
    for (;;) {
      clock::time_point next;
      {
        const std::lock_guard lock(ours.mutex);
        next = ours.next;
        if (clock::now() >= next) {
          const clock::duration began = processor_time();
          holder_report report = who_holds(image_, unload_policy::all, &cancelled_);
          look_afar(image_, report);
          count_what_is_unseen(report);
          const clock::duration used = processor_time() - began;
          ours.next = clock::now() + std::clamp<clock::duration>(used * (share - 1), shortest_pause, longest_pause);
          return report;
        }
      }
      if (!sleep_until(next)) return held("the search was ended");
    }
  }

  const held_image image_;
  std::mutex mutex_;  // of the two below
  std::condition_variable ends_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> ended_{false};
  holder_report report_;
  std::thread thread_;
};

// Of a build that stays whoever comes: there is nothing to say each time.
class no_search final : public unload_search {
 public:
  std::optional<holder_report> look(bool) override { return std::nullopt; }
};

class careful final : public unload_check {
 public:
  explicit careful(leaving_image image) : image_(std::move(image)) {}
  std::unique_ptr<unload_search> begin(const held_image& known) override {
    std::optional<held_image> image = image_(known);
    if (!image) return std::make_unique<no_search>();
    if (image->own_thread == gettid()) leave_out_own_stack(*image);
    return std::make_unique<careful_search>(*std::move(image));
  }

 private:
  const leaving_image image_;
};

}  // namespace

std::unique_lock<std::mutex> turn_to_look() { return std::unique_lock(turn::get().mutex); }

std::shared_ptr<unload_check> unload_carefully(leaving_image image) {
  return std::make_shared<careful>(std::move(image));
}

}  // namespace autoreload::exec
