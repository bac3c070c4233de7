// SPDX-License-Identifier: MIT
// error: the one error type of the library, and result<T>, which carries a value or an error.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <autoreload/language.hpp>

namespace autoreload {

/// Where in the pipeline something went wrong: watch, snapshot, inspect, guard (the ABI), trial, load, verify, handover
/// (from the old generation to the new one), publish, retire. `use` is for a wrong argument or a call that can't be
/// made now, `build` for what comes before the pipeline: a rebuilder's command; `call` for what comes after it: a
/// guarded call that crashed or hung.
enum class stage : std::uint8_t {
  use,
  watch,
  snapshot,
  inspect,
  guard,
  trial,
  load,
  verify,
  publish,
  retire,
  build,
  handover,
  call
};

/// The stage's name in lower case, for people and for logs. Never fails, any thread.
[[nodiscard]] AUTORELOAD_API std::string_view to_string(stage at) noexcept;

/// A symbol that the API struct requires and the library does not have.
struct missing_symbol {
  std::string name;     ///< as dlsym was asked for it
  std::string type;     ///< its C declaration, for example `int foo(void)`
  std::string nearest;  ///< the most similar name that the library does export, or empty
};

/// What went wrong, where, and what the user can do. A value: copy it, keep it, throw it.
///
/// Thread-safety: as a std::string. Ownership: all text is its own.
class AUTORELOAD_API error : public std::exception {
 public:
  /// @param at      the stage that refused
  /// @param path    the file as the user named it; empty when no file is concerned
  /// @param reason  one sentence without a full stop
  error(stage at, std::string path, std::string reason);

  /// The system's own words (dlerror, strerror), kept as they are.
  error& system(std::string text);
  /// What the user can do about it.
  error& advise(std::string text);
  /// Every missing required symbol.
  error& missing(std::vector<missing_symbol> symbols);
  /// Names the file by another path: a snapshot's name means nothing to the user.
  error& rename(std::string path);

  [[nodiscard]] stage at() const noexcept { return at_; }                       ///< which stage refused
  [[nodiscard]] const std::string& path() const noexcept { return path_; }      ///< the file, or empty
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }  ///< one sentence
  [[nodiscard]] const std::string& system() const noexcept { return system_; }  ///< dlerror's words, say
  [[nodiscard]] const std::string& advice() const noexcept { return advice_; }  ///< what to do, or empty
  [[nodiscard]] const std::vector<missing_symbol>& missing() const noexcept { return missing_; }  ///< required symbols

  /// All of the above as text of one or more lines, without a newline at the end.
  [[nodiscard]] const char* what() const noexcept override;

 private:
  void compose();

  stage at_;
  std::string path_;
  std::string reason_;
  std::string system_;
  std::string advice_;
  std::vector<missing_symbol> missing_;
  std::string text_;
};

namespace detail {
// Thrown in the library, so that a host compiled without exceptions can include this header.
[[noreturn]] AUTORELOAD_API void throw_error(const error& failure);
}  // namespace detail

/// A value of type T or an error. Test it before use: `if (!r) report(r.error());`.
///
/// std::expected belongs to C++23; this is the small part of it that the library needs.
template <class T>
class [[nodiscard]] result {
 public:
  /// Success.
  result(T value) : held_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  /// Failure.
  result(autoreload::error failure)  // NOLINT(google-explicit-constructor)
      : held_(std::in_place_index<1>, std::move(failure)) {}

  /// Whether it is a success.
  [[nodiscard]] explicit operator bool() const noexcept { return held_.index() == 0; }
  /// @{
  /// The value. Undefined for a failure.
  [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*std::get_if<0>(&held_)); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&held_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&held_); }
  /// @}
  /// @{
  /// The error. Undefined for a success.
  [[nodiscard]] autoreload::error& error() noexcept { return *std::get_if<1>(&held_); }
  [[nodiscard]] const autoreload::error& error() const noexcept { return *std::get_if<1>(&held_); }
  /// @}

  /// The value, or throws the error.
  T value() && {
    if (!*this) detail::throw_error(error());
    return std::move(*std::get_if<0>(&held_));
  }

 private:
  std::variant<T, autoreload::error> held_;
};

/// Success or an error.
template <>
class [[nodiscard]] result<void> {
 public:
  result() = default;
  /// Failure.
  result(autoreload::error failure) : held_(std::move(failure)) {}  // NOLINT(google-explicit-constructor)

  /// Whether it is a success.
  [[nodiscard]] explicit operator bool() const noexcept { return held_.index() == 0; }
  /// @{
  /// The error. Undefined for a success.
  [[nodiscard]] autoreload::error& error() noexcept { return *std::get_if<1>(&held_); }
  [[nodiscard]] const autoreload::error& error() const noexcept { return *std::get_if<1>(&held_); }
  /// @}
  /// Throws the error, if it is one.
  void value() && {
    if (!*this) detail::throw_error(error());
  }

 private:
  std::variant<std::monostate, autoreload::error> held_;
};

}  // namespace autoreload
