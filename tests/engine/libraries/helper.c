/* SPDX-License-Identifier: MIT */
/* helper: what worker_helped needs. */
#include "stamp.h"

uint64_t helper_stamp(void);
uint64_t helper_stamp(void) { return stamp.number; }
