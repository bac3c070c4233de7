// SPDX-License-Identifier: MIT
// guards: what programs use instead to call through something that may be replaced.
//
// SHARED  each idiom's version, replaced by one thread and used by the others. function_object and shared_pointer_copy
//         protect nothing against that (their own object may not be written meanwhile): they stand beside reloads.
#include <setjmp.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "bystander.hpp"

namespace bench {
namespace {

class function_object final : public beside_reloads<function_object> {
 public:
  std::int32_t call(std::int32_t x) { return step_(x); }

 private:
  loaded_build build_{0};
  std::function<std::int32_t(std::int32_t)> step_ = build_.step;
};

class shared_pointer_copy final : public beside_reloads<shared_pointer_copy> {
 public:
  std::int32_t call(std::int32_t x) {
    const std::shared_ptr<loaded_build> held = build_;
    return held->step(x);
  }

 private:
  std::shared_ptr<loaded_build> build_ = std::make_shared<loaded_build>(0);
};

// The last caller inside closes the old version, on its own time.
class atomic_shared_pointer final : public looped<atomic_shared_pointer> {
 public:
  std::int32_t call(std::int32_t x) {
    const std::shared_ptr<loaded_build> held = build_.load(std::memory_order_acquire);
    return held->step(x);
  }
  void replace() override { build_.store(std::make_shared<loaded_build>(++number_), std::memory_order_release); }

 private:
  std::size_t number_ = 0;
  std::atomic<std::shared_ptr<loaded_build>> build_{std::make_shared<loaded_build>(0)};
};

// The lock is held through the call; the new version is loaded before the writer's lock is asked for.
class read_write_lock final : public looped<read_write_lock> {
 public:
  std::int32_t call(std::int32_t x) {
    const std::shared_lock lock(mutex_);
    return build_->step(x);
  }
  void replace() override {
    auto next = std::make_unique<loaded_build>(++number_);
    const std::lock_guard lock(mutex_);
    build_.swap(next);
  }

 private:
  std::size_t number_ = 0;
  std::shared_mutex mutex_;
  std::unique_ptr<loaded_build> build_ = std::make_unique<loaded_build>(0);
};

// What cr.h does around each call: one buffer for the process, and a handler that jumps there from wherever it is. With
// several threads each overwrites the others' way back, so only a program's one thread may call in this way.
sigjmp_buf way_back;

class jump_buffer final : public beside_reloads<jump_buffer> {
 public:
  jump_buffer() {
    struct sigaction action {};
    action.sa_sigaction = [](int number, siginfo_t*, void*) { siglongjmp(way_back, number); };
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
    for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &action, &before_[i]);
  }
  ~jump_buffer() override {
    for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &before_[i], nullptr);
  }
  std::int32_t call(std::int32_t x) { return sigsetjmp(way_back, 0) == 0 ? build_.step(x) : 0; }

 private:
  static constexpr std::array signals{SIGILL, SIGBUS, SIGSEGV, SIGABRT};
  std::array<struct sigaction, signals.size()> before_{};
  loaded_build build_{0};
};

}  // namespace

void add_guards(std::vector<idiom_kind>& to) {
  to.push_back({"std_function", "a std::function around the pointer; not safe against replacement", idiom_kind::calm,
                &make_idiom<function_object>});
  to.push_back({"shared_ptr_copy", "a shared_ptr copied for each call; not safe against replacement by itself",
                idiom_kind::calm, &make_idiom<shared_pointer_copy>});
  to.push_back({"atomic_shared_ptr", "std::atomic<std::shared_ptr>, loaded for each call", idiom_kind::stormy,
                &make_idiom<atomic_shared_pointer>});
  to.push_back({"shared_mutex", "std::shared_mutex, locked shared through each call", idiom_kind::stormy,
                &make_idiom<read_write_lock>});
  to.push_back({"jump_buffer", "sigsetjmp into one buffer of the process around the pointer, as cr.h; for one thread",
                idiom_kind::calm, &make_idiom<jump_buffer>});
}

}  // namespace bench
