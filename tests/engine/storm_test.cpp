// SPDX-License-Identifier: MIT
// storm_test: a library is replaced again and again under threads that call it in every way there is. Each call must
// return the value of a version that was current during the call, none may fail, and nothing may pile up.
//
// A short form by default. ./dev storm runs the long one: AUTORELOAD_STORM_ROUNDS=10000. AUTORELOAD_STORM_THREADS asks
// for more callers than twice the processors.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>

#include "engine_support.hpp"

using autoreload::event;
using autoreload::event_kind;
using support::library;
using support::worker_api;

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::stoull(text) : otherwise;
}
const std::uint64_t rounds = number_from("AUTORELOAD_STORM_ROUNDS", support::sanitized ? 150 : 300);
const std::uint64_t first_rounds = rounds / 3 < 100 ? rounds / 3 : 100;
const std::size_t callers = number_from("AUTORELOAD_STORM_THREADS", 2 * std::thread::hardware_concurrency());

// What went wrong, the first few times.
class complaints {
 public:
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (++count_ <= 5) text_ += "\n  " + text;
  }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::atomic<std::size_t> count_{0};
  std::string text_;
};

// How the new builds get in.
enum class way { on_request, watched, polled };

// A library and whoever replaces it. Build number n is stamped n and is of variant n modulo their number: so a value
// says which build it came from, and a build's code and data must belong together.
class subject {
 public:
  subject(std::string path, way by, complaints& wrong) : path_(std::move(path)), by_(by), wrong_(wrong) {
    for (const char* const file : libraries::variants) variants_.push_back(support::stamped(file, 0));
    offered_ = 1;
    put(1);
    lib_ = std::make_unique<library>(path_, chosen());
    published_ = 1;
    if (by_ == way::on_request) lib_->pause();
  }

  [[nodiscard]] const library& lib() const { return *lib_; }
  [[nodiscard]] std::uint64_t published() const { return published_; }
  [[nodiscard]] std::uint64_t offered() const { return offered_; }

  // Offers the next build and waits until it is published.
  void replace() {
    const std::uint64_t next = offered_ + 1;
    offered_ = next;
    put(next);
    switch (by_) {
      case way::on_request:
        if (const auto done = lib_->reload(); !done) wrong_.add(std::string("reload: ") + done.error().what());
        break;
      case way::watched:
        if (!support::comes_true([&] { return lib_->generation() == next; })) wrong_.add("a build was not seen");
        break;
      case way::polled: lib_->poll(); break;
    }
    if (lib_->generation() != next) wrong_.add("a build is missing or was loaded twice");
    published_ = next;
  }

  // Whether all but the newest generation have left.
  [[nodiscard]] bool settled() {
    if (by_ == way::polled) lib_->poll();
    return unloaded_ + 1 == published_;
  }

 private:
  void put(std::uint64_t number) {
    const std::size_t variant = number % variants_.size();
    support::put(path_, support::restamped(variants_[variant], number));
  }
  autoreload::options chosen() {
    autoreload::options options;
    options.trust.honour_noexec = false;
    if (by_ == way::polled) options.drive = autoreload::drive_mode::manual;
    options.observer = [this](const event& happened) {
      if (happened.kind == event_kind::unloaded) ++unloaded_;
      if (happened.failure) wrong_.add(happened.failure->what());
    };
    return options;
  }

  const std::string path_;
  const way by_;
  complaints& wrong_;
  std::vector<std::string> variants_;
  std::atomic<std::uint64_t> offered_{0};    // the newest build that a call may see
  std::atomic<std::uint64_t> published_{0};  // the oldest one that a call that begins now may see
  std::atomic<std::uint64_t> unloaded_{0};
  std::unique_ptr<library> lib_;
};

// One thread's calls, of every kind in turn, into all subjects.
class caller {
 public:
  caller(std::vector<subject*> subjects, complaints& wrong, const std::atomic<bool>& stop)
      : subjects_(std::move(subjects)), wrong_(wrong), stop_(stop) {}

  void run(std::size_t start) {
    static constexpr std::array<void (caller::*)(const subject&), 7> kinds{
        &caller::plain,      &caller::by_member, &caller::pinned,           &caller::nested,
        &caller::long_lived, &caller::throwing,  &caller::from_a_new_thread};
    for (std::size_t i = start; !stop_; ++i) {
      // Mostly plain calls, as in life.
      const auto kind = i % 8 == 0 ? kinds[i / 8 % kinds.size()] : &caller::plain;
      try {
        (this->*kind)(*subjects_[i % subjects_.size()]);
      } catch (const std::exception& thrown) {
        wrong_.add(thrown.what());
      }
    }
  }

  std::uint64_t calls = 0;

 private:
  // Calls `what`, which returns a stamp, and checks it against what was current in the meantime.
  template <class What>
  std::uint64_t current_during(const subject& one, What what) {
    const std::uint64_t oldest = one.published();
    const std::uint64_t seen = what();
    ++calls;
    const std::uint64_t newest = one.offered();
    if (seen < oldest || seen > newest) {
      std::ostringstream text;
      text << "a call returned build " << seen << " between " << oldest << " and " << newest;
      wrong_.add(text.str());
    }
    return seen;
  }

