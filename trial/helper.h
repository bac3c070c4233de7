// SPDX-License-Identifier: MIT
// helper: the parts of the trial helper.
#ifndef AUTORELOAD_TRIAL_HELPER_H
#define AUTORELOAD_TRIAL_HELPER_H

#include "report.h"

// Says in the report what comes next.
void enter(enum trial_phase phase, int item);

// From now on a crash says in the report where in the library it was. The library under `path` is loaded.
void tell_crashes(struct trial_report* report, const char* path);

// Makes the recorded calls, in order. The functions are those of the words `c:SYMBOL`.
void make_calls(struct trial_report* report, void* library, int count, char** words);

#endif
