// SPDX-License-Identifier: MIT
// reloadable: the engine's calls, safe while the library that they call is replaced.
#include <chrono>

#include "builds.hpp"
#include "idiom.hpp"

namespace bench {
namespace {

template <class Derived>
class on_engine : public looped<Derived> {
 public:
  void enter() final { autoreload::attach_thread(); }
  void replace() final { callee_.replace(); }

 protected:
  [[nodiscard]] const autoreload::reloadable<callee_api>& library() const noexcept { return callee_.get(); }

 private:
  reloaded_callee<> callee_;
};

class reloadable_call final : public on_engine<reloadable_call> {
 public:
  std::int32_t call(std::int32_t x) { return library()->step(x); }
};

class member_call final : public on_engine<member_call> {
 public:
  std::int32_t call(std::int32_t x) { return library().call<&callee_api::step>(x); }
};

class try_present final : public on_engine<try_present> {
 public:
  std::int32_t call(std::int32_t x) { return library().try_call<&callee_api::present>(x).value_or(x); }
};

class try_absent final : public on_engine<try_absent> {
 public:
  std::int32_t call(std::int32_t x) { return library().try_call<&callee_api::absent>(x).value_or(x); }
};

class pin_and_call final : public on_engine<pin_and_call> {
 public:
  std::int32_t call(std::int32_t x) {
    const auto pin = library().pin();
    return pin->step(x);
  }
};

class guarded_call final : public on_engine<guarded_call> {
 public:
  std::int32_t call(std::int32_t x) { return *library().guarded<&callee_api::step>(x); }
};

class guarded_call_for final : public on_engine<guarded_call_for> {
 public:
  std::int32_t call(std::int32_t x) { return *library().guarded_for<&callee_api::step>(std::chrono::minutes(1), x); }
};

class nested_call final : public on_engine<nested_call> {
 public:
  // The outer call's pin is made before its argument is evaluated.
  std::int32_t call(std::int32_t x) { return library()->step(library()->step(x)); }
};

// One pin for each run of the loop: in call_overhead that is 1,000 calls.
class pin_explicit final : public idiom {
 public:
  void enter() override { autoreload::attach_thread(); }
  void replace() override { callee_.replace(); }
  std::int32_t run(int calls, std::int32_t x) override {
    const auto pin = callee_.get().pin();
    for (; calls > 0; --calls) x = pin->step(x);
    return x;
  }

 private:
  reloaded_callee<> callee_;
};

// Between two poll()s of a frame loop.
class frame_call final : public looped<frame_call> {
 public:
  frame_call() { callee_.poll(); }
  void enter() override { autoreload::attach_thread(); }
  void replace() override { callee_.replace(); }
  std::int32_t call(std::int32_t x) { return callee_.get().frame().step(x); }

 private:
  reloaded_callee<> callee_{true};
};

// One frame for each run of the loop.
class frame_pin_call final : public idiom {
 public:
  void enter() override { autoreload::attach_thread(); }
  void replace() override { callee_.replace(); }
  std::int32_t run(int calls, std::int32_t x) override {
    auto frame = callee_.get().frame_pin();
    frame.quiescent();
    return run_in(frame, calls, x);
  }

 private:
  // By itself, as the branch to a renewal would turn the loop round.
  [[gnu::noinline]] static std::int32_t run_in(const autoreload::frame_pin<callee_api>& frame, int calls,
                                               std::int32_t x) {
    for (; calls > 0; --calls) x = frame->step(x);
    return x;
  }

  reloaded_callee<> callee_;
};

}  // namespace

void add_reloadable(std::vector<idiom_kind>& to) {
  to.push_back({"reloadable", "the engine: lib->step(x)", idiom_kind::stormy, &make_idiom<reloadable_call>});
  to.push_back(
      {"reloadable_member", "the engine: lib.call<&api::step>(x)", idiom_kind::calm, &make_idiom<member_call>});
  to.push_back({"reloadable_try_present", "the engine: lib.try_call<&api::present>(x)", idiom_kind::calm,
                &make_idiom<try_present>});
  to.push_back({"reloadable_try_absent", "the engine: try_call of a symbol that is not there", idiom_kind::calm,
                &make_idiom<try_absent>});
  to.push_back({"reloadable_guarded", "the engine: lib.guarded<&api::step>(x), which survives a crash",
                idiom_kind::calm, &make_idiom<guarded_call>});
  to.push_back({"reloadable_guarded_for",
                "the engine: lib.guarded_for<&api::step>(1min, x), which survives a hang, too", idiom_kind::calm,
                &make_idiom<guarded_call_for>});
  to.push_back({"reloadable_nested", "the engine: lib->step(lib->step(x)), two calls, one inside the other's pin",
                idiom_kind::calm, &make_idiom<nested_call>});
  to.push_back({"pin_explicit", "the engine: one pin for 1,000 calls", idiom_kind::stormy, &make_idiom<pin_explicit>});
  to.push_back(
      {"frame", "the engine: lib.frame().step(x), between two poll()s", idiom_kind::calm, &make_idiom<frame_call>});
  to.push_back({"frame_pin", "the engine: frame->step(x) of a frame_pin, renewed once in 1,000 calls",
                idiom_kind::stormy, &make_idiom<frame_pin_call>});
  to.push_back({"pin_and_call", "the engine: a pin made, called through and dropped each time", idiom_kind::stormy,
                &make_idiom<pin_and_call>});
}

}  // namespace bench
