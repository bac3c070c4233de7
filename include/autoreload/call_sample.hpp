// SPDX-License-Identifier: MIT
// call_sample: some of the calls that a host really made, for the trial load to repeat on a new build.
//
// SHARED  the calls, guarded by a mutex that a caller only tries to take: who finds it taken is not recorded, and waits
//         for nobody.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <autoreload/language.hpp>
#include <autoreload/symbol.hpp>

namespace autoreload {

/// A number that a function takes or returns.
struct call_value {
  /// What the bits mean.
  enum class type : std::uint8_t { none, boolean, signed_integer, unsigned_integer, single, real };
  type is = type::none;    ///< of these bits
  std::uint8_t size = 0;   ///< bytes: of an integer
  std::uint64_t bits = 0;  ///< as a register holds it

  /// Of one type and size, with the same bits.
  friend bool operator==(const call_value&, const call_value&) = default;
};

/// A number as C writes it. Any thread.
[[nodiscard]] AUTORELOAD_API std::string to_string(const call_value& value);

/// One call. A value.
struct recorded_call {
  /// A function takes no more than six integers and eight floating-point numbers, so that each has a register.
  static constexpr std::size_t most_arguments = 14;

  const char* symbol = "";                             ///< the function's name; lives as long as the host's code
  std::uint8_t count = 0;                              ///< of arguments
  std::array<call_value, most_arguments> arguments{};  ///< the first `count` of them
  call_value result;                                   ///< says what is returned; the value itself is not recorded

  /// Of the same symbol, with the same arguments.
  friend bool operator==(const recorded_call&, const recorded_call&) = default;
};

/// A call as C writes it: `scale(3, 0.5)`. Any thread.
[[nodiscard]] AUTORELOAD_API std::string to_string(const recorded_call& call);

namespace detail {

template <class T>
inline constexpr bool fits_a_register = sizeof(T) <= 8 &&
                                        (std::is_arithmetic_v<T> || std::is_enum_v<T>);  // no long double, no __int128

template <class T>
constexpr call_value value_of(T value) noexcept {
  static_assert(fits_a_register<T>, "only numbers can be recorded: what a pointer leads to is the host's");
  if constexpr (std::is_same_v<T, bool>) {
    return {call_value::type::boolean, 1, value ? 1U : 0U};
  } else if constexpr (std::is_same_v<T, float>) {
    return {call_value::type::single, sizeof value, std::bit_cast<std::uint32_t>(value)};
  } else if constexpr (std::is_same_v<T, double>) {
    return {call_value::type::real, sizeof value, std::bit_cast<std::uint64_t>(value)};
  } else if constexpr (std::is_enum_v<T>) {
    return value_of(static_cast<std::underlying_type_t<T>>(value));
  } else {
    const bool is_signed = std::is_signed_v<T>;
    const auto type = is_signed ? call_value::type::signed_integer : call_value::type::unsigned_integer;
    return {type, sizeof value, static_cast<std::uint64_t>(value)};
  }
}

template <class Plain>
struct recordable {
  static_assert(!std::is_same_v<Plain, Plain>, "a variadic function can't be recorded");
};
template <class R, class... P>
struct recordable<R(P...)> {
  static constexpr std::size_t floating = (std::size_t{0} + ... + (std::is_floating_point_v<P> ? 1U : 0U));
  static_assert(floating <= 8 && sizeof...(P) - floating <= 6, "too many arguments to be recorded");

  using arguments = std::tuple<std::remove_cv_t<P>...>;  // converted to the parameters' types

  static recorded_call call(const char* symbol, const arguments& given) {
    recorded_call made{symbol, sizeof...(P), {}, {}};
    made.arguments = std::apply([](auto... one) { return decltype(made.arguments){value_of(one)...}; }, given);
    if constexpr (!std::is_void_v<R>) made.result = value_of(std::remove_cv_t<R>{});
    made.result.bits = 0;
    return made;
  }
};

// What a pointer to a member of an API struct says of the function.
template <class Pointer>
struct recorded_member;
template <class Api, fixed_string Name, class T, bool Required>
struct recorded_member<field<Name, T, Required> Api::*> {
  static_assert(std::is_function_v<T>, "only a function can be called");
  using plain = typename function_parts<T*>::plain;
  static_assert(std::is_same_v<T, plain>, "a function of another calling convention can't be recorded");
  using types = recordable<plain>;
  static constexpr const char* name = Name.text;
};

}  // namespace detail

/// A sample of calls with plain numbers as arguments. A trial load repeats them on each new build, in a process of its
/// own (see trial_policy::sample): a build that crashes, exits or hangs in one of them is refused, and a warning says
/// which ones it answers in another way than the generation that runs.
///
/// Of many calls it keeps some, each as likely as any other, in the order in which they were made.
/// Thread-safety: any thread, any number at a time.
class call_sample {
 public:
  /// @param most  calls that are kept; up to 4,096
  AUTORELOAD_API explicit call_sample(std::size_t most = 64);

  /// Calls `lib->foo(arguments…)` and records it: `sample->call<&FooApi::foo>(lib, 3, 0.5)`. The library is not asked
  /// first: a call that throws is recorded, too. @throws what the call throws
  template <auto Member, class Library, class... A>
  decltype(auto) call(const Library& lib, A&&... arguments) {
    using of = recorded<Member>;
    const typename of::types::arguments given(std::forward<A>(arguments)...);
    note(of::types::call(of::name, given));
    const auto pinned = lib.pin();
    return std::apply((*pinned).*Member, given);
  }
  /// Records a call that nobody makes now: `sample->record<&FooApi::foo>(3, 0.5)`. It is kept in any case; of these
  /// there is room for 4,096. @throws std::bad_alloc
  template <auto Member, class... A>
  void record(A&&... arguments) {
    using of = recorded<Member>;
    add(of::types::call(of::name, typename of::types::arguments(std::forward<A>(arguments)...)));
  }

  /// What was kept, each call once, in order.
  [[nodiscard]] AUTORELOAD_API std::vector<recorded_call> calls() const;

 private:
  struct kept {
    std::uint64_t order;
    recorded_call call;
  };

  template <auto Member>
  using recorded = detail::recorded_member<std::remove_cv_t<decltype(Member)>>;

  AUTORELOAD_API void add(const recorded_call& call);
  AUTORELOAD_API void note(const recorded_call& call) noexcept;

  mutable std::mutex mutex_;
  const std::size_t most_;
  std::uint64_t seen_ = 0;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;
  std::vector<kept> sampled_;
  std::vector<kept> chosen_;
};

}  // namespace autoreload
