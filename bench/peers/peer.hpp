// SPDX-License-Identifier: MIT
// peer: another library's way to do what this one does, for the same library and in the same harness.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace bench {

using step_function = std::int32_t (*)(std::int32_t);
inline constexpr const char* step_name = "callee_step";

/// A library that a peer has open. The loops are the measured part: x = step(x), `calls` times.
class opened {
 public:
  opened() = default;
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  virtual ~opened() = default;
  /// In the idiom that the peer's documentation advises for calling more than once.
  virtual std::int32_t run(int calls, std::int32_t x) = 0;
  /// With the symbol looked up for each call.
  virtual std::int32_t run_looked_up(int calls, std::int32_t x) = 0;
};

/// The loops around Derived::call(x) and Derived::look_up_and_call(x), the same for all that are written in C++.
template <class Derived>
class opened_by : public opened {
 public:
  std::int32_t run(int calls, std::int32_t x) final {
    for (; calls > 0; --calls) x = static_cast<Derived*>(this)->call(x);
    return x;
  }
  std::int32_t run_looked_up(int calls, std::int32_t x) final {
    for (; calls > 0; --calls) x = static_cast<Derived*>(this)->look_up_and_call(x);
    return x;
  }
};

struct peer {
  const char* name;
  const char* load_label;  ///< what exactly each row does; null: there is no such row
  const char* call_label;
  const char* lookup_label;

  /// Opens the library, resolves one function, calls it once and closes. @return the call's result; anything else, or
  /// an exception, is a failure
  std::int32_t (*load)(const char* path, std::int32_t x);
  std::unique_ptr<opened> (*open)(const char* path);
};

/// Those that were compiled in. Each adds itself from its own file.
[[nodiscard]] std::vector<peer>& peers();

template <class Opened>
std::unique_ptr<opened> open_by(const char* path) {
  return std::make_unique<Opened>(path);
}

struct add_peer {
  explicit add_peer(const peer& one) { peers().push_back(one); }
};

}  // namespace bench
