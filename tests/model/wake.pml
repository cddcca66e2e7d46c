/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sleeping and waking: two readers, a producer that commits and changes its
 * state, an interrupt. The 100 ms slice is a wake-up of its own that exists only
 * once the producer is dead: a living one must never need it.
 * lib/core/consumer/consumer-wait.c, producer-commit.c (publish_batch), producer-show.c (ring_show),
 * producer-close.c (close), os-linux.c (futex).
 *
 * @covers A7 A9 A8, B8 B7 B9, interrupted, flush_word, the slice
 * @also TWO_COMMITS | two commits, one behind the other
 * @also INTERRUPT | one commit, and an interrupt
 * @also KILL | one commit; the producer is killed anywhere
 * @also ADOPT | one reader; two deaths of the producer anywhere, each adopted
 * @mutant A7_RELEASE | A7 | head by a release store
 * @mutant A9_ACQUIRE | A9 | waiters loaded with acquire
 * @mutant A9_BEFORE_A7 | A7, A9 | waiters looked at before head is stored
 * @mutant A8_BEFORE_A9 | A8, A9 | wake steps before the bits are taken
 * @mutant NO_A8 | A8 | wake does not step
 * @mutant WAKE_IS_HEAD | A8, W1 | wake derived from head, bumped for the state
 * @mutant NO_B7 | B7 | no waiter bit
 * @mutant B7_LOAD_STORE | B7 | the bit set by a load and a store
 * @mutant B7_RELAXED | B7 | the bit by a relaxed RMW
 * @mutant B7_BEFORE_B8 | B7, B8 | the bit is set before wake is loaded
 * @mutant LOOK_ACQUIRE | the look | head loaded with acquire after the bit
 * @mutant LOOK_BEFORE_B7 | the look | head and state looked at before the bit
 * @mutant NO_LAST_LOOK | the look | no look between the bit and the sleep
 * @mutant FLUSH_WORD_LATE | interrupt, W2 | its word loaded after its flag
 * @mutant FLAG_AFTER_WORD | interrupt, W2 | the flag is set after its word
 * @mutant WAKE_SHARED | interrupt, W2 | wakes the shared word without changing it
 * @mutant SHARED_BIT | busy, W4 | two threads wait on one bit
 * @mutant CLOSE_NO_BUMP | close, W1 | state changes, wake does not
 * @mutant B9_STORE | B9 | the word is stored as zero, not the bit taken down
 * @mutant NO_C8 | C8 | an adopter wakes nobody
 * @mutant WAKE_RESTARTS | C8 | an adopter counts from where the first began
 * @mutant KILL_NO_SLICE | slice, W3 | readers sleep without end
 * @argued NO_RELAY | W6 | sleepers are woken by the producer alone | there is no relay
 *   to weaken
 * @equivalent NO_B9 | B9 | the bit stays up | a wake nobody needs, and the next
 *   commit takes it
 * @equivalent A8_RELEASE | A8 | wake by a release store | FUTEX_WAKE is a barrier:
 *   wake has stepped before anybody is woken, and who is not asleep yet compares
 *   it behind a barrier of its own
 */
#ifdef KILL_NO_SLICE
#define KILL
#endif
#if defined (NO_C8) || defined (WAKE_RESTARTS)
#define ADOPT
#endif
#ifdef ADOPT
#define KILL
#define KILLS 2
#else
#define KILLS 1
#endif
#if defined (FLUSH_WORD_LATE) || defined (FLAG_AFTER_WORD) || defined (WAKE_SHARED)
#define INTERRUPT
#endif
#if defined (B7_BEFORE_B8) || defined (A8_BEFORE_A9)
#define TWO_COMMITS
#endif
#if defined (TWO_COMMITS) || defined (A8_BEFORE_A9) || defined (B7_BEFORE_B8) \
  || defined (SHARED_BIT) || defined (WAKE_IS_HEAD) || defined (B9_STORE) \
  || defined (ADOPT)
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
#define DEPTH 1
#include "memory.pml"

#ifdef SHARED_BIT
#define BIT(i) 1
#else
#define BIT(i) (1 << (i))
#endif
#ifdef A7_RELEASE
#define A7_ORDER RELEASE
#else
#define A7_ORDER SEQ
#endif
#ifdef A7_RELEASE
#define A7_ORDER RELEASE
#else
#define A7_ORDER SEQ
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
#ifdef LOOK_ACQUIRE
#define LOOK_ORDER RELEASE
#else
#define LOOK_ORDER SEQ
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

