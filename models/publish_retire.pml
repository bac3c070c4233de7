/* SPDX-License-Identifier: MIT */
/* publish_retire: a library is replaced under its callers; nothing is unloaded under a call, and nothing is leaked.
 *
 * Threads call and one thread reloads, without end: callers come and go, pins nest, move to another thread or stay for
 * ever. The model is finite because the generations' tables lie at few addresses, used again and again, which is also
 * the case that a comparison of pointers must survive.
 *
 * Memory is weak: a store waits in its thread's buffer and reaches memory later, in order. So a load may overtake an
 * earlier store of the same thread, which a fence would forbid and callers do without. A step is one access to memory;
 * what is private to a thread, or seen under the mutex only, comes along with it.
 *
 * FENCE gives the fallback for kernels without membarrier. WAY_BACK lets an older generation run again. KEEP keeps each
 * loaded at first, to go back to, until it is let go. Each BUG_ takes a rule away, and the checker must then find a
 * violation: about a rule that is broken unnoticed the model would say nothing. README.md maps all this to the code.
 */

/* How large a world is searched; `check` chooses. */
#ifndef CALLERS
#define CALLERS 2 /* threads that call at one time: 1 or 2 */
#endif
#ifndef RECORDS
#define RECORDS 2 /* threads that there is a record for: 1 or 2 */
#endif
#ifndef SLOTS
#define SLOTS 1 /* of a record: 1 or 2 */
#endif
#ifndef ADDRESSES
#define ADDRESSES 2 /* where a table can lie, counted from 1: 2 or 3; 0 is the null pointer */
#endif
#ifndef PENDING
#define PENDING 2 /* stores that a buffer can hold */
#endif

#define RELOADER 2 /* the callers are threads 0 and 1 */
#define ALL_SLOTS (RECORDS * SLOTS)

/* Shared memory, a cell for each atomic variable. */
#define CURRENT 0         /* the published table; written by the reloader */
#define SLOT(i) (1 + (i)) /* the table that is announced, or 0; record r has SLOTS of them from r * SLOTS */

byte memory[1 + ALL_SLOTS];
chan buffer[3] = [PENDING] of { byte, byte };

#define load(cell) memory[cell]
#define store(cell, value) buffer[self] ! cell, value
#define pending(cell) buffer[self] ?? [eval(cell), _]
#define drained(thread) empty(buffer[thread])

/* The list of records and its mutex. Callers have the mutex for one step, so it shows only while the reloader has it.
 * To lock is no fence here, to unlock no more than a release: the proof is not to lean on either. */
mtype = { unlisted, used, idle };
mtype state[RECORDS] = unlisted;
bool scanning;

/* What the checker knows and the program doesn't. */
bool mapped[ADDRESSES + 1]; /* a generation is loaded here */
byte inside[ADDRESSES + 1]; /* the pins that let calls into it */
bool outdated[2];           /* CURRENT has changed since this caller loaded it last */
byte running = CALLERS;     /* the callers that haven't come to their end */

/* The pin objects, each known by its slot. */
byte pinned[ALL_SLOTS]; /* the table that it gives access to */
byte holder[ALL_SLOTS]; /* the thread that has it, plus 1 */

active [3] proctype store_buffer() {
  byte cell, value;

end:
  do
  :: d_step {
      buffer[_pid] ? cell, value;
      memory[cell] = value;
      if
      :: cell == CURRENT -> outdated[0] = true; outdated[1] = true
      :: else
      fi;
      cell = 0;
      value = 0
    }
  od
}

#define has(i) (holder[i] == self + 1)

/* A thread sees its own last store to a slot before memory does: it made a pin that it still has, or ended one. */
#define vacant(i) (!has(i) && (pending(SLOT(i)) || !load(SLOT(i))))

#if SLOTS > 1
#define empty_record(r) (!load(SLOT((r) * SLOTS)) && !load(SLOT((r) * SLOTS + 1)))
#else
#define empty_record(r) (!load(SLOT(r)))
#endif
#define reusable(r) (state[r] != used && empty_record(r))

