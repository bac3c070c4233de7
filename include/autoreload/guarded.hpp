// SPDX-License-Identifier: MIT
// guarded: calls that end with an error where the library's code crashes or hangs, and leave the program alive.
//
// SHARED  a landing belongs to its thread: to its call, and to the signal handler that interrupts it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <autoreload/engine.hpp>
#include <autoreload/pin.hpp>

namespace autoreload {

/// When a guarded call is ended that does not come back.
struct call_limit {
  /// After so long, from its beginning.
  std::chrono::nanoseconds time = (std::chrono::nanoseconds::max)();
  /// As soon as another generation runs, too: a loop that has no end is cured by saving the file that has one.
  bool or_newer_build = false;

  /// Nothing ends it.
  call_limit() = default;
  /// @param longest  after so long
  /// @param newer    as soon as another generation runs, too
  template <class Rep, class Period>
  call_limit(std::chrono::duration<Rep, Period> longest, bool newer = false)  // NOLINT(google-explicit-constructor)
      : time(longest), or_newer_build(newer) {}
};

namespace detail {

// How a call ended that did not come back.
struct call_ending {
  int signal = 0;                  // 0: it was too late, or a newer build was there
  int code = 0;                    // siginfo's
  std::uintptr_t place = 0;        // in the generation's code
  std::uintptr_t instruction = 0;  // where it was; not in the generation's code if that called a function of libc
  std::uintptr_t address = 0;      // that it used
  std::uintptr_t stack = 0;
  std::size_t entry = 0;  // of the crash table
  bool newer = false;     // a newer build was there
};

// Where a call that is ended goes on. On the stack of its caller.
class landing {
 public:
  enum class outcome : std::uint8_t { came_back, ended, impossible };

  // @param body      a function that calls the library and nothing else, and has no frames of its own below it
  // @param table     of the pinned generation
  // @param current   which table is the newest
  // @return whether the body came back, or was ended, or can't be guarded (the thread has no room for a signal's stack,
  // or a handler can't be installed) and was not called. Throws what the body throws
  AUTORELOAD_API outcome run(void (*body)(void*), void* argument, const void* table, const published& current,
                             const call_limit& limit);

  [[nodiscard]] const call_ending& ending() const noexcept { return ending_; }
  [[nodiscard]] const call_limit& limit() const noexcept { return limit_; }

 private:
  friend struct landings;
  void* stack_ = nullptr;  // first, for the assembly: of autoreload_run_guarded's frame
  landing* outer_ = nullptr;
  void (*body_)(void*) = nullptr;
  const void* table_ = nullptr;
  const published* current_ = nullptr;
  std::int64_t deadline_ = 0;  // steady clock, ns
  call_limit limit_;
  call_ending ending_;
};

// The call's pin. Not dropped when the generation has to stay and nothing else could be told so.
class guarded_pin {
 public:
  explicit guarded_pin(published& current) : held_(pin(current)) {}
  guarded_pin(const guarded_pin&) = delete;
  guarded_pin& operator=(const guarded_pin&) = delete;
  ~guarded_pin() {
    if (held_.slot != nullptr) unpin(*held_.slot);
  }
  [[nodiscard]] const void* table() const noexcept { return held_.table; }
  void keep() noexcept { held_.slot = nullptr; }

 private:
  pinned held_;
};

// A call's function, arguments and value. What runs below its body is the library's and nothing else, so the arguments
// have their parameters' types before.
template <class T, class R, class Fixed, class... More>
struct guarded_call;
template <class T, class R, class... P, class... More>
struct guarded_call<T, R, std::tuple<P...>, More...> {
  using value_type = std::conditional_t<std::is_void_v<R>, std::monostate, std::optional<R>>;

  T* target;
  std::tuple<P...> fixed;
  std::tuple<More...> more;
  [[no_unique_address]] value_type value{};

  template <class A, class B>
  struct body;
  template <std::size_t... At, std::size_t... MoreAt>
  struct body<std::index_sequence<At...>, std::index_sequence<MoreAt...>> {
    [[gnu::noinline]] static void run(void* self) {
      auto& here = *static_cast<guarded_call*>(self);
#ifdef __cpp_exceptions
      try {
#endif
        if constexpr (std::is_void_v<R>) {
          here.target(static_cast<P&&>(std::get<At>(here.fixed))..., std::get<MoreAt>(here.more)...);
        } else {
          here.value.emplace(
              here.target(static_cast<P&&>(std::get<At>(here.fixed))..., std::get<MoreAt>(here.more)...));
        }
#ifdef __cpp_exceptions
      } catch (...) {
        note_exception_from(reinterpret_cast<const void*>(here.target));
        throw;
      }
#endif
    }
  };
  static constexpr void (*run)(void*) =
      &body<std::make_index_sequence<sizeof...(P)>, std::make_index_sequence<sizeof...(More)>>::run;
};

template <class Plain>
struct guarded_types;
template <class R, class... P>
struct guarded_types<R(P...)> {
  using value = R;
  template <class T, class... A>
  static guarded_call<T, R, std::tuple<P...>> make(T* target, A&&... arguments) {
    return {target, {std::forward<A>(arguments)...}, {}, {}};
  }
};
template <class R, class... P>
struct guarded_types<R(P..., ...)> {
  using value = R;
  template <class T, class... More>
  static guarded_call<T, R, std::tuple<P...>, std::decay_t<More>...> make(T* target, P... fixed, More&&... more) {
    return {target, {static_cast<P&&>(fixed)...}, {std::forward<More>(more)...}, {}};
  }
};

template <class Field>
struct field_parts;
template <fixed_string Name, class T, bool Required>
struct field_parts<field<Name, T, Required>> {
  static_assert(std::is_function_v<T>, "only a function can be called");
  using types = guarded_types<typename function_parts<T*>::plain>;
};

template <auto Member, class Api, class... A>
auto call_guarded(const engine& engine, published& current, const call_limit& limit, A&&... arguments) {
  using member = std::remove_cvref_t<decltype(std::declval<const Api&>().*Member)>;
  using types = typename field_parts<member>::types;
  using answer = result<typename types::value>;
  guarded_pin held(current);
  if (held.table() == not_loaded_table<Api>()) return answer(engine.no_call(nullptr));
  auto* const target = (static_cast<const Api*>(held.table())->*Member).unsafe_address();
  if (target == nullptr) return answer(engine.no_call(member::info.name));
  auto call = types::make(target, std::forward<A>(arguments)...);
  landing here;
  const landing::outcome how = here.run(call.run, &call, held.table(), current, limit);
  if (how == landing::outcome::impossible) return answer(engine.no_guard());
  if (how == landing::outcome::ended) {
    bool keep = false;
    error why = engine.ended(here, held.table(), keep);
    if (keep) held.keep();
    return answer(std::move(why));
  }
  engine.came_back(held.table());
  if constexpr (std::is_void_v<typename types::value>) {
    return answer();
  } else {
    return answer(*std::move(call.value));
  }
}

}  // namespace detail
}  // namespace autoreload
