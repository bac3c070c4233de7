// SPDX-License-Identifier: MIT
// guarded_storm_test: every tenth build crashes, every tenth hangs, every tenth overflows the stack, under several
// threads that call it guarded. The program lives, each error names the right line, a good generation answers, and
// nothing stays but what is quarantined.
//
// A short form by default. ./dev storm guarded runs the long one: AUTORELOAD_STORM_ROUNDS=10000.
#include <malloc.h>
#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "faulty_support.hpp"

using namespace std::chrono_literals;
using autoreload::event_kind;
using support::faulty_api;
using support::line_of;

namespace {

const std::uint64_t rounds = [] {
  const char* const text = std::getenv("AUTORELOAD_STORM_ROUNDS");
  return text != nullptr ? std::stoull(text) : 60;
}();
const std::uint64_t warm = 20;                               // builds after which all threads and caches are there
const std::uint64_t calm = rounds < 200 ? 20 : rounds / 10;  // good builds at the end, which must leave nothing

bool crashes(std::uint64_t number) { return number % 10 == 3; }
bool hangs(std::uint64_t number) { return number % 10 == 5; }
bool overflows(std::uint64_t number) { return number % 10 == 7; }
bool is_bad(std::uint64_t number) { return crashes(number) || hangs(number) || overflows(number); }

// What the process holds.
struct holdings {
  std::int64_t descriptors = 0;
  std::int64_t mappings = 0;
  std::int64_t heap = 0;      // bytes that are allocated
  std::int64_t resident = 0;  // bytes of memory of its own

  static holdings now() {
    holdings all;
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) ++all.descriptors;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) ++all.mappings;
    const struct mallinfo2 info = mallinfo2();
    all.heap = static_cast<std::int64_t>(info.uordblks + info.hblkhd);
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("RssAnon:")) all.resident = std::stoll(line.substr(8)) * 1024;
    }
    return all;
  }
  friend holdings operator-(const holdings& one, const holdings& other) {
    return {one.descriptors - other.descriptors, one.mappings - other.mappings, one.heap - other.heap,
            one.resident - other.resident};
  }
};

void tell(const char* when, std::uint64_t builds, std::uint64_t quarantined, const holdings& more) {
  std::printf(
      "%s: %llu builds and %llu quarantined more, with %lld descriptors, %lld mappings, %lld KB of heap, "
      "%lld KB resident\n",
      when, static_cast<unsigned long long>(builds), static_cast<unsigned long long>(quarantined),
      static_cast<long long>(more.descriptors), static_cast<long long>(more.mappings),
      static_cast<long long>(more.heap / 1024), static_cast<long long>(more.resident / 1024));
}

// What went wrong, the first few times.
class complaints {
 public:
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (texts_.size() < 5) texts_.insert(text);
    any_ = true;
  }
  [[nodiscard]] bool any() const { return any_; }
  [[nodiscard]] const std::set<std::string>& texts() const { return texts_; }  // once all threads have ended

 private:
  std::mutex mutex_;
  std::atomic<bool> any_{false};
  std::set<std::string> texts_;
};

class GuardedStorm : public testing::Test {
 protected:
  GuardedStorm() {
    rlimit limit{};  // each quarantined generation keeps a descriptor
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    support::put_faulty(path_, 1);
    lib_.emplace(path_, chosen());
  }

  autoreload::options chosen() {
    autoreload::options options;
    options.trust.honour_noexec = false;
    options.drive = autoreload::drive_mode::manual;
    options.observer = [this](const autoreload::event& one) {
      quarantined_ += one.kind == event_kind::quarantined ? 1U : 0U;
      if (one.kind == event_kind::loaded) build_of_[one.generation] = offered_;
    };
    return options;
  }

  // What a thread does that calls, until the end.
  void call() {
    while (!stop_) {
      const auto value = lib_->guarded_for<&faulty_api::by_stamp>({250ms, true});
      if (value) {
        ++answers_;
        if (is_bad(*value) || *value > offered_) wrong_.add("build " + std::to_string(*value) + " answered");
        continue;
      }
      const std::string text = value.error().reason();
      // Ended for nothing: a thread may lose its processor for longer than any limit, or while a newer build comes.
      const bool looped = text.find("faulty_loops") != std::string::npos;
      const bool recursed = text.find("faulty_recurses") != std::string::npos;
      if (text.find("SIGSEGV") == std::string::npos && !looped && !recursed) {
        ++late_;
        continue;
      }
      const std::lock_guard lock(ends_mutex_);
      ends_.push_back(text);
    }
  }

