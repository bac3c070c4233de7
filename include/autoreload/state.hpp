// SPDX-License-Identifier: MIT
// state: the seam where a carrier of the library's own variables joins a reload; the core has none and needs none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/error.hpp>
#include <autoreload/language.hpp>

namespace autoreload {

/// One of the two generations of a handover. Both are loaded until the handover has ended.
struct state_side {
  std::string_view path;       ///< the library as the user named it
  std::uint64_t generation{};  ///< its number
  int file = -1;               ///< descriptor of its complete snapshot; read it with pread or mmap
  std::uintptr_t base{};       ///< what the loader added to the file's addresses
  void* handle = nullptr;      ///< dlopen's
  /// Exported variables whose one place is elsewhere, as where a linked program shares them: they are not carried, and
  /// what points to one stays.
  std::span<const std::string> shared{};
};

/// What became of a variable, a field or a heap object of the library.
enum class state_fate : std::uint8_t {
  kept,       ///< moved as it was
  converted,  ///< carried into another type or layout
  reset,      ///< has what the new build initialises it to
  dropped,    ///< the new build has none
  dangling,   ///< points into the old generation, which therefore stays loaded
};

/// One remark of a report.
struct state_remark {
  state_fate fate{};     ///< what became of it
  std::string variable;  ///< as the source names it, with its field: `world.speed`, `count in step()`
  std::string text;      ///< why, or from what to what; for a person
};

/// What a handover carried. A plain `kept` has no remark: it is only counted.
struct state_report {
  std::size_t kept = 0;               ///< variables that have their old values, converted ones included
  std::size_t variables = 0;          ///< writable variables of the new build
  std::vector<state_remark> remarks;  ///< of what did not simply keep its value
  bool needs_old = false;             ///< something still points into the old generation: it must stay loaded
};

/// The report as one line for a person, without a newline: kept 41 of 43 variables; `world.speed` float → double.
/// Thread-safety: any thread.
/// @throws std::bad_alloc
[[nodiscard]] AUTORELOAD_API std::string to_string(const state_report& report);

/// A handover that was worked out ahead. Destroyed when the handover has ended, or without carry() if the reload ended
/// otherwise.
class AUTORELOAD_API state_plan {
 public:
  virtual ~state_plan() = default;
  /// Carries the values from the old generation to the new one. Runs in the quiet moment: no thread is inside either
  /// generation. All or nothing: an error leaves the old generation's memory as it was, and the reload is refused.
  [[nodiscard]] virtual result<state_report> carry() = 0;
  /// Takes back what a successful carry() changed outside of the new generation's own memory, because a later step of
  /// the handover said no. Still in the quiet moment; the new generation will be unloaded.
  virtual void undo() noexcept {}
  /// After a successful carry(): where in the new generation that is to which an address leads in the old one, for
  /// pointers of whose type nothing is known. @return nothing when there is nothing of the kind
  [[nodiscard]] virtual std::optional<std::uintptr_t> whereabouts(std::uintptr_t) { return std::nullopt; }
  /// What is to be done before the old generation is unloaded, so that its destructors leave alone what is the new
  /// one's now. Asked for once, after carry(), in the quiet moment. The engine calls what it returns when nobody is
  /// inside of the old generation any more and `autoreload_unloading` has run, right before dlclose; on the thread that
  /// unloads, after the plan's end, and not at all if the generation stays loaded or the handover fails.
  /// @return empty: nothing
  /// @throws whatever it likes: that refuses the reload
  [[nodiscard]] virtual std::function<void()> farewell() { return {}; }
};

/// Carries state between two builds. Called by one thread at a time for one engine, possibly concurrently by several.
class AUTORELOAD_API state_carrier {
 public:
  virtual ~state_carrier() = default;
  /// Works out what carry() will do. Runs before the quiet moment, while calls go on in the old generation: what takes
  /// long (reading debug information) belongs here. Both sides are loaded and the new one is not published.
  /// @return the plan, or why nothing can be carried: then the reload is refused
  [[nodiscard]] virtual result<std::unique_ptr<state_plan>> prepare(const state_side& from, const state_side& to) = 0;
};

}  // namespace autoreload
