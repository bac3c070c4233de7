/* SPDX-License-Identifier: MIT */
/* liburcu_read_sections: each flavour of liburcu around a call, in liburcu's own language. */
#ifndef BENCH_LIBURCU_READ_SECTIONS_H
#define BENCH_LIBURCU_READ_SECTIONS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the callers read and replace() exchanges. */
struct rcu_build {
  int32_t (*step)(int32_t x);
};

struct rcu_flavour {
  void (*join)(void); /* what a thread does before its first and after its last read section */
  void (*part)(void);
  /* The measured loop: x = step(x) in a read section of its own, `calls` times. */
  int32_t (*run)(struct rcu_build** current, int calls, int32_t x);
  /* Puts `next` in and waits until nobody can be inside the old one, which it returns. */
  struct rcu_build* (*replace)(struct rcu_build** current, struct rcu_build* next);
};

extern const struct rcu_flavour rcu_memb;
extern const struct rcu_flavour rcu_bp;
extern const struct rcu_flavour rcu_qsbr;

#ifdef __cplusplus
}
#endif

#endif
