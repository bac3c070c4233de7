/* SPDX-License-Identifier: MIT */
/* work: a library that a profiler finds busy, with much debug information. */
#include "bulk.h"
#include "foo.h"

enum bulk work_bulk;

/* here comes the edit */
__attribute__((noinline)) static int32_t count_to(int32_t rounds) {
  volatile int32_t sum = 0;
  for (int32_t i = 0; i < rounds; ++i) sum += 1;
  return sum;
}

int32_t foo(void) { return count_to(2000000) / 500000; }
