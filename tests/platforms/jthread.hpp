// SPDX-License-Identifier: MIT
// jthread: std::jthread as far as the tests use it, for libc++ before version 20. Put before each source by -include.
#pragma once

#if __cplusplus >= 202002L  // Meson tries the compiler out without its standard first
#include <atomic>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

namespace std {  // NOLINT(cert-dcl58-cpp): it stands in for what is missing there

class stop_token {
 public:
  explicit stop_token(shared_ptr<atomic<bool>> asked) : asked_(move(asked)) {}
  [[nodiscard]] bool stop_requested() const { return *asked_; }

 private:
  shared_ptr<atomic<bool>> asked_;
};

class jthread {
 public:
  jthread() = default;
  template <class F>
  requires(!is_same_v<remove_cvref_t<F>, jthread>) explicit jthread(F&& run)
      : asked_(make_shared<atomic<bool>>(false)),
        thread_([run = decay_t<F>(forward<F>(run)), token = stop_token(asked_)]() mutable {
          if constexpr (is_invocable_v<decay_t<F>&, stop_token>) {
            run(token);
          } else {
            run();
          }
        }) {}
  jthread(jthread&&) = default;
  jthread& operator=(jthread&& other) {
    finish();
    asked_ = move(other.asked_);
    thread_ = move(other.thread_);
    return *this;
  }
  ~jthread() { finish(); }

  void request_stop() { *asked_ = true; }
  void join() { thread_.join(); }
  [[nodiscard]] bool joinable() const { return thread_.joinable(); }
  [[nodiscard]] thread::id get_id() const { return thread_.get_id(); }
  [[nodiscard]] thread::native_handle_type native_handle() { return thread_.native_handle(); }

 private:
  void finish() {
    if (!thread_.joinable()) return;
    request_stop();
    thread_.join();
  }

  shared_ptr<atomic<bool>> asked_ = make_shared<atomic<bool>>(false);
  thread thread_;
};

}  // namespace std
#endif
