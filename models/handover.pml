/* SPDX-License-Identifier: MIT */
/* handover: the gate before the calls of a library is closed, nobody is inside while one generation hands over to the
 * next, and nobody waits for ever.
 *
 * Two threads call and one reloads, a bounded number of times. With NESTED the first thread can be inside twice (a call
 * inside a call), and the second only drops pins that were moved to it. What a call tries first is any table: `hint` need not be right.
 *
 * Memory is weak, as in publish_retire.pml: a store waits in its thread's buffer, and a load may overtake it. Each BUG_
 * takes a rule away, and the checker must then find a violation. README.md maps all this to the code.
 */
#ifndef HANDOVERS
#define HANDOVERS 2
#endif
#ifndef CHANGES
#define CHANGES 8 /* of the gate, at most */
#endif
#define PENDING 2

#define RELOADER 2

/* Shared memory. */
#define CONFIRMED 0
#define GATE 1 /* its state, and 4 times the count of its changes */
#define OUTGOING 2
#define SLOT(i) (3 + (i)) /* one is each thread's; or both are the first's, and the second only drops what is moved to it */
#define SLOTS 2
#define OPEN 0
#define CLOSING 1
#define QUIET 2
#define state_of(gate) ((gate) % 4)

byte memory[3 + SLOTS];
chan buffer[3] = [PENDING] of { byte, byte };

#define load(cell) memory[cell]
#define store(cell, value) buffer[self] ! cell, value
#define pending(cell) buffer[self] ?? [eval(cell), _]
#define drained(thread) empty(buffer[thread])

/* What the checker knows and the program doesn't. */
bool mapped[3];
byte inside[3]; /* the pins that let calls into a table */
byte running = 2;

byte pinned[SLOTS]; /* the table that a pin gives access to */
byte holder[SLOTS]; /* the thread that has it, plus 1 */

active [3] proctype store_buffer() {
  byte cell, value;

end:
  do
  :: d_step {
      buffer[_pid] ? cell, value;
      memory[cell] = value;
      cell = 0;
      value = 0
    }
  od
}

#define has(i) (holder[i] == self + 1)
#ifdef NESTED
#define is_own(i) (self == 0)
#else
#define is_own(i) (self == (i))
#endif
#define vacant(i) (!has(i) && !pending(SLOT(i)) && !load(SLOT(i)))
/* A pin that this thread made holds the outgoing table; the thread sees its own stores. */
#define is_inside(i) (is_own(i) && load(SLOT(i)) == load(OUTGOING))
#define is_inside_any (is_inside(0) || is_inside(1))

proctype caller(byte self) {
  byte i, wanted, seen, gate;

next:
  atomic {
    i = 0;
    wanted = 0;
    seen = 0;
    gate = 0;
    select(i : 0 .. SLOTS - 1);
    if
    :: is_own(i) && vacant(i) -> select(wanted : 1 .. 2); goto announce
    :: has(i) -> goto unpin
    :: has(i) && self == 0 && !pending(SLOT(i)) -> holder[i] = 2; goto next /* moved: the other sees it set */
    :: i = 0; goto ended
    fi
  };

announce:
  store(SLOT(i), wanted);
  atomic {
    seen = load(CONFIRMED);
    if
    :: seen == wanted -> goto enter
    :: seen != wanted && seen != 0 -> wanted = seen; goto announce
    :: else -> wanted = 0
    fi
  };

closed:
  store(SLOT(i), 0);
  gate = load(GATE);
  atomic {
    if
    :: state_of(gate) == OPEN -> wanted = load(CONFIRMED); gate = 0;
      if
      :: wanted == 0 -> goto closed
      :: else -> goto announce
      fi
    :: state_of(gate) == CLOSING && is_inside_any -> skip
    :: else -> goto wait
    fi
  };
  wanted = load(OUTGOING);
  store(SLOT(i), wanted);
  atomic {
#ifdef BUG_NO_LOOK
    seen = gate;
#else
    seen = load(GATE);
#endif
    if
    :: seen == gate -> goto enter
    :: else -> goto closed
    fi
  };

wait:
  atomic {
    load(GATE) != gate;
    gate = 0;
    wanted = load(CONFIRMED);
    if
    :: wanted == 0 -> goto closed
    :: else -> goto announce
    fi
  };

enter:
  atomic {
    assert(mapped[wanted]); /* a call begins in a generation that is loaded */
    inside[wanted]++;
    pinned[i] = wanted;
    holder[i] = self + 1;
    goto next
  };

unpin:
  atomic {
    store(SLOT(i), 0);
    inside[pinned[i]]--;
    pinned[i] = 0;
    holder[i] = 0;
    goto next
  };

ended:
  running--
}

inline barrier() {
  drained(RELOADER);
  drained(0);
  drained(1)
}

#define later ((changes) * 4)
#ifdef BUG_NO_COUNT
#define gate_as(state) (state)
#else
#define gate_as(state) (later + (state))
#endif
inline change(state) {
  atomic {
    changes++;
    store(GATE, gate_as(state))
  }
}

/* Leaves i at SLOTS when no slot has the table. */
inline scan(table) {
  i = 0;
  do
  :: atomic { i < SLOTS && load(SLOT(i)) != table -> i++ }
  :: else -> break
  od
}

proctype reloader(byte self) {
  byte current = 1;
  byte coming = 2;
  byte changes, i, done;

next:
  if
  :: done < HANDOVERS && changes + 4 < CHANGES -> done++
  :: else -> goto ended
  fi;
  mapped[coming] = true;
  store(OUTGOING, current);
  change(CLOSING);
  store(CONFIRMED, 0);

look:
  scan(current);
  if
  :: i < SLOTS -> goto look
  :: i < SLOTS -> goto give_up
  :: i == SLOTS
  fi;
#ifndef BUG_ONE_SCAN
  change(QUIET);
#ifndef BUG_NO_BARRIER_AFTER_QUIET
  barrier();
#endif
  scan(current);
  if
  :: i < SLOTS && changes + 2 < CHANGES -> change(CLOSING); goto look
  :: i < SLOTS -> goto give_up
  :: i == SLOTS
  fi;
#endif

  assert(!inside[current] && !inside[coming]); /* nobody is inside when the handover begins */
  assert(!inside[current] && !inside[coming]); /* and when it ends */
  store(CONFIRMED, coming);
  change(OPEN);
  barrier();
  do
  :: scan(current);
    if
    :: i == SLOTS -> break
    :: i < SLOTS && running == 0 && drained(0) && drained(1) -> goto ended /* a pin that was never let go */
    :: i < SLOTS && (running != 0 || nempty(buffer[0]) || nempty(buffer[1]))
    fi
  od;
  atomic {
    assert(!inside[current]); /* nothing is unloaded under a call */
    mapped[current] = false;
    current = coming;
    coming = 3 - current;
    i = 0;
    goto next
  };

give_up:
  store(CONFIRMED, current);
  change(OPEN);
  atomic {
    mapped[coming] = false;
    i = 0;
    goto next
  };

ended:
  skip
}

init {
  atomic {
    mapped[1] = true;
    memory[CONFIRMED] = 1;
    run caller(0);
    run caller(1);
    run reloader(RELOADER)
  }
}
