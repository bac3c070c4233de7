// SPDX-License-Identifier: MIT
// retire: unloads an old generation once no thread can be inside it, and says so, or why it could not.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "generation.hpp"
#include "pin_registry.hpp"

namespace autoreload {

/// Lets a snapshot go whose library was opened and closed again. Should the library stay all the same, its snapshot
/// does, too: the loader knows the library by the number of the descriptor, and would take the next file under that
/// number for it.
void let_go(snapshot image);

/// What became of an old generation.
struct retirement {
  std::uint64_t generation;
  const void* table;  ///< what it was published as
  bool unloaded;      ///< false: it stays, see text; it may still be reported as unloaded later
  std::string text;   ///< for a person
};

/// The generations of one engine that are no longer published. Not thread-safe: the engine's pipeline owns it.
class retirer {
 public:
  retirer() = default;
  retirer(const retirer&) = delete;
  retirer& operator=(const retirer&) = delete;
  ~retirer() { abandon(); }

  /// Takes a generation that was unpublished before this call.
  /// @param keep  never unload it, only account for it
  void add(std::unique_ptr<generation> old, bool keep);

  /// Unloads every generation that nobody pins, and looks again at those that were closed but did not leave. One
  /// membarrier if anything was added since the last call. Doesn't wait for anybody.
  [[nodiscard]] std::vector<retirement> sweep();

  /// Gives what can't be unloaded now to a place that every retirer of the process sweeps.
  void abandon();

  /// Whether another sweep could do something.
  [[nodiscard]] bool pending() const noexcept { return !waiting_.empty(); }

 private:
  struct entry {
    std::unique_ptr<generation> old;
    const void* table;
    std::chrono::steady_clock::time_point since;
    bool closed = false;    // dlclose was called; it is still mapped
    bool reported = false;  // that it stays
  };
  friend struct orphanage;

  static void sweep(std::vector<entry>& waiting, std::vector<retirement>& done);
  static bool leaves(entry& one, const std::vector<held_pin>& pins, std::chrono::steady_clock::time_point now,
                     std::vector<retirement>& done);

  std::vector<entry> waiting_;
  bool fresh_ = false;  // something was added since the last grace_barrier
};

}  // namespace autoreload
