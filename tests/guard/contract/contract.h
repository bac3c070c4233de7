/* SPDX-License-Identifier: MIT */
/* contract: what the library of the guard's tests offers. The host is compiled without any of the macros; each of them
   is an edit that somebody makes while the host runs. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct point {
  int x;
  int y;
#ifdef POINT_GROWS
  int z;
#endif
};

struct session; /* private to the library */
struct widget;  /* defined in widget.h, which only some of the host's sources include */

#ifdef FOO_TAKES_ONE
int32_t foo(int32_t by);
#else
int32_t foo(void);
#endif
int draw(const struct point* p);
struct session* begin(void);
int step(struct session* s);
int show(struct widget* w);
int spare(void);
#ifdef LEVEL_IS_LONG
extern long level;
#else
extern int level;
#endif

#ifdef __cplusplus
}
#endif
#endif
