/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sleeping and waking: two readers, a producer that commits and changes its
 * state, an interrupt. The 100 ms slice is a wake-up of its own that exists only
 * once the producer is dead: a living one must never need it.
 * lib/datahub/consumer-wait.c, producer-ring.c (publish_batch), producer.c
 * (close), os-linux.c (futex).
 *
 * @covers A7 A8 A9, B7 B8 B9, interrupted, flush_word, the slice
 * @also TWO_COMMITS | two commits, one behind the other
 * @also INTERRUPT | one commit, and an interrupt
 * @also KILL | one commit; the producer is killed anywhere
 * @mutant A8_RELEASE | A8 | wake by a release store
 * @mutant A9_ACQUIRE | A9 | waiters loaded with acquire
 * @mutant A8_BEFORE_A7 | A7, A8 | wake bumped before head
 * @mutant A7_RELAXED_AFTER | A7 | head may be seen after wake
 * @mutant A9_BEFORE_A8 | A8, A9 | waiters looked at before wake is bumped
 * @mutant WAITERS_TAKEN | A9 | the bits are taken, not looked at
 * @mutant WAKE_IS_HEAD | A8 | wake derived from head, bumped for the state
 * @mutant NO_B7 | B7 | no waiter bit
 * @mutant B7_LOAD_STORE | B7 | the bit set by a load and a store
 * @mutant NEWS_BEFORE_B8 | B8 | head and state looked at before wake
 * @mutant NO_LAST_LOOK | B8 | no look between wake and the sleep
 * @mutant FLUSH_WORD_LATE | interrupt | its word loaded after its flag
 * @mutant FLAG_AFTER_WORD | interrupt | the flag is set after its word
 * @mutant WAKE_SHARED | interrupt | wakes the shared word without changing it
 * @mutant SHARED_BIT | busy | two threads wait on one bit
 * @mutant CLOSE_NO_BUMP | close | state changes, wake does not
 * @mutant KILL_NO_SLICE | slice | readers sleep without end
 * @equivalent B7_RELAXED | B7 | the bit by a relaxed RMW | FUTEX_WAIT is a barrier:
 *   the bit is seen before the kernel compares wake
 * @equivalent B8_RELAXED | B8 | wake loaded relaxed, after the bit or before |
 *   FUTEX_WAIT compares it again behind a barrier
 */
#ifdef KILL_NO_SLICE
#define KILL
#endif
#if defined (FLUSH_WORD_LATE) || defined (FLAG_AFTER_WORD) || defined (WAKE_SHARED)
#define INTERRUPT
#endif
#ifdef WAITERS_TAKEN
#define TWO_COMMITS
#endif
#ifdef TWO_COMMITS
#define COMMITS 2
#else
#define COMMITS 1
#endif
#define READERS 2
#define PROCS 3 /* 0 producer, 1 + i reader i */
#define HEAD 0
#define WAKE 1
#define STATE 2
#define WAITERS 3
#define WORDS 4
#ifdef A7_RELAXED_AFTER
#define DEPTH 2
#else
#define DEPTH 1
#endif
#include "memory.pml"

#ifdef SHARED_BIT
#define BIT(i) 1
#else
#define BIT(i) (1 << (i))
#endif
#ifdef A8_RELEASE
#define A8_ORDER RELEASE
#else
#define A8_ORDER SEQ
#endif
#ifdef A9_ACQUIRE
#define A9_ORDER RELEASE
#else
#define A9_ORDER SEQ
#endif
#ifdef B7_RELAXED
#define B7_ORDER RELAXED
#else
#define B7_ORDER SEQ
#endif
#ifdef B8_RELAXED
#define B8_ORDER RELAXED
#else
#define B8_ORDER SEQ
#endif

hidden byte I7_no_lost_wake_up;

byte cursor[READERS];
bool asleep[READERS], dead, quiet, interrupted;
byte flush_word;

/* The kernel wakes all that sleep on the word. */
#define WAKE_ALL atomic { asleep[0] = false; asleep[1] = false }

inline bump()
{
  store (0, A8_ORDER, WAKE, mem[WAKE] + 1) /* A8 */
}

inline wake_waiters()
{
#ifdef A9_BEFORE_A8
  load (0, SEQ, WAITERS, w);
  bump ();
#else
#ifdef WAKE_IS_HEAD
  store (0, A8_ORDER, WAKE, head);
#else
  bump ();
#endif
#ifdef WAITERS_TAKEN
  d_step { IS_SEEN (0); w = mem[WAITERS]; mem[WAITERS] = 0 }
#else
  load (0, A9_ORDER, WAITERS, w); /* A9 */
#endif
#endif
  if
  :: w -> WAKE_ALL /* FUTEX_WAKE */
  :: else
  fi;
  w = 0
}

