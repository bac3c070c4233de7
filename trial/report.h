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
  trial_calling,     // recorded call number `item` is made
  trial_unloading,   // its destructors run
  trial_done,
};

enum trial_returns { trial_returns_nothing, trial_returns_integer, trial_returns_real };

// A call to be made, and its answer. The registers of both kinds are filled, whatever the order of the parameters: the
// calling conventions of x86-64 and AArch64 count integers and floating-point numbers by themselves.
struct trial_call {
  uint64_t integers[6];
  uint64_t reals[8];  // bits of a double; of a float in the lower half
  uint32_t symbol;    // which of the words `c:SYMBOL`
  uint32_t returns;
  uint64_t result;    // the helper's: the register's bits
  uint32_t answered;  // the helper's: it came back
  uint32_t unused;
};

struct trial_report {
  // The helper's part.
  uint32_t phase;
  uint32_t item;
  uint64_t crash_address;  // in the library's code, relative to its base
  uint32_t crash_known;    // whether it is there
  uint32_t crash_signal;
  // The host's part.
  uint32_t calls;  // that follow this struct
  // The supervisor's part.
  int32_t start_error;   // errno, when the helper could not be started
  int32_t status;        // as waitpid gave it
  uint32_t ended;        // it ended by itself: status is its own
  uint32_t overdue;      // it was killed because of the time limit
  uint32_t cancelled;    // it was killed because the caller wanted no answer any more
  uint32_t output_size;  // bytes of its standard error in all; the last ones are in `output`, as a ring
  char output[trial_text_size];
};

static inline struct trial_call* trial_calls(struct trial_report* report) { return (struct trial_call*)(report + 1); }
static inline uint64_t trial_report_size(uint32_t calls) {
  return sizeof(struct trial_report) + (uint64_t)calls * sizeof(struct trial_call);
}

#endif
