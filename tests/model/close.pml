/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a stream: the last records before CLOSED or the producer's death,
 * a pool added just before, names removed, a consumer that attaches meanwhile.
 * The producer dies anywhere; a successor then closes on its behalf.
 * lib/core/consumer/consumer-read.c (try_read, read_until), consumer.c (attach),
 * producer-close.c (close), named-memory.c (wait_for_laggards), block-names.c (laggards, close_for_the_dead).
 *
 * @covers A7 and state and byte 0 with B1; pools_seen, pool_changes, the names
 * @mutant HEAD_FIRST | B1, G2 | head loaded before the state
 * @mutant NO_SECOND_LOOK | death, G2 | concluded without another look at head
 * @mutant CLOSED_BEFORE_A7 | A7 | the state is stored before the last head
 * @mutant A7_RELAXED | A7 | head may be seen after the state
 * @mutant CLOSED_RELEASE | close | CLOSED by a release store
 * @mutant NO_LAGGARDS | close | the names go whoever has not opened the pool
 * @mutant LAGGARDS_FIRST | close | rows are looked at before CLOSED is stored
 * @mutant SEEN_BEFORE_OPEN | pools_seen | told before the pool is open
 * @mutant SEEN_LOADED_LATE | pools_seen | pool_changes loaded after the table
 * @mutant NO_LOOK_AFTER_JOIN | attach | the state is not looked at after joining
 * @mutant LEAVES_WHEN_CLOSED | W7, attach | leaves where the state is CLOSED after joining
 * @mutant STAYS_WITHOUT_POOL | attach | stays in a closed block if its pool cannot be opened
 * @mutant LOOK_BEFORE_ROW | attach | looked at before the row is claimed
 * @mutant SUCCESSOR_NO_LAGGARDS | takeover | a successor removes the names at once
 * @mutant LINK_LATE | P1 | a pool's entry is stored before its file has its name
 * @equivalent ACTIVE_ONLY | close | only rows in state ACTIVE can lag | attach opens
 *   the pools of a closed block again after joining and gives up without one, so only ACTIVE rows need be waited for
 * @equivalent SEEN_NOT_RESET | pools_seen | a new owner inherits the old one's | attach opens
 *   the pools of a closed block again after joining and gives up without one, so only ACTIVE rows need be waited for
 * @equivalent CLAIMED_RELEASE | attach | the row's state by a release store | attach opens
 *   the pools of a closed block again after joining and gives up without one, so only ACTIVE rows need be waited for
 */
#define PROCS 2 /* 0 producer or its successor, 1 consumer */
#define STATE 0 /* 1: closed */
#define HEAD 1
#define CHANGES 2
#define POOL 3 /* its generation in the table */
#define ROW 4 /* 0 free, 1 claimed, 2 active */
#define SEEN 5
#define WORDS 6
#ifdef A7_RELAXED
#define DEPTH 3
#else
#define DEPTH 1
#endif
#include "memory.pml"

#ifdef CLOSED_RELEASE
#define CLOSED_ORDER RELEASE
#else
#define CLOSED_ORDER SEQ
#endif
#ifdef CLAIMED_RELEASE
#define CLAIMED_ORDER RELEASE
#else
#define CLAIMED_ORDER SEQ
#endif

hidden byte G2_nothing_lost_at_the_end, P3_pool_within_reach;
hidden byte W7_counted_misses_nothing;

bool linked = true; /* the files have names */
bool pool_linked; /* the new one has */
bool dead, over, byte_0 = true;
bool row_locked, named = true;
bool counted; /* the producer waited for the consumer, and saw its row */
byte committed;

/* Returns in lag whether a living consumer has not opened the newest pool. */
inline look_for_laggards()
{
  load (0, SEQ, CHANGES, changes);
  load (0, SEQ, ROW, state);
#ifdef ACTIVE_ONLY
  if
  :: state == 2 ->
#else
  if
  :: state == 1 || state == 2 ->
#endif
     atomic { load (0, RELEASE, SEEN, seen); lag = (seen != changes); seen = 0 }
     lag = lag && row_locked
  :: else -> lag = false
  fi;
  atomic { changes = 0; state = 0 }
}

inline remove_names(keep)
{
  named = false;
  if
  :: !keep -> linked = false
  :: else
  fi
}

inline wait_for_consumer()
{
  if
  :: load (0, SEQ, ROW, state);
     if
     :: state == 2 -> counted = true
     :: else
     fi;
     state = 0
  :: skip
  fi
}

inline produce()
{
  wait_for_consumer ();
  /* grow, so that the first record is in a pool nobody has opened */
#ifndef LINK_LATE
  pool_linked = true;
#endif
  store (0, RELEASE, POOL, 1);
  d_step { IS_SEEN (0); mem[CHANGES] = mem[CHANGES] + 1 }
#ifdef LINK_LATE
  pool_linked = true;
#endif
#ifdef CLOSED_BEFORE_A7
  store (0, SEQ, STATE, 1);
#endif
#ifdef A7_RELAXED
  atomic { store (0, RELAXED, HEAD, 1); committed = 1 }
#else
  atomic { IS_SEEN (0); committed = 1; mem[HEAD] = 1 } /* A7 */
#endif
#ifdef LAGGARDS_FIRST
  look_for_laggards ();
#endif
#ifdef A7_RELAXED
  store (0, RELAXED, STATE, 1);
  IS_SEEN (0);
#else
  store (0, CLOSED_ORDER, STATE, 1);
#endif
  /* up to 0.3 s: it looks again, or gives up and keeps the files */
#ifndef LAGGARDS_FIRST
  do
  :: look_for_laggards ();
     if
     :: !lag -> break
     :: lag -> skip
     :: lag -> break
     fi
  od;
#endif
#ifdef NO_LAGGARDS
  lag = false;
#endif
  remove_names (lag);
  over = true
}

