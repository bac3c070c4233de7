/* SPDX-License-Identifier: MIT */
/* handed: a library with state. -DGUEST gives it the functions by which it takes part in a handover itself, -DSAVES_ONLY
   those of an older kind. The host's hook is told of each, and answers for restore. */
#include "handed.h"

#include <stddef.h>

#include "stamp.h"

uint64_t handed_number; /* exported: a carrier finds it by its name */

extern int (*handed_hook)(const char* where, uint64_t stamp) __attribute__((weak));

static int tell(const char* where) { return &handed_hook && handed_hook ? handed_hook(where, stamp.number) : 0; }

__attribute__((constructor)) static void construct(void) { tell("constructor"); }

uint64_t handed_stamp(void) { return stamp.number; }
uint64_t handed_total(void) { return __atomic_load_n(&handed_number, __ATOMIC_RELAXED); }
void handed_set_total(uint64_t number) { __atomic_store_n(&handed_number, number, __ATOMIC_RELAXED); }
uint64_t handed_add(void) { return __atomic_add_fetch(&handed_number, 1, __ATOMIC_RELAXED); }

uint64_t handed_visit(void (*host)(void*), void* argument) {
  host(argument);
  return stamp.number;
}

#if defined(GUEST) || defined(SAVES_ONLY)
static uint64_t kept;

void* autoreload_save(void) {
  tell("save");
  kept = handed_number;
  return &kept;
}
#endif

#ifdef GUEST
int autoreload_restore(void* saved) {
  const int answer = tell("restore");
  if (answer == 0) handed_number = *(uint64_t*)saved;
  return answer;
}

void autoreload_loaded(void) { tell("loaded"); }

void autoreload_unloading(void) { tell("unloading"); }
#endif
