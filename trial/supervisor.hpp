// SPDX-License-Identifier: MIT
// supervisor: the process between the host and the trial helper.
//
// DESIGN  host thread ──run_aside──▶ supervisor ──run_aside, exec──▶ helper
//
// The helper must be somebody's child, or nobody learns how it ended. As the host's own child it would raise the host's
// SIGCHLD and be found by its wait(). So a supervisor stands between: a process without memory of its own, whose end
// raises no signal and which no ordinary wait() sees. It runs on the sleeping thread's stack, keeps the time, collects
// the helper's standard error, reaps it and kills what it leaves behind. It dies with the host's thread, and the helper
// dies with it.
//
// SHARED  - struct trial_report, a page shared by all three: see trial/report.h.
//         - everything that the supervisor is given was prepared before it starts; it allocates nothing.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>

#include "trial/report.h"

namespace autoreload {

/// Everything the two processes need, as plain as they need it.
struct trial_job {
  trial_report* report;
  int report_file;
  int library;
  int helper;
  int cancel;
  pid_t host;
  std::chrono::steady_clock::time_point deadline;
  rlim_t cpu_seconds;
  rlim_t memory;
  char* const* arguments;
  char* const* environment;

  pid_t supervisor;  // from here on the supervisor's own
  int null;
  int output;
};

/// The supervisor, to be given to run_aside. @param argument  a trial_job
void supervise_trial(void* argument) noexcept;

}  // namespace autoreload