/* Takes byte 0 of the dead and closes the block on its behalf. */
inline succeed()
{
  atomic { changes = 0; state = 0; seen = 0; lag = 0 }
  store (0, SEQ, STATE, 1);
#ifdef SUCCESSOR_NO_LAGGARDS
  lag = false;
#else
  look_for_laggards ();
#endif
  remove_names (lag)
}

proctype producer()
{
  byte changes, state, seen;
  bool lag;
  { produce () } unless { dead };
  IS_SEEN (0);
  byte_0 = false; /* the kernel's, or the closer's last step */
  if
  :: dead && !over -> succeed ()
  :: else
  fi
}

proctype killer()
{
  if
  :: !over -> dead = true
  :: skip
  fi
}

/* Opens each pool of the table that it has not; a file without a name cannot
 * be. What is lost so matters only if a record is in it. */
inline refresh()
{
#ifndef SEEN_LOADED_LATE
  load (1, SEQ, CHANGES, changes);
#endif
#ifdef SEEN_BEFORE_OPEN
  store (1, SEQ, SEEN, changes);
#endif
  load (1, RELEASE, POOL, pool);
  if
  :: pool && linked && pool_linked -> opened = true
  :: else
  fi;
  missing = pool && !opened;
#ifdef SEEN_LOADED_LATE
  load (1, SEQ, CHANGES, changes);
#endif
#ifndef SEEN_BEFORE_OPEN
  store (1, SEQ, SEEN, changes);
#endif
  known = changes;
  atomic { changes = 0; pool = 0 }
}

inline look_at_ring()
{
  told = 0;
#ifdef HEAD_FIRST
  load (1, RELEASE, HEAD, head);
  load (1, SEQ, STATE, state);
#else
  load (1, SEQ, STATE, state);
  load (1, RELEASE, HEAD, head); /* B1 */
#endif
  if
  :: head > cursor ->
     /* pinned, so the table still has its pool; it may be opened only now */
     if
     :: !opened -> refresh ()
     :: else
     fi;
     assert (P3_pool_within_reach || opened);
     cursor++;
     told = 1
  :: head <= cursor && state -> told = 2
  :: else
  fi;
  atomic { head = 0; state = 0 }
}

proctype consumer()
{
  byte changes, pool, known, state, head, cursor, told;
  bool opened, missing, orphan, gone;
  /* the entry leads to the files; they are open from here on */
  if
  :: named && linked -> load (1, SEQ, STATE, state)
  :: else -> goto out
  fi;
  if
  :: state -> goto out
  :: else
  fi;
  row_locked = true;
#ifdef LOOK_BEFORE_ROW
  load (1, SEQ, STATE, state);
#endif
#ifndef SEEN_NOT_RESET
  store (1, SEQ, SEEN, 0);
#endif
  store (1, CLAIMED_ORDER, ROW, 1);
  refresh ();
  store (1, SEQ, ROW, 2);
#ifndef LOOK_BEFORE_ROW
#ifndef NO_LOOK_AFTER_JOIN
  load (1, SEQ, STATE, state);
#endif
#endif
  /* closed meanwhile: it stays if it has all that it may have to read */
  if
#ifdef LEAVES_WHEN_CLOSED
  :: state -> goto out
#else
#ifdef STAYS_WITHOUT_POOL
  :: state -> refresh ()
#else
  :: state -> refresh ();
     if
     :: missing -> goto out
     :: else
     fi
#endif
#endif
  :: else
  fi;
  state = 0;
  do
  :: true ->
     atomic { load (1, RELAXED, CHANGES, changes); gone = (changes != known);
       changes = 0 }
     if
     :: gone -> refresh ()
     :: else
     fi;
     gone = false;
     look_at_ring ();
     if
     :: told == 2 -> break
     :: told == 1
     :: told == 0 ->
        orphan = !byte_0;
        if
        :: orphan ->
#ifndef NO_SECOND_LOOK
           look_at_ring ();
#endif
           if
           :: told == 0 || told == 2 -> break
           :: else
           fi
        :: else
        fi
     fi
  od;
  assert (G2_nothing_lost_at_the_end || cursor >= committed);
out:
  assert (W7_counted_misses_nothing || !counted || cursor >= committed);
  row_locked = false
}

MEMORY (DRAIN (0) DRAIN (1))

init {
  atomic {
    mem[CHANGES] = 1;
#ifdef SEEN_NOT_RESET
    mem[SEEN] = 2;
#endif
    run producer ();
    run consumer ();
    run killer ()
  }
}