  void plain(const subject& one) {
    current_during(one, [&] { return one.lib()->stamp(); });
  }
  void by_member(const subject& one) {
    current_during(one, [&] { return one.lib().call<&worker_api::stamp>(); });
    current_during(one, [&] { return one.lib().try_call<&worker_api::extra>().value_or(one.lib()->stamp()); });
  }
  void pinned(const subject& one) {
    const auto pin = one.lib().pin();
    const std::uint64_t stamp = pin->stamp();
    const std::uint64_t count = pin->count();
    std::this_thread::yield();
    if (pin->stamp() != stamp) wrong_.add("a pin changed its generation");
    if (pin->variant() != stamp % libraries::variants.size()) wrong_.add("code and data of different builds");
    if (pin->count() <= count) wrong_.add("the statics of a pinned generation were reset");
    if (one.lib().generation(pin) != stamp) wrong_.add("a pin has another generation's number");
  }
  struct frame {
    caller* self;
    const subject* one;
    std::uint64_t entered = 0;
    int depth = 0;
  };
  void nested(const subject& one) {
    frame here{this, &one, 0, 0};
    current_during(one, [&] { return one.lib()->visit(&deeper, &here); });
  }
  static void deeper(void* argument) {
    auto& here = *static_cast<frame*>(argument);
    for (const subject* other : here.self->subjects_) here.self->plain(*other);
    if (++here.depth < 9) (void)here.one->lib()->visit(&deeper, &here);
  }
  // Stays inside while several generations come and go.
  void long_lived(const subject& one) {
    frame here{this, &one, one.published(), 0};
    current_during(one, [&] {
      return one.lib()->visit(
          [](void* argument) {
            auto& inside = *static_cast<frame*>(argument);
            while (inside.one->published() < inside.entered + 4 && !inside.self->stop_) {
              for (int i = 0; i < 100; ++i) inside.self->plain(*inside.one);
              std::this_thread::yield();
            }
          },
          &here);
    });
  }
  void throwing(const subject& one) {
    try {
      (void)one.lib()->visit([](void*) { throw 7; }, nullptr);
      wrong_.add("an exception was lost");
    } catch (int) {
    }
  }
  void from_a_new_thread(const subject& one) {
    std::thread([&] { plain(one); }).join();
  }

  const std::vector<subject*> subjects_;
  complaints& wrong_;
  const std::atomic<bool>& stop_;
};

class Storm : public support::EngineTest {
 protected:
  struct holdings {
    std::size_t snapshots = support::loaded_snapshots().size();
    std::size_t descriptors = support::open_descriptors();
    std::size_t code = support::mappings("memfd:");
    std::size_t mappings = support::mappings();
    std::size_t resident = support::resident();
  };

  subject& add(way by) {
    const std::string path = directory_ / ("lib" + std::to_string(subjects_.size()) + ".so");
    return *subjects_.emplace_back(std::make_unique<subject>(path, by, wrong_));
  }

  // Replaces every subject `times` times under the callers, then lets everything come to rest.
  holdings blow(std::uint64_t times) {
    std::vector<subject*> all;
    for (const auto& one : subjects_) all.push_back(one.get());
    std::atomic<bool> stop{false};
    std::vector<caller> calling(callers, caller(all, wrong_, stop));
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < callers; ++i) threads.emplace_back([&calling, i] { calling[i].run(i * 5); });
      {
        std::vector<std::jthread> replacers;
        for (subject* const one : all) {
          replacers.emplace_back([this, one, times] {
            for (std::uint64_t i = 0; i < times && wrong_.count() == 0; ++i) {
              one->replace();
              if (i % 1000 == 999) std::fprintf(stderr, "%llu reloads\n", static_cast<unsigned long long>(i + 1));
            }
          });
        }
      }
      stop = true;
    }
    for (const caller& one : calling) {
      EXPECT_GT(one.calls, 0U);
      calls_ += one.calls;
    }
    for (subject* const one : all) {
      EXPECT_TRUE(support::comes_true([&] { return one->settled(); })) << "not every old generation left";
    }
    return {};
  }

  void TearDown() override {
    EXPECT_EQ(wrong_.count(), 0U) << wrong_.text();
    RecordProperty("calls", std::to_string(calls_));
    subjects_.clear();
  }

  void rage() {
    const holdings first = blow(first_rounds);
    const auto start = std::chrono::steady_clock::now();
    const holdings last = blow(rounds - first_rounds);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%zu threads made %llu calls during %llu reloads, %.2f ms each; resident %zu KiB, then %zu KiB\n",
                callers, static_cast<unsigned long long>(calls_), static_cast<unsigned long long>(rounds),
                took.count() * 1000 / static_cast<double>(rounds - first_rounds), first.resident, last.resident);
    EXPECT_EQ(last.snapshots, first.snapshots);
    EXPECT_EQ(last.descriptors, first.descriptors);
    EXPECT_EQ(last.code, first.code);
    if (!support::sanitized) {  // a sanitizer's own memory grows
      EXPECT_LE(last.mappings, first.mappings + 2 * callers) << "more than the heaps of the threads";
      EXPECT_LE(last.resident, first.resident + 2048);
    }
  }

  complaints wrong_;
  std::vector<std::unique_ptr<subject>> subjects_;
  std::uint64_t calls_ = 0;
};

TEST_F(Storm, OnRequest) {
  add(way::on_request);
  rage();
}

TEST_F(Storm, ByTheWatcher) {
  add(way::watched);
  rage();
}

TEST_F(Storm, InAFrameLoop) {
  add(way::polled);
  rage();
}

TEST_F(Storm, OfTwoLibrariesAtOnce) {
  add(way::on_request);
  add(way::watched);
  rage();
}

}  // namespace
