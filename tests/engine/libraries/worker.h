/* SPDX-License-Identifier: MIT */
/* worker: the API of the libraries that the engine's tests reload. */
#ifndef TESTS_ENGINE_WORKER_H
#define TESTS_ENGINE_WORKER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the tests write over the mark in each copy of a library, so that no two copies have the same content. */
uint64_t worker_stamp(void);

/* Which source variant this is: in the code, as worker_stamp is in the data. */
uint64_t worker_variant(void);

/* Calls the host from inside the library, and comes back to it: the stamp is read after that. */
uint64_t worker_visit(void (*host)(void*), void* argument);

/* Counts its own calls, in the library's own memory. */
uint64_t worker_count(void);

/* May be missing. */
uint64_t worker_extra(void);

/* Gives the calling thread something of the library's that is destroyed at the thread's end. */
void worker_touch_thread(void);

#ifdef __cplusplus
}
#endif

#endif