proctype caller(byte self) {
  byte record, i, wanted, seen;

register:
#ifdef BUG_REGISTER_LATE
  record = self;
#else
  atomic {
    if
    :: !scanning && reusable(0) -> record = 0
#if RECORDS > 1
    :: !scanning && reusable(1) -> record = 1
#endif
    :: goto ended
    fi;
#ifdef BUG_REGISTER_UNLOCKED
  };
  atomic {
#endif
    state[record] = used
  };
#endif

next:
  atomic {
    select(i : 0 .. ALL_SLOTS - 1);
    if
#ifdef BUG_NESTED_OVERWRITES
    :: i == record * SLOTS -> goto pin
#else
    :: i / SLOTS == record && vacant(i) -> goto pin
#endif
    :: has(i) -> goto unpin
#if CALLERS > 1
    :: has(i) && !pending(SLOT(i)) -> holder[i] = 2 - self; i = 0; goto next /* moved: the other sees it set */
#endif
    :: has(i) -> goto ended /* a call that never returns */
    :: i = 0; goto leave
    fi
  };

pin:
  atomic { wanted = load(CURRENT); outdated[self] = false };
announce:
#ifdef BUG_RECHECK_EARLY
  seen = load(CURRENT);
#endif
  store(SLOT(i), wanted);
#ifdef FENCE
  drained(self);
#endif
  atomic {
#if defined(BUG_NO_RECHECK)
    seen = wanted;
#elif !defined(BUG_RECHECK_EARLY)
    seen = load(CURRENT);
#endif
    if
    :: seen == wanted
    :: else ->
      assert(outdated[self]); /* only a publication makes a caller try again: a reload makes nobody wait */
      outdated[self] = false;
#ifndef BUG_RETRY_STALE
      wanted = seen;
#endif
      goto announce
    fi;
    assert(mapped[wanted]); /* a call begins in a generation that is loaded */
    inside[wanted]++;
    pinned[i] = wanted;
    holder[i] = self + 1;
    i = 0;
    wanted = 0;
    seen = 0
  };
#ifdef BUG_REGISTER_LATE
  atomic { !scanning -> state[record] = used };
#endif
  goto next;

unpin:
#ifdef BUG_UNPIN_EARLY
  store(SLOT(i), 0);
#endif
  atomic {
#if !defined(BUG_UNPIN_EARLY) && !defined(BUG_UNPIN_LOST)
    store(SLOT(i), 0);
#endif
    inside[pinned[i]]--;
    pinned[i] = 0;
    holder[i] = 0;
    i = 0;
    goto next
  };

leave: /* A pin that the thread leaves behind is the next one's. */
  atomic {
#ifdef BUG_LEAVE_EARLY
    !scanning;
#else
    !scanning && drained(self);
#endif
    state[record] = idle;
    record = 0;
    if
    :: goto register
    :: goto ended
    fi
  };

ended:
  running--
}

/* With membarrier each thread passes a point at which its buffer is empty, at a time of its own. The callers are alike,
 * so one order stands for all. */
inline barrier() {
#ifdef BUG_NO_RELOADER_FENCE
  skip;
#else
  drained(RELOADER);
#endif
#if !defined(FENCE) && !defined(BUG_ORDINARY_FENCE)
  drained(0);
  drained(1);
#endif
}

#ifdef BUG_SCAN_OLD_LIST
#define listed(r) listed_before[r]
#else
#define listed(r) (state[r] != unlisted)
#endif

#define callers_ended (running == 0 && drained(0) && drained(1))

