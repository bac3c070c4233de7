// SPDX-License-Identifier: MIT
// helper_calls: repeats calls that a host has made.
//
// The types of the functions are not known here, but for what they return. Where integers and floating-point numbers
// have registers of their own, which each kind fills in order, one call that fills them all fits every function that
// takes no more of either. It is not portable C; the two machines' calling conventions make it right.
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "helper.h"

#if defined(__x86_64__) || defined(__aarch64__)

#define INTEGERS uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t
#define REALS double, double, double, double, double, double, double, double
typedef uint64_t (*integer_function)(INTEGERS, REALS);
typedef double (*real_function)(INTEGERS, REALS);

static void call(struct trial_call* one, void* function) {
  const uint64_t* const i = one->integers;
  double r[8];
  memcpy(r, one->reals, sizeof r);
  if (one->returns == trial_returns_real) {
    real_function real;
    memcpy(&real, &function, sizeof real);
    const double result = real(i[0], i[1], i[2], i[3], i[4], i[5], r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
    memcpy(&one->result, &result, sizeof result);
  } else {
    integer_function integer;
    memcpy(&integer, &function, sizeof integer);
    one->result = integer(i[0], i[1], i[2], i[3], i[4], i[5], r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
  }
  one->answered = 1;
}

void make_calls(struct trial_report* report, void* library, int count, char** words) {
  struct trial_call* const calls = trial_calls(report);
  for (uint32_t n = 0; n < report->calls; ++n) {
    uint32_t symbol = 0;
    void* function = NULL;
    for (int i = 0; i < count; ++i) {
      if (words[i][0] != 'c' || symbol++ != calls[n].symbol) continue;
      function = dlsym(library, words[i] + 2);
    }
    if (function == NULL) continue;
    enter(trial_calling, (int)n);
    call(&calls[n], function);
  }
}

#else

void make_calls(struct trial_report* report, void* library, int count, char** words) {
  (void)report;
  (void)library;
  (void)count;
  (void)words;
}

#endif
