/* SPDX-License-Identifier: MIT */
/* callee: the small C library that every benchmark calls. */
#ifndef BENCH_CALLEE_H
#define BENCH_CALLEE_H

#include <stdint.h>

#define CALLEE_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* As little work as a call can have: what is measured is the way to it. */
CALLEE_API int32_t callee_step(int32_t x);

/* Which build this is. */
CALLEE_API int32_t callee_build(void);

/* Optional symbols: every build has the first, none the second. */
CALLEE_API int32_t callee_present(int32_t x);
CALLEE_API int32_t callee_absent(int32_t x);

#ifdef __cplusplus
}
#endif

#endif
