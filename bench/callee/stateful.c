/* SPDX-License-Identifier: MIT */
/* stateful: a library that remembers: 100 variables, 10 MB, or 100,000 objects on the heap; or nothing. */
#include "stateful.h"

#include <stdlib.h>
#include <string.h>

int stateful_build(void) { return STATEFUL_BUILD; }

#if STATEFUL_KIND == 0

void stateful_fill(long value) { (void)value; }
long stateful_sum(void) { return 0; }

#elif STATEFUL_KIND == 1

#define TEN(use, n) use(n##0) use(n##1) use(n##2) use(n##3) use(n##4) use(n##5) use(n##6) use(n##7) use(n##8) use(n##9)
#define HUNDRED(use) \
  TEN(use, 0)        \
  TEN(use, 1) TEN(use, 2) TEN(use, 3) TEN(use, 4) TEN(use, 5) TEN(use, 6) TEN(use, 7) TEN(use, 8) TEN(use, 9)
#define DEFINE(n) static volatile long variable_##n;
#define FILL(n) variable_##n = value++;
#define ADD(n) +variable_##n
HUNDRED(DEFINE)
void stateful_fill(long value) { HUNDRED(FILL) }
long stateful_sum(void) { return 0 HUNDRED(ADD); }

#elif STATEFUL_KIND == 2

static volatile long numbers[(10 << 20) / sizeof(long)];
#define COUNT (sizeof numbers / sizeof *numbers)
void stateful_fill(long value) {
  for (unsigned long i = 0; i < COUNT; ++i) numbers[i] = value++;
}
long stateful_sum(void) {
  long sum = 0;
  for (unsigned long i = 0; i < COUNT; ++i) sum += numbers[i];
  return sum;
}

#else

struct object {
  struct object* next;
  long value;
  const char* name;
};
static struct object* first;
void stateful_fill(long value) {
  for (int i = 0; i < 100000; ++i) {
    struct object* const made = malloc(sizeof *made);
    made->next = first;
    made->value = value++;
    made->name = i % 2 == 0 ? "even" : "odd"; /* each leads into the build */
    first = made;
  }
}
long stateful_sum(void) {
  long sum = 0;
  for (const struct object* o = first; o != NULL; o = o->next) sum += o->value + (long)strlen(o->name);
  return sum;
}

#endif