  // Puts a build in place and waits until it runs, or has run and is quarantined.
  void offer(std::uint64_t number) {
    const std::uint64_t gone = quarantined_;
    offered_ = number;
    support::put_faulty(path_, number);
    lib_->poll();
    const auto deadline = std::chrono::steady_clock::now() + support::patience;
    const auto seen = [&] { return is_bad(number) ? quarantined_ > gone : (*lib_)->stamp() == number; };
    while (!seen() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(1ms);
      lib_->poll();
    }
    if (late_ == 0 && !seen()) wrong_.add("build " + std::to_string(number) + " was not seen");
    if (number % 1000 == 0) std::fprintf(stderr, "%llu builds\n", static_cast<unsigned long long>(number));
  }

  // Whether an error is that of the build which its generation was loaded from.
  void judge(const std::string& text) {
    const std::size_t at = text.find("generation ");
    const auto build = at == std::string::npos ? build_of_.end() : build_of_.find(std::stoull(text.substr(at + 11)));
    const auto has = [&](const std::string& part) { return text.find(part) != std::string::npos; };
    const bool right = build != build_of_.end() &&
                       ((crashes(build->second) && has("SIGSEGV") && has("hidden_writer+0x") && has(crash_)) ||
                        (hangs(build->second) && !has("SIGSEGV") && has("faulty_loops+0x") && has(loop_)) ||
                        (overflows(build->second) && has("faulty_recurses+0x") && has("faulty.c:")));
    if (!right) wrong_.add(text);
  }

  const support::temp_directory directory_;
  const std::string path_ = directory_ / "libfaulty.so";
  const std::string crash_ = line_of("hidden_writer");
  const std::string loop_ = line_of("loops");
  complaints wrong_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> offered_{1};
  std::atomic<std::uint64_t> quarantined_{0};
  std::atomic<std::uint64_t> late_{0};
  std::atomic<std::uint64_t> answers_{0};
  std::mutex ends_mutex_;
  std::vector<std::string> ends_;
  std::map<std::uint64_t, std::uint64_t> build_of_;  // of the thread that polls
  std::optional<support::faulty_library> lib_;
};

TEST_F(GuardedStorm, IsSurvived) {
  struct {
    holdings held;
    std::uint64_t quarantined;
  } early{}, late{}, last{};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([this] { call(); });
    for (std::uint64_t number = 2; number <= rounds && !wrong_.any(); ++number) {
      offer(number);
      if (number == warm) early = {holdings::now(), quarantined_};
    }
    late = {holdings::now(), quarantined_};
    for (std::uint64_t i = 1; i <= calm && !wrong_.any(); ++i) offer((rounds / 10 + i) * 10);
    last = {holdings::now(), quarantined_};
    stop_ = true;
  }
  for (const std::string& text : ends_) judge(text);
  for (const std::string& text : wrong_.texts()) ADD_FAILURE() << text;

  const std::uint64_t bad = rounds / 10 * 3;
  EXPECT_GE(quarantined_, bad);
  EXPECT_LE(quarantined_, bad + late_);
  EXPECT_GE(ends_.size(), bad);
  EXPECT_GT(answers_, rounds);
  const auto more = static_cast<std::int64_t>(late.quarantined - early.quarantined);
  const holdings grown = late.held - early.held;
  tell("the storm", rounds - warm, late.quarantined - early.quarantined, grown);
  EXPECT_LE(grown.descriptors, more + 8) << "one for each that is quarantined";
  EXPECT_LE(grown.mappings, 6 * more + 64);
  EXPECT_LE(grown.heap, more * 24576 + (std::int64_t{1} << 20));
  const auto afterwards = static_cast<std::int64_t>(last.quarantined - late.quarantined);
  const holdings left = last.held - late.held;
  tell("good builds afterwards", calm, last.quarantined - late.quarantined, left);
  EXPECT_LE(left.descriptors, afterwards + 8);
  EXPECT_LE(left.mappings, 6 * afterwards + 64);
  EXPECT_LE(left.heap, afterwards * 24576 + (std::int64_t{1} << 18)) << "a good build leaves nothing";
  std::printf("%llu calls answered, %zu ended\n", static_cast<unsigned long long>(answers_.load()), ends_.size());
}

}  // namespace
