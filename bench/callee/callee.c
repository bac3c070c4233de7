/* SPDX-License-Identifier: MIT */
/* callee: its builds differ in code, data and size, as builds of a library under development do. */
#include "callee.h"

static const char ballast[1000 * (CALLEE_BUILD + 1)] = {CALLEE_BUILD};
static int32_t steps[CALLEE_BUILD + 1];

int32_t callee_step(int32_t x) { return x + 1; }

int32_t callee_build(void) { return CALLEE_BUILD; }

int32_t callee_present(int32_t x) { return x + 1; }

CALLEE_API int32_t callee_mix(int32_t x) {
  const uint32_t index = (uint32_t)x % sizeof ballast;
  steps[CALLEE_BUILD] += ballast[index];
  return steps[CALLEE_BUILD];
}
