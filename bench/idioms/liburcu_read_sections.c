/* SPDX-License-Identifier: MIT */
/* liburcu_read_sections: in C with the read side inlined, the fastest that liburcu has: a C++ compiler would add a test
   to each use of its thread-local variables. */
#define _LGPL_SOURCE
#include "liburcu_read_sections.h"

#include <urcu/urcu-bp.h>
#include <urcu/urcu-memb.h>
#include <urcu/urcu-qsbr.h>

static void nothing(void) {}

#define RCU_FLAVOUR(name, lock, unlock, join, part, wait)                                       \
  static int32_t name##_run(struct rcu_build** current, int calls, int32_t x) {                 \
    for (; calls > 0; --calls) {                                                                \
      lock();                                                                                   \
      x = rcu_dereference(*current)->step(x);                                                   \
      unlock();                                                                                 \
    }                                                                                           \
    return x;                                                                                   \
  }                                                                                             \
  static struct rcu_build* name##_replace(struct rcu_build** current, struct rcu_build* next) { \
    struct rcu_build* const old = rcu_xchg_pointer(current, next);                              \
    wait();                                                                                     \
    return old;                                                                                 \
  }                                                                                             \
  const struct rcu_flavour rcu_##name = {join, part, name##_run, name##_replace}

RCU_FLAVOUR(memb, urcu_memb_read_lock, urcu_memb_read_unlock, urcu_memb_register_thread, urcu_memb_unregister_thread,
            urcu_memb_synchronize_rcu);

/* It registers threads by itself. */
RCU_FLAVOUR(bp, urcu_bp_read_lock, urcu_bp_read_unlock, nothing, nothing, urcu_bp_synchronize_rcu);

/* A thread is inside from one quiescent state to the next: one is announced after each call, so that a call, as with
   the others, holds nothing up once it is over. */
static inline void qsbr_unlock(void) {
  urcu_qsbr_read_unlock();
  urcu_qsbr_quiescent_state();
}
RCU_FLAVOUR(qsbr, urcu_qsbr_read_lock, qsbr_unlock, urcu_qsbr_register_thread, urcu_qsbr_unregister_thread,
            urcu_qsbr_synchronize_rcu);
