// SPDX-License-Identifier: MIT
// beside: a trial load that nobody waits for.
//
// SHARED  the answer, which the trial's thread writes before it sets `ended_` (release), and which is read after that
//         was seen (acquire).
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "system/unique_fd.hpp"
#include "trial/trial.hpp"

namespace autoreload {

/// A thread that lives as long as one trial load, for the host's sleeps while its helper runs.
class trial_beside {
 public:
  /// @param snapshot  descriptor of the complete file; must stay open as long as this lives
  /// @param ended     called on the trial's thread once answer() is there; must not throw
  /// @throws std::system_error when there is no thread or no descriptor for it
  trial_beside(int snapshot, const std::string& path, trial_options how, std::function<void()> ended);
  /// Gives the trial up, if it has not ended, and waits until its helper is gone.
  ~trial_beside();
  trial_beside(const trial_beside&) = delete;
  trial_beside& operator=(const trial_beside&) = delete;

  [[nodiscard]] bool has_ended() const noexcept { return ended_.load(std::memory_order_acquire); }
  /// See trial_load. Once it has ended.
  [[nodiscard]] trial_outcome answer() const { return answer_; }

 private:
  const unique_fd cancel_;
  trial_outcome answer_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace autoreload
