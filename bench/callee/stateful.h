/* SPDX-License-Identifier: MIT */
/* stateful: what a library that remembers exports. */
#ifndef STATEFUL_H
#define STATEFUL_H

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((visibility("default"))) int stateful_build(void);
/* Has it remember values from this one on. Once. */
__attribute__((visibility("default"))) void stateful_fill(long value);
/* The sum of all that it remembers. */
__attribute__((visibility("default"))) long stateful_sum(void);

#ifdef __cplusplus
}
#endif

#endif
