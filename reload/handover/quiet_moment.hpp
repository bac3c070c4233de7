// SPDX-License-Identifier: MIT
// quiet_moment: the time in which no thread is inside a library, and new calls wait.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>

#include <autoreload/pin.hpp>

#include "reload/answers.hpp"

namespace autoreload {

/// Why it was not quiet in time.
struct disturbance {
  enum class kind : std::uint8_t {
    inside,      ///< a call or pin is inside
    self,        ///< it is one of the thread that wanted the quiet
    elsewhere,   ///< another library of the process has its quiet moment
    nested,      ///< that is one of this very thread
    no_barrier,  ///< membarrier(2) is refused by now, and no other proof of quiet was to be had
  };
  kind why;
  pid_t thread = 0;  ///< of inside and self: the one that made the pin
};

/// Closes the gate before the calls of one library, and opens it at its end, whatever ends it. There is one at a time
/// in a process: so no thread that runs a handover ever waits at another library's gate, and none waits for two.
class quiet_moment {
 public:
  /// @param outgoing  the table that is current: calls go on in it unless another is published before the end
  quiet_moment(answers& known, const void* outgoing) : known_(known), outgoing_(outgoing) {}
  quiet_moment(const quiet_moment&) = delete;
  quiet_moment& operator=(const quiet_moment&) = delete;
  ~quiet_moment();

  /// Closes the gate and waits until nobody is inside. From then on the calling thread alone can enter the outgoing
  /// table, and holds a pin of it. @return why it could not be had; then the gate is to be opened at once
  [[nodiscard]] std::optional<disturbance> begin(std::chrono::milliseconds limit);

 private:
  [[nodiscard]] bool take_turn(std::chrono::steady_clock::time_point until);
  [[nodiscard]] std::optional<disturbance> wait(std::chrono::steady_clock::time_point until);

  answers& known_;
  const void* const outgoing_;
  bool has_turn_ = false;
  bool closed_ = false;
  detail::pin_slot* own_ = nullptr;
};

}  // namespace autoreload
