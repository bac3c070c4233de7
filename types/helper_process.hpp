// SPDX-License-Identifier: MIT
// helper_process: has a short-lived process read the debug information, so that no file can crash or hang the host.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "system/unique_fd.hpp"
#include "types/description.hpp"
#include "types/request.hpp"

namespace autoreload::types {

/// One run of the helper. Start several and collect them one after the other: they work at the same time.
///
/// Thread-safety: one thread at a time for each object. The process is gone when the object is.
class helper_process {
 public:
  /// @param program     the helper executable
  /// @param file        the ELF file; borrowed for the call
  /// @param debug_file  its separate debug information or -1; borrowed for the call
  /// @param orphan      it is no child of this process: no SIGCHLD comes, and no wait() sees it
  helper_process(const std::string& program, request ask, int file, int debug_file, bool orphan = false);
  helper_process(helper_process&& other) noexcept;
  helper_process& operator=(helper_process&&) = delete;
  ~helper_process();

  /// Waits for the answer until the deadline, then kills.
  /// @return nothing when there is none; why() says the reason as half a sentence
  [[nodiscard]] std::optional<description> collect(std::chrono::steady_clock::time_point deadline);
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  void end() noexcept;

  bool orphan_ = false;
  bool ended_ = false;  // it has closed its answer
  pid_t child_ = -1;
  unique_fd answer_;
  std::string why_;
};

}  // namespace autoreload::types
