/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that waits for room. As it is: for the gates of two reliable
 * consumers, in batches; it is woken when half of the ring is free. SLOTS: two
 * threads, one short of a record that a live consumer pins, one of a loan. The
 * 10 ms slice is a wake-up that exists only for rows whose owner died; the
 * living must never need it. lib/core/producer/producer-wait.c, consumer-wait.c
 * (kicks), consumer-read.c (advance), consumer-lease.c (unpin), producer-slots.c
 * (abort).
 *
 * @covers producer_waiting, room_wanted, room, B5 and B6 before the kick, interrupts
 * @also SLOTS | waits for a pin and for a loan instead of gates; interrupts
 * @also KILL | a reliable consumer is killed anywhere
 * @mutant WAITING_RELEASE | waiting | announced by release stores
 * @mutant ROOM_RETRY_ACQUIRE | retry | room and gates loaded with acquire
 * @mutant KICK_ACQUIRE | kick | producer_waiting loaded with acquire
 * @mutant WANTED_LATE | waiting | room_wanted is stored after the last retry
 * @mutant WANTED_FIRST | kick | room_wanted loaded before the gate moves
 * @mutant NO_KICK_AT_WANTED | kick | only who has read everything kicks
 * @mutant ROOM_LATE | room, W5 | its value is taken after the last retry
 * @mutant NO_RETRY | retry, W5 | sleeps at once after the announcement
 * @mutant KICK_FIRST | kick, W5 | the look at the bits comes before the advance
 * @mutant NO_KICK_ON_UNPIN | kick | an unpin kicks nobody
 * @mutant NO_KICK_ON_ABORT | abort | a loan that ends kicks nobody
 * @mutant WAKE_NO_BUMP | kick | wakes without changing room
 * @mutant INTERRUPT_NO_BUMP | interrupt | sets its flag alone
 * @mutant INTERRUPT_FLAG_LATE | interrupt | bumps room before the flag
 * @mutant COUNT_NOT_KEPT | waiting | the first of two waiters to leave takes the
 *   bit down
 * @mutant KILL_NO_SLICE | slice | the producer sleeps without end
 * @mutant PIN_BEHIND_A_GATE | waiting | short of a slot while a gate forbids to
 *   retire, the gate alone is announced
 * @argued NO_C5 | C5 | the bits of a dead producer stay up | they cost a kick that wakes
 *   nobody, until the adopter's first wait stores its own
 * @equivalent NO_KICK_AT_HEAD | kick | who has read everything kicks nobody | his
 *   gate has come by room_wanted, which is at most head
 * @equivalent RETRY_ACQUIRE | retry | gates loaded with acquire | room is loaded
 *   between, seq_cst, and waits for the announcement to be seen
 */
#define PROCS 3 /* 0 producer, 1 and 2 consumers */
#define DEPTH 1
#define GATE(i) (i)
#define PIN 2
#define WAITING 3
#define WANTED 4
#define ROOM 5
#define WORDS 6
#include "memory.pml"

#define RING 4
#define BATCH 2
#define LAST 6 /* head, when all is committed; it begins with a full ring */

#if defined (KILL_NO_SLICE)
#define KILL
#endif
#if defined (NO_KICK_ON_ABORT) || defined (COUNT_NOT_KEPT) \
  || defined (NO_KICK_ON_UNPIN) || defined (INTERRUPT_NO_BUMP) \
  || defined (PIN_BEHIND_A_GATE) \
  || defined (INTERRUPT_FLAG_LATE)
#define SLOTS
#endif
#define GATE_BIT 1
#define SLOT_BIT 2
#ifdef SLOTS
#ifdef PIN_BEHIND_A_GATE
#define BITS GATE_BIT
#else
#define BITS 3 /* both */
#endif
#else
#define BITS GATE_BIT
#endif