proctype reloader(byte self) {
  byte current = 1;
  bool retired[ADDRESSES + 1];
#ifdef KEEP
  bool kept[ADDRESSES + 1]; /* loaded, and nobody looks whether it may leave */
#else
#define kept retired /* what may run again */
#endif
  bool fresh; /* something was retired since the last barrier */
  bool last;  /* no caller changes anything any more */
  byte g, i;
#ifdef BUG_SCAN_OLD_LIST
  bool listed_before[RECORDS];
#endif

next:
  atomic {
    if
    :: !mapped[1] -> g = 1; goto publish
    :: !mapped[2] -> g = 2; goto publish
#if ADDRESSES > 2
    :: !mapped[3] -> g = 3; goto publish
#endif
#ifdef KEEP
    :: kept[1] -> g = 1; goto let_go
    :: kept[2] -> g = 2; goto let_go
#if ADDRESSES > 2
    :: kept[3] -> g = 3; goto let_go
#endif
#endif
#ifdef WAY_BACK
    :: kept[1] -> g = 1; goto republish
    :: kept[2] -> g = 2; goto republish
#if ADDRESSES > 2
    :: kept[3] -> g = 3; goto republish
#endif
#endif
    :: fresh -> goto fence
    :: !fresh && retired[1] -> g = 1; goto scan
    :: !fresh && retired[2] -> g = 2; goto scan
#if ADDRESSES > 2
    :: !fresh && retired[3] -> g = 3; goto scan
#endif
    :: callers_ended -> goto ended
    fi
  };

publish:
#ifdef BUG_SCAN_OLD_LIST
  atomic { listed_before[0] = state[0] != unlisted; listed_before[RECORDS - 1] = state[RECORDS - 1] != unlisted };
#endif
#ifdef BUG_BARRIER_FIRST
  barrier();
#endif
#ifdef BUG_PUBLISH_EARLY
  store(CURRENT, g);
  mapped[g] = true;
#else
  atomic { mapped[g] = true; store(CURRENT, g) };
#endif
  atomic {
#ifdef KEEP
    kept[current] = true;
#else
    retired[current] = true;
    fresh = true;
#endif
    current = g;
    g = 0;
    goto next
  };

#ifdef KEEP
let_go: /* it was kept loaded to go back to, on probation's account or the history's: now it may leave */
  atomic {
    kept[g] = false;
    retired[g] = true;
#ifndef BUG_LET_GO_WITHOUT_BARRIER
    fresh = true;
#endif
    g = 0;
    goto next
  };
#endif

#ifdef WAY_BACK
republish: /* the way back: one that is still loaded, as somebody is inside or it was kept, runs again */
  store(CURRENT, g);
  atomic {
#ifdef KEEP
    kept[g] = false;
    kept[current] = true;
#else
#ifndef BUG_REPUBLISH_RETIRED
    retired[g] = false;
#endif
    retired[current] = true;
#ifndef BUG_REPUBLISH_WITHOUT_BARRIER
    fresh = true;
#endif
#endif
    current = g;
    g = 0;
    goto next
  };
#endif

fence:
#ifndef BUG_BARRIER_FIRST
  barrier();
#endif
  atomic { fresh = false; goto next };

scan:
  atomic { scanning = true; last = callers_ended };
  do
  :: atomic { i < ALL_SLOTS && !(listed(i / SLOTS) && load(SLOT(i)) == g) -> i++ }
  :: else -> break
  od;
  scanning = false;
  atomic {
    if
    :: i == ALL_SLOTS ->
      assert(!inside[g]); /* nothing is unloaded under a call */
      mapped[g] = false;
      retired[g] = false
    :: else ->
      assert(!last || inside[g]); /* what stays has a pin that keeps it */
#ifdef BUG_SCAN_ONCE
      retired[g] = false
#endif
    fi;
    last = false;
    g = 0;
    i = 0;
    goto next
  };

ended:
  g = 1;
  do
#ifdef KEEP
  :: g <= ADDRESSES -> assert(!mapped[g] || g == current || retired[g] || kept[g]); g++
#else
  :: g <= ADDRESSES -> assert(!mapped[g] || g == current || retired[g]); g++ /* nothing is forgotten */
#endif
  :: else -> break
  od
}

init {
  atomic {
    mapped[1] = true;
    memory[CURRENT] = 1;
    run caller(0);
#if CALLERS > 1
    run caller(1);
#endif
    run reloader(RELOADER)
  }
}
