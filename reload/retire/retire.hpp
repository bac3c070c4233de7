// SPDX-License-Identifier: MIT
// retire: unloads an old generation once no thread can be inside it, and says so, or why it could not.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reload/generation.hpp"

namespace autoreload {

/// Lets a snapshot go whose library was opened and closed again. Should the library stay all the same, its snapshot
/// does, too: the loader knows the library by the number of the descriptor, and would take the next file under that
/// number for it.
void let_go(snapshot image) noexcept;

/// What became of an old generation.
struct retirement {
  std::uint64_t generation;
  bool unloaded;       ///< false: it stays, see text; it may still be reported as unloaded later
  std::string text;    ///< for a person
  bool stuck = false;  ///< a call doesn't come back from it
};

/// The generations of one engine that are no longer published. Not thread-safe: the engine's pipeline owns it.
class retirer {
 public:
  /// @param check  who may come back beside the pins; null: nobody
  explicit retirer(std::shared_ptr<unload_check> check);
  retirer(const retirer&) = delete;
  retirer& operator=(const retirer&) = delete;
  ~retirer() { abandon(); }

  /// Takes generations that were unpublished before this call.
  /// @param keep  never unload them, only account for them
  void add(generations& old, bool keep) noexcept;

  /// Lets one run again that is still loaded, and moves it to `into`. @return whether there is one
  bool take_back(std::uint64_t number, generations& into) noexcept;
  /// Nothing goes back to it but by its number.
  void mark_bad(std::uint64_t number) noexcept;
  [[nodiscard]] const generation* loaded(std::uint64_t number) const noexcept;

  /// Unloads every generation that nobody pins, and looks again at those that were closed but did not leave. One
  /// membarrier if anything was added since the last call. Doesn't wait for anybody.
  /// @param stuck_after  how long a pin may be held before it counts as a call that hangs; 0: it never does
  /// @param wait         for the searches of who may come back beside the pins
  [[nodiscard]] std::vector<retirement> sweep(std::chrono::milliseconds stuck_after, bool wait = false);

  /// Gives what can't be unloaded now to a place that every retirer of the process sweeps.
  void abandon() noexcept;

  /// Whether another sweep could do something.
  [[nodiscard]] bool pending() const noexcept { return !waiting_.empty(); }
  [[nodiscard]] const generations& waiting() const noexcept { return waiting_; }
  /// Those that were unloaded since this was asked last: without code, with their snapshots.
  [[nodiscard]] generations unloaded() noexcept { return std::exchange(unloaded_, {}); }

 private:
  const std::shared_ptr<unload_check> check_;
  generations waiting_;
  generations unloaded_;
  bool fresh_ = false;  // something was added since the last grace_barrier
  bool told_ = false;   // that membarrier is refused by now
};

}  // namespace autoreload
