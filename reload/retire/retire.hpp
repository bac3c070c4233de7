// SPDX-License-Identifier: MIT
// retire: unloads an old generation once no thread can be inside it, and says so, or why it could not.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
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
  bool unloaded;     ///< false: it stays, see text; it may still be reported as unloaded later
  std::string text;  ///< for a person
};

/// The generations of one engine that are no longer published. Not thread-safe: the engine's pipeline owns it.
class retirer {
 public:
  retirer();
  retirer(const retirer&) = delete;
  retirer& operator=(const retirer&) = delete;
  ~retirer() { abandon(); }

  /// Takes generations that were unpublished before this call.
  /// @param keep  never unload them, only account for them
  void add(generations& old, bool keep) noexcept;

  /// Unloads every generation that nobody pins, and looks again at those that were closed but did not leave. One
  /// membarrier if anything was added since the last call. Doesn't wait for anybody.
  [[nodiscard]] std::vector<retirement> sweep();

  /// Gives what can't be unloaded now to a place that every retirer of the process sweeps.
  void abandon() noexcept;

  /// Whether another sweep could do something.
  [[nodiscard]] bool pending() const noexcept { return !waiting_.empty(); }
  [[nodiscard]] const generations& waiting() const noexcept { return waiting_; }

 private:
  generations waiting_;
  bool fresh_ = false;  // something was added since the last grace_barrier
  bool told_ = false;   // that membarrier is refused by now
};

}  // namespace autoreload