#ifdef WAITING_RELEASE
#define WAITING_ORDER RELEASE
#else
#define WAITING_ORDER SEQ
#endif
#ifdef ROOM_RETRY_ACQUIRE
#define RETRY_ACQUIRE
#define ROOM_ORDER RELEASE
#else
#define ROOM_ORDER SEQ
#endif
#ifdef RETRY_ACQUIRE
#define RETRY_ORDER RELEASE
#else
#define RETRY_ORDER SEQ
#endif
#ifdef KICK_ACQUIRE
#define KICK_ORDER RELEASE
#else
#define KICK_ORDER SEQ
#endif

hidden byte I9_the_producer_moves, W5_no_slice_needed;

byte n_waiting, loans = 1, head = RING, tail;
bool asleep[2], interrupted, dead, held;

#define WAKE atomic { asleep[0] = false; asleep[1] = false }

/* Whoever changes room, then wakes. */
inline bump(p)
{
#ifdef WAKE_NO_BUMP
  skip
#else
  d_step { IS_SEEN (p); mem[ROOM]++ }
#endif
}

/* The producer's process holds its lock for each of these. */
inline announce(up)
{
  atomic {
    !held;
    held = true;
    n_waiting = (up -> n_waiting + 1 : n_waiting - 1)
  }
#ifndef WANTED_LATE
  if
  :: up -> store (0, WAITING_ORDER, WANTED, tail + (head - tail + 1) / 2)
  :: else
  fi;
#endif
#ifdef COUNT_NOT_KEPT
  store (0, WAITING_ORDER, WAITING, (up -> BITS : 0));
#else
  store (0, WAITING_ORDER, WAITING, (n_waiting > 0 -> BITS : 0));
#endif
  held = false
}

/* Retires what both gates allow, until the batch fits. */
inline try_commit()
{
  load (0, RETRY_ORDER, GATE (0), gate);
  atomic {
    load (0, RETRY_ORDER, GATE (1), other);
    gate = (other < gate -> other : gate);
    other = 0;
    tail = (gate > tail -> gate : tail);
    tail = (tail > head + BATCH - RING -> head + BATCH - RING : tail);
    gate = 0;
    ok = (head + BATCH - tail <= RING);
    head = (ok -> head + BATCH : head)
  }
}

inline try_record()
{
  atomic { load (0, RETRY_ORDER, PIN, gate); ok = !gate; gate = 0 }
}

inline try_acquire()
{
  atomic { !held; ok = (loans == 0) }
}

inline sleep(t)
{
  atomic {
    IS_SEEN (0);
    if
    :: mem[ROOM] == room -> asleep[t] = true
    :: else
    fi
  }
endsleep:
  !asleep[t]
}

#ifdef ROOM_LATE
#define TAKE skip
#define TAKE_LATE load (0, ROOM_ORDER, ROOM, room)
#else
#define TAKE load (0, ROOM_ORDER, ROOM, room)
#define TAKE_LATE skip
#endif
#ifdef WANTED_LATE
#define WANT_LATE store (0, SEQ, WANTED, tail + (head - tail + 1) / 2)
#else
#define WANT_LATE skip
#endif
#ifdef NO_RETRY
#define SLEEP_AT_ONCE(t) sleep (t)
#else
#define SLEEP_AT_ONCE(t) skip
#endif

/* producer_run: try; announce, take room, try again; sleep, announce anew. */
#define RUN(t, attempt) \
  do \
  :: interrupted -> break \
  :: else -> \
     attempt; \
     if \
     :: ok -> break \
     :: else \
     fi; \
     if \
     :: waiting -> TAKE_LATE; WANT_LATE; sleep (t); announce (0) \
     :: else \
     fi; \
     announce (1); \
     waiting = true; \
     TAKE; \
     SLEEP_AT_ONCE (t) \
  od; \
  if \
  :: waiting -> announce (0); waiting = false; room = 0 \
  :: else \
  fi

#ifdef SLOTS
#define ATTEMPT try_record ()
#else
#define ATTEMPT try_commit ()
#endif

proctype committer()
{
  byte gate, other, room;
  bool ok, waiting;
#ifdef SLOTS
  RUN (0, ATTEMPT)
#else
  do
  :: head < LAST && !interrupted ->
     RUN (0, ATTEMPT);
     ok = false
  :: else -> break
  od
#endif
}

