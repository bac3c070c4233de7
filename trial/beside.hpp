// SPDX-License-Identifier: MIT
// beside: a trial load that nobody waits for.
//
// SHARED  the answer, which the trial's thread writes before it says that it has ended (release), and which is read
//         after that was seen (acquire). Of the two that change `progress_`, the later one knows of the other: so
//         either the owner finds the answer, or the thread tells of it.
#pragma once

#include <atomic>
#include <cstdint>
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
  /// @param ended     called on the trial's thread once answer() is there, if the owner asked for it; must not throw
  /// @throws std::system_error when there is no thread or no descriptor for it
  trial_beside(int snapshot, const std::string& path, trial_options how, std::function<void()> ended);
  /// Gives the trial up, if it has not ended, and waits until its helper is gone.
  ~trial_beside();
  trial_beside(const trial_beside&) = delete;
  trial_beside& operator=(const trial_beside&) = delete;

  /// Asks to be told, unless it has ended already. @return whether that is to come
  [[nodiscard]] bool will_tell() noexcept {
    progress before = progress::runs;
    return progress_.compare_exchange_strong(before, progress::awaited, std::memory_order_acq_rel) ||
           before == progress::awaited;
  }
  /// See trial_load. Once it has ended.
  [[nodiscard]] trial_outcome answer() const { return answer_; }

 private:
  const unique_fd cancel_;
  trial_outcome answer_;
  enum class progress : std::uint8_t { runs, awaited, ended };
  std::atomic<progress> progress_{progress::runs};
  std::thread thread_;
};

}  // namespace autoreload