inline produce()
{
  do
  :: head < COMMITS ->
     head++;
#ifdef A8_BEFORE_A7
     wake_waiters ();
     d_step { IS_SEEN (0); mem[HEAD] = head }
#else
#ifdef A7_RELAXED_AFTER
     store (0, RELAXED, HEAD, head);
     store (0, RELAXED, WAKE, mem[WAKE] + 1);
     load (0, SEQ, WAITERS, w);
     if
     :: w -> WAKE_ALL
     :: else
     fi;
     w = 0
#else
     d_step { IS_SEEN (0); mem[HEAD] = head } /* A7 */
     wake_waiters ()
#endif
#endif
#ifdef WAKE_IS_HEAD
  :: head < COMMITS && !bumped -> bumped = true;
     bump ();
     WAKE_ALL /* such as a flush */
#endif
  :: break
  od;
  if
  :: atomic { IS_SEEN (0); mem[STATE] = 1 } /* closes */
#ifndef CLOSE_NO_BUMP
     bump ();
#endif
     IS_SEEN (0);
     WAKE_ALL
  :: skip /* has nothing to say for now */
  fi;
  quiet = true
}

proctype producer()
{
  byte head, w;
  bool bumped;
  { produce () } unless { dead }
}

#ifdef KILL
proctype killer()
{
  if
  :: !quiet -> dead = true
  :: skip
  fi
}
#endif

#define NEWS (mem[HEAD] > cursor[i] || mem[STATE] || interrupted)

/* B7: on its own bit, whatever others do to the word meanwhile. */
inline raise(p, i)
{
#ifdef B7_LOAD_STORE
  load (p, SEQ, WAITERS, w);
  store (p, SEQ, WAITERS, w | BIT (i));
  w = 0
#else
  put (p, B7_ORDER, OR, WAITERS, BIT (i))
#endif
}

inline futex_wait(p, i)
{
  atomic {
    IS_SEEN (p); /* a barrier, then compare and sleep in one */
    if
#ifdef WAKE_SHARED
    :: mem[WAKE] == seen -> asleep[i] = true
#else
    :: mem[WAKE] == seen && flush_word == flush -> asleep[i] = true
#endif
    :: else
    fi
  }
endsleep:
  !asleep[i]
}

inline wait_for_news(p, i)
{
#ifndef FLUSH_WORD_LATE
  flush = flush_word;
#endif
#ifndef NO_B7
  raise (p, i);
#endif
#ifdef NEWS_BEFORE_B8
  news = NEWS;
  load (p, B8_ORDER, WAKE, seen);
#else
  load (p, B8_ORDER, WAKE, seen); /* B8 */
#ifdef NO_LAST_LOOK
  news = false;
#else
  /* three loads; acquire is enough, they follow B8 */
  news = (mem[HEAD] > cursor[i]);
  news = news || mem[STATE];
  news = news || interrupted;
#endif
#endif
#ifdef FLUSH_WORD_LATE
  flush = flush_word;
#endif
  if
  :: !news -> futex_wait (p, i)
  :: else
  fi;
  put (p, SEQ, AND, WAITERS, 255 - BIT (i)); /* B9 */
  atomic { news = 0; seen = 0; flush = 0 }
}

proctype reader(byte i)
{
  byte seen, flush, w;
  bool news, closed;
  do
  :: interrupted -> break
  :: else ->
     closed = mem[STATE];
     if
     :: mem[HEAD] > cursor[i] -> cursor[i]++
     :: mem[HEAD] <= cursor[i] && closed -> break
     :: else ->
        if
        :: !interrupted -> wait_for_news (1 + i, i)
        :: else
        fi
     fi
  :: dead && IS_SEEN (0) && mem[HEAD] <= cursor[i] -> break /* byte 0 is free */
  od
}

/* The state is kept, so a reader that has left was not lost. */
proctype interrupter()
{
  if
  :: skip ->
#ifdef FLAG_AFTER_WORD
     flush_word++;
     WAKE_ALL;
     interrupted = true
#else
     interrupted = true;
#ifdef WAKE_SHARED
     WAKE_ALL
#else
     flush_word++;
     WAKE_ALL
#endif
#endif
  :: skip
  fi
}

#ifndef KILL_NO_SLICE
proctype slice()
{
end:
  do
  :: d_step { dead && asleep[0] -> asleep[0] = false }
  :: d_step { dead && asleep[1] -> asleep[1] = false }
  od
}
#endif

#define OVERSLEPT(i) (asleep[i] && (mem[HEAD] > cursor[i] || mem[STATE] \
  || interrupted || dead))

/* When nothing can go on, who sleeps does so rightly. */
proctype watch()
{
end:
  timeout -> assert (I7_no_lost_wake_up || (!OVERSLEPT (0) && !OVERSLEPT (1)))
}

MEMORY (DRAIN (0) DRAIN (1) DRAIN (2))

init {
  atomic {
    run producer ();
    run reader (0);
    run reader (1);
#ifdef INTERRUPT
    run interrupter ();
#endif
#ifndef KILL_NO_SLICE
    run slice ();
#endif
    run watch ()
#ifdef KILL
    ; run killer ()
#endif
  }
}