/* A9, A8 and FUTEX_WAKE. */
/* What a commit steps: with the mutant, a word that says how much there is. */
inline step()
{
#ifdef WAKE_IS_HEAD
  store (0, A8_ORDER, WAKE, head)
#else
  bump ()
#endif
}

inline look_at_waiters()
{
  load (0, A9_ORDER, WAITERS, w)
}

/* The bits that were seen are taken by one exchange, those that came meanwhile
 * too; then wake steps, then the kernel is asked. */
inline take_waiters()
{
#ifdef A8_BEFORE_A9
  step ();
#endif
#ifndef A9_BEFORE_A7
  look_at_waiters (); /* A9 */
#endif
  if
  :: w ->
     d_step { IS_SEEN (0); w = mem[WAITERS]; mem[WAITERS] = 0 } /* A9 */
#if !defined (A8_BEFORE_A9) && !defined (NO_A8)
     step (); /* A8 */
#endif
     IS_SEEN (0); /* a system call */
     WAKE_ALL
  :: else
  fi;
  w = 0
}

inline produce()
{
  do
  :: head < COMMITS ->
     head++;
#ifdef A9_BEFORE_A7
     look_at_waiters ();
#endif
     store (0, A7_ORDER, HEAD, head); /* A7 */
     take_waiters ()
#ifdef WAKE_IS_HEAD
  :: head < COMMITS && !bumped -> bumped = true;
     bump ();
     IS_SEEN (0);
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

#ifdef ADOPT
bool heir;

/* C8; from the lock of byte 0 on nobody takes the producer for dead. */
inline adopt()
{
#ifdef NO_C8
  skip
#else
#ifdef WAKE_RESTARTS
  store (0, SEQ, WAKE, 1);
#else
  bump ();
#endif
  IS_SEEN (0);
  WAKE_ALL
#endif
}
#endif

proctype producer()
{
  byte head, w;
  bool bumped;
#ifdef ADOPT
  do
  :: true ->
     {
       if
       :: heir -> adopt ()
       :: else
       fi;
       produce ();
       goto over
     } unless { dead };
     /* a closed block is not adopted: the dead one closed it, and that is all */
     atomic { IS_SEEN (0); heir = true; w = 0; head = mem[HEAD];
       dead = mem[STATE] }
     if
     :: dead -> goto over
     :: else
     fi
  od;
over:
  skip
#else
  { produce () } unless { dead }
#endif
}

#ifdef KILL
proctype killer()
{
#ifdef ADOPT
  byte kills = KILLS;
  do
  :: !quiet && !dead && kills > 0 -> atomic { kills--; dead = true }
  :: break
  od
#else
  if
  :: !quiet -> dead = true
  :: skip
  fi
#endif
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

/* Three loads; the first must not pass the bit. */
inline look(p, i)
{
  load (p, LOOK_ORDER, HEAD, h);
  news = (h > cursor[i]);
  news = news || mem[STATE];
  news = news || interrupted;
  h = 0
}

inline wait_for_news(p, i)
{
#ifndef FLUSH_WORD_LATE
  flush = flush_word;
#endif
#ifdef B7_BEFORE_B8
  raise (p, i);
  load (p, SEQ, WAKE, seen);
  look (p, i);
#else
  load (p, SEQ, WAKE, seen); /* B8 */
#ifdef LOOK_BEFORE_B7
  look (p, i);
#endif
#ifndef NO_B7
  raise (p, i); /* B7 */
#endif
#if !defined (NO_LAST_LOOK) && !defined (LOOK_BEFORE_B7)
  look (p, i);
#endif
#endif
#ifdef FLUSH_WORD_LATE
  flush = flush_word;
#endif
  if
  :: !news -> futex_wait (p, i)
  :: else
  fi;
#ifdef B9_STORE
  store (p, SEQ, WAITERS, 0);
#elif !defined (NO_B9)
  put (p, SEQ, AND, WAITERS, 255 - BIT (i)); /* B9 */
#endif
  atomic { news = 0; seen = 0; flush = 0 }
}

proctype reader(byte i)
{
  byte seen, flush, w, h;
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
#ifndef ADOPT
    run reader (1);
#endif
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
