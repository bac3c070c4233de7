// SPDX-License-Identifier: MIT
// trial: whether and how a new library is loaded in a helper process first.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <autoreload/language.hpp>

namespace autoreload {

class call_sample;

/// A trial load runs the library's constructors in a helper process before the host does, so that one that crashes,
/// exits, throws or hangs is refused while the running generation goes on. A value.
///
/// It runs beside, on a thread of its own: neither poll() nor other libraries wait for it, and a newer build ends it.
/// The constructor of `reloadable` and reload() wait for theirs.
///
/// It costs a process: about a millisecond, whatever the size of the host. What constructors do to the world outside
/// the process (files, sockets) they do twice. The helper runs with the host's rights: it is no sandbox.
struct trial_policy {
  /// Off unless asked for.
  bool enabled = false;
  /// Loading and unloading must both be over by then, or the library is refused.
  std::chrono::milliseconds time_limit{2000};
  /// Bytes of heap and other private memory that the helper may have; 0: no limit. Not applied when the host runs with
  /// AddressSanitizer or ThreadSanitizer, which reserve terabytes.
  std::uint64_t memory_limit = std::uint64_t{4} << 30;
  /// Unload it in the helper too, so that a destructor that crashes is refused. Without this only constructors are
  /// tried.
  bool destructors = true;
  /// Load the running generation in the helper first, as it is in the host when the new one comes: for libraries that
  /// register with the process and allow no second copy (protobuf's descriptors, Ada's elaboration), which abort at a
  /// reload and not in a helper that is empty. Its constructors run once more in each trial.
  bool beside_running = false;
  /// The library's own test, `int name(void)`, called in the helper once the library is loaded: 0 is good. A build
  /// whose test crashes, hangs, exits or returns something else is refused, and so is one that lacks it. Empty: the
  /// function `autoreload_selftest`, if the library exports one.
  std::string smoke;
  /// Calls that the host made, to be repeated in the helper on each new build, in order, once its own test has passed.
  /// A build that crashes, exits or hangs in one is refused. The running generation is loaded in a helper of its own
  /// and makes them, too: a warning says which calls are answered otherwise. Both begin with the variables that they
  /// have when they are loaded. On x86-64 and AArch64; elsewhere nothing is repeated. Null: none.
  std::shared_ptr<const call_sample> sample;
};

}  // namespace autoreload
