/* SPDX-License-Identifier: MIT */
/* contract: the library of the guard's tests; see contract.h. */
#include "contract.h"

#ifdef SHOW_KNOWS_WIDGET
#include "widget.h"
#endif

struct session {
  int steps;
#ifdef SESSION_GROWS
  int failures;
#endif
};

static struct session the_session;

#ifdef FOO_TAKES_ONE
int32_t foo(int32_t by) { return by; }
#else
int32_t foo(void) { return 4; }
#endif
int draw(const struct point* p) { return p->x; }
struct session* begin(void) {
  return &the_session;
}
int step(struct session* s) { return ++s->steps; }
int show(struct widget* w) { return w != 0; }
#ifndef NO_SPARE
int spare(void) { return 1; }
#endif
#ifdef LEVEL_IS_LONG
long level = 1;
#else
int level = 1;
#endif
