// SPDX-License-Identifier: MIT
// idiom: one way to call a library's function, as a program would write it. The same compiled loop is measured in time
// (call_overhead), in instructions (count_instructions) and call by call (storm_histogram).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace bench {

class idiom {
 public:
  idiom() = default;
  idiom(const idiom&) = delete;
  idiom& operator=(const idiom&) = delete;
  virtual ~idiom() = default;

  /// What a thread does once before its first and after its last call. Not measured.
  virtual void enter() {}
  virtual void leave() {}

  /// The measured loop: `x = step(x)`, `calls` times. Any thread between enter() and leave().
  /// @return x
  virtual std::int32_t run(int calls, std::int32_t x) = 0;

  /// Replaces the library under its callers by another build, and has unloaded the old one when it returns (but where
  /// the idiom leaves that to the last caller). One thread. Where nothing can be replaced under this idiom's callers,
  /// the same is done to a library of the engine's that nobody calls, so that all rows carry the same load.
  virtual void replace() = 0;
};

/// The loop around Derived::call(x), the same for all.
template <class Derived>
class looped : public idiom {
 public:
  std::int32_t run(int calls, std::int32_t x) final {
    for (; calls > 0; --calls) x = static_cast<Derived*>(this)->call(x);
    return x;
  }
};

struct idiom_kind {
  const char* name;
  const char* label;  ///< what exactly it does
  /// Whether its rows are also measured while replace() runs all the time.
  enum : std::uint8_t { calm, stormy } weather;
  std::unique_ptr<idiom> (*make)();
};

template <class Idiom>
std::unique_ptr<idiom> make_idiom() {
  return std::make_unique<Idiom>();
}

// In the order of the tables; each is defined in the file of its name.
void add_linked(std::vector<idiom_kind>& to);
void add_linked_no_plt(std::vector<idiom_kind>& to);
void add_loaders(std::vector<idiom_kind>& to);
void add_reloadable(std::vector<idiom_kind>& to);
void add_guards(std::vector<idiom_kind>& to);
void add_liburcu(std::vector<idiom_kind>& to);  // adds nothing where liburcu is not installed

[[nodiscard]] std::vector<idiom_kind> all_idioms();

}  // namespace bench
