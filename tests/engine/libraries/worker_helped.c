/* SPDX-License-Identifier: MIT */
/* worker_helped: has its stamp from a library that lies beside it. */
#include "stamp.h"
#include "worker.h"

uint64_t helper_stamp(void);

uint64_t worker_stamp(void) { return helper_stamp(); }

uint64_t worker_variant(void) { return stamp.number; }