#ifdef SLOTS
/* A second thread of the producer waits for a loan to end. */
proctype acquirer()
{
  byte room;
  bool ok, waiting;
  RUN (1, try_acquire ())
}

proctype aborter()
{
  bool waited;
  if
  :: atomic { !held; loans = 0; waited = (n_waiting > 0) }
  :: goto out
  fi;
#ifndef NO_KICK_ON_ABORT
  if
  :: waited -> bump (0); WAKE
  :: else
  fi;
#endif
out:
  skip
}

proctype live()
{
  bool waits;
  byte times, word;
  do
  :: times < 2 ->
     times++;
     put (1, SEQ, OR, PIN, 1); /* B3 */
     if
     :: put (1, SEQ, AND, PIN, 254) /* B6 */
     :: break /* it may hold it for ever */
     fi;
#ifndef NO_KICK_ON_UNPIN
     atomic { load (1, KICK_ORDER, WAITING, word); waits = (word & SLOT_BIT) != 0;
       word = 0 }
     if
     :: waits -> bump (1); WAKE; waits = 0
     :: else
     fi
#endif
  :: break
  od
}
#else

inline kick(p, to)
{
  atomic { load (p, KICK_ORDER, WAITING, word); waits = (word & GATE_BIT) != 0;
    word = 0 }
  if
  :: waits ->
#ifndef WANTED_FIRST
     load (p, SEQ, WANTED, wanted);
#endif
     atomic {
#ifdef NO_KICK_AT_WANTED
       waits = (to >= head);
#elif defined (NO_KICK_AT_HEAD)
       waits = (to == wanted);
#else
       waits = (to == wanted || to >= head);
#endif
       wanted = 0
     }
     if
     :: waits -> bump (p); WAKE
     :: else
     fi;
     waits = 0
  :: else
  fi
}

inline consume(p, i)
{
  do
  :: to < head ->
     to++;
#ifdef WANTED_FIRST
     load (p, SEQ, WANTED, wanted);
#endif
#ifdef KICK_FIRST
     kick (p, to);
     store (p, SEQ, GATE (i), to)
#else
     store (p, SEQ, GATE (i), to); /* B5; the owner's word until evicted */
     kick (p, to)
#endif
  :: break /* it may be slow for ever */
  od
}

proctype reliable(byte i)
{
  bool waits;
  byte to, word, wanted;
  { consume (1 + i, i) } unless { dead && i == 0 }
}
#endif

proctype interrupter()
{
  if
  :: skip ->
#ifdef INTERRUPT_FLAG_LATE
     bump (0);
     WAKE;
     interrupted = true
#else
     interrupted = true;
#ifndef INTERRUPT_NO_BUMP
     bump (0);
     WAKE
#endif
#endif
  :: skip
  fi
}

#ifdef KILL
proctype killer()
{
  dead = true;
  /* the producer itself cleans the row, when its slice is over */
#ifndef KILL_NO_SLICE
end:
  do
  :: atomic { IS_SEEN (1) && (mem[GATE (0)] < 15 || asleep[0]) ->
       mem[GATE (0)] = 15; WAKE }
  od
#endif
}
#endif

#define PASSED(i) (mem[GATE (i)] >= mem[WANTED])

/* When nothing can go on, who sleeps does so rightly: a gate is still below what
 * was asked for. */
proctype watch()
{
end:
  timeout ->
    assert (I9_the_producer_moves
      || (!(asleep[0] && (interrupted || dead))
          && !(asleep[1] && interrupted)));
#ifdef SLOTS
    assert (W5_no_slice_needed
      || (!(asleep[0] && !mem[PIN]) && !(asleep[1] && loans == 0)))
#else
    assert (W5_no_slice_needed || !(asleep[0] && PASSED (0) && PASSED (1)))
#endif
}

MEMORY (DRAIN (0) DRAIN (1) DRAIN (2))

init {
  atomic {
    run committer ();
#ifdef SLOTS
    run acquirer ();
    run aborter ();
    run live ();
    run interrupter ();
#else
    run reliable (0);
    run reliable (1);
#endif
    run watch ()
#ifdef KILL
    ; run killer ()
#endif
  }
}
