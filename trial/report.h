// SPDX-License-Identifier: MIT
// report: the page of shared memory in which the trial helper and its supervisor say how far they came.
//
// SHARED  - one writer for each part. The reader waits for both to end, so plain stores are enough; `phase` is stored
//           by an atomic instruction only to keep the compiler from moving it past the dlopen whose crash it explains.
#ifndef AUTORELOAD_TRIAL_REPORT_H
#define AUTORELOAD_TRIAL_REPORT_H

#include <stdint.h>

enum { trial_text_size = 1024 };  // bytes

enum trial_phase {
  trial_not_started,
  trial_no_path,     // the library can't be reached: there is no /proc
  trial_dependency,  // loading dependency number `item`
  trial_loading,     // the library itself: its constructors run
  trial_refused,     // dlopen said no, and why
  trial_symbol,      // looking up symbol number `item`: an indirect function's resolver runs
  trial_testing,     // the library's own test runs
  trial_untested,    // the library lacks it
  trial_failed,      // its answer was `item`, and not 0
  trial_unloading,   // its destructors run
  trial_done,
};

struct trial_report {
  // The helper's part.
  uint32_t phase;
  uint32_t item;
  // The supervisor's part.
  int32_t start_error;   // errno, when the helper could not be started
  int32_t status;        // as waitpid gave it
  uint32_t ended;        // it ended by itself: status is its own
  uint32_t overdue;      // it was killed because of the time limit
  uint32_t cancelled;    // it was killed because the caller wanted no answer any more
  uint32_t output_size;  // bytes of its standard error in all; the last ones are in `output`, as a ring
  char output[trial_text_size];
};

#endif
