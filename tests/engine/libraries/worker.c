/* SPDX-License-Identifier: MIT */
/* worker: one source, many libraries that really differ, in code and in size, by -DVARIANT=n. -DWITH_EXTRA adds the
   optional function, -DWITHOUT_STAMP leaves a required one out. */
#include "worker.h"

#include "stamp.h"

static uint64_t count;

/* The host's, when it has one: tells it that constructors and destructors run. */
extern void (*worker_hook)(const char* where) __attribute__((weak));

__attribute__((constructor)) static void construct(void) {
  if (&worker_hook && worker_hook) worker_hook("constructor");
}

__attribute__((destructor)) static void destruct(void) {
  if (&worker_hook && worker_hook) worker_hook("destructor");
}

#ifndef VARIANT
#define VARIANT 0
#endif

#if VARIANT > 0
/* Code and data whose size depends on the variant. */
static volatile uint64_t weight[VARIANT * 512];
static const volatile uint64_t factors[VARIANT * 256] = {VARIANT, 2 * VARIANT};
#define STEP(n) \
  __atomic_fetch_add(&weight[(n) % (VARIANT * 512)], factors[(n) % (VARIANT * 256)] * (n), __ATOMIC_RELAXED);
#define STEPS(n) STEP(n) STEP(n + 1) STEP(n + 2) STEP(n + 3)
static void work(void) {
  STEPS(0)
#if VARIANT > 2
  STEPS(4)
  STEPS(8)
  STEPS(12)
#endif
#if VARIANT > 5
  STEPS(16) STEPS(20) STEPS(24) STEPS(28) STEPS(32) STEPS(36)
#endif
}
#else
static void work(void) {}
#endif

#ifndef WITHOUT_STAMP
uint64_t worker_stamp(void) { return stamp.number; }
#endif

uint64_t worker_variant(void) { return VARIANT; }

uint64_t worker_visit(void (*host)(void*), void* argument) {
  host(argument);
  return stamp.number;
}

uint64_t worker_count(void) {
  work();
  return __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED); /* many threads call it */
}

#ifdef WITH_EXTRA
uint64_t worker_extra(void) { return stamp.number; }
#endif
