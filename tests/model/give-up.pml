/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers given up: short of slots, the producer puts a tombstone in the place of
 * a buffer that no gate protects. A reliable consumer joins at any time, reads,
 * may be evicted, leaves: it meets a tombstone only of what was committed before it
 * joined. lib/core/producer/producer-pressure.c, consumer-read.c (try_read, step_over),
 * consumer-join.c (consumer_join).
 *
 * The ring is as long as the stream; records are few and used again.
 * @covers T1 T3 T4, A3 A10 A5 A7, B2 B3 B4 B11 B13, join_head
 * @also LIVE | a live reader, lapped or not
 * @also ADOPT | the producer is killed at any step; its heir holds back what it commits
 * @mutant NO_T1 | T1 | gates are not looked at
 * @mutant T1_EARLY | T1 | commits between the look at the gates and the choice
 * @mutant T1_ACQUIRE | T1 | rows and gates loaded with acquire
 * @mutant A7_RELEASE | A7, T1 | head by a release store
 * @mutant T1_UNSEEN | T1 | what is not shown yet is given up
 * @mutant T3_LATE | T3 | the tombstone is filled when the word leads to it
 * @equivalent T4_RELEASE | T4 | the word by a release store | A10 comes before the
 *   record it led to is used again
 * @mutant OLD_IS_FREE | T4, A5 | the old record is used again without a scan
 * @mutant HEAD_FIRST | B13, B11 | join_head is loaded before the gate is stored
 * @mutant NO_JOIN_HEAD | B13 | what was given up before the join is damage too
 * @mutant LAPPED | B4 | a word that leads to a tombstone now is taken for a lap
 * @mutant NO_LOOK_AT_GATE | step over | an evicted consumer concludes damage
 * @equivalent HEAD_ACQUIRE | B13 | join_head is loaded with acquire | the second look at
 *   the claim before it is seq_cst and waits for the gate; C11 alone does not promise it
 * @argued NO_T2 | T2 | pins are not looked at before | it only chooses one that frees a
 *   slot; here any is given up
 */
#if defined (LAPPED)
#define LIVE
#endif
#ifdef T1_UNSEEN
#define ADOPT
#endif
#define COMMITS 3
#ifdef ADOPT
#define RECORDS 3
#define KILLS 1
#else
#define RECORDS 4
#endif

#define PROCS 2 /* 0 producer, 1 consumer */
#ifdef A7_RELEASE
#define DEPTH 2
#else
#define DEPTH 1
#endif
#define HEAD 0
#define HWM 1
#define GATE 2
#define CLAIM 3
#define PINS 4
#define WORD(s) (5 + (s))
#define WORDS (5 + COMMITS)
#include "memory.pml"

#define EVICTED 8
#define OPEN 9
#define LEADS(r) ((r) + 1)
#define RECORD(w) ((w) - 1)

#ifdef T1_ACQUIRE
#define T1_ORDER RELEASE
#else
#define T1_ORDER SEQ
#endif
#ifdef A7_RELEASE
#define A7_ORDER RELEASE
#else
#define A7_ORDER SEQ
#endif
#ifdef T4_RELEASE
#define T4_ORDER RELEASE
#else
#define T4_ORDER SEQ
#endif
#ifdef HEAD_ACQUIRE
#define JOIN_ORDER RELEASE
#else
#define JOIN_ORDER SEQ
#endif

hidden byte I1_no_overwrite, I3_complete, I4_only_the_lapped_skip, I5_nothing_lost;

byte seq[RECORDS] = 15; /* of a record, and whether it is a tombstone */
bool tombstone[RECORDS];
byte retired; /* what the test knows */

/* The producer's own memory. */
byte own[COMMITS], head, shown, tail, free = (1 << RECORDS) - 1, limbo;
bool held_back;

#define A_RECORD (free & 1 -> 0 : (free & 2 -> 1 : (free & 4 -> 2 : 3)))

inline take_record()
{
  atomic { r = A_RECORD; free = free & ~(1 << r) }
}

inline reclaim()
{
#ifdef OLD_IS_FREE
  busy = 0;
#else
  fence (0); /* A10 */
  load (0, SEQ, HWM, busy); /* A4 */
  if
  :: busy -> load (0, RELEASE, PINS, busy) /* A5 */
  :: else
  fi;
#endif
  d_step { free = free | (limbo & ~busy); limbo = limbo & busy; busy = 0 }
}

inline publish()
{
  store (0, A7_ORDER, HEAD, head); /* A7 */
  shown = head
}

/* Two heads may be unseen at once; words that are seen before them harm nobody. */
#ifdef A7_RELEASE
#define IN_ORDER true
#else
#define IN_ORDER IS_SEEN (0)
#endif

inline commit()
{
  take_record ();
  d_step { IN_ORDER; seq[r] = head; tombstone[r] = false }
  d_step { IN_ORDER; mem[WORD (head)] = LEADS (r) } /* A6 */
  atomic { own[head] = r; head++; r = 0 }
  if
#ifdef ADOPT
  :: held_back
#endif
  :: true -> held_back = false; publish ()
  fi
}

inline look_at_gates()
{
#ifdef NO_T1
  gate = OPEN;
#else
  load (0, T1_ORDER, HWM, gate); /* A0 */
  if
  :: gate -> load (0, T1_ORDER, GATE, gate) /* A2 */
  :: else -> gate = OPEN
  fi;
#endif
  gate = (gate >= EVICTED -> OPEN : gate)
}

#ifdef T1_UNSEEN
#define SHOWN COMMITS
#else
#define SHOWN shown
#endif

/* T2 is a hint: any is given up here, but the newest. */
inline give_up()
{
  look_at_gates (); /* T1 */
#ifdef T1_EARLY
  do
  :: head < COMMITS && free & (free - 1) -> commit ()
  :: true -> break
  od;
#endif
  if
  :: tail + 1 < head && tail < gate && tail < SHOWN -> s = tail
  :: tail + 2 < head && tail + 1 < gate && tail + 1 < SHOWN -> s = tail + 1
  :: true -> s = COMMITS
  fi;
  if
  :: s < COMMITS && !tombstone[own[s]] ->
     take_record ();
#ifndef T3_LATE
     d_step { IS_SEEN (0); seq[r] = s; tombstone[r] = true } /* T3 */
#endif
     store (0, T4_ORDER, WORD (s), LEADS (r)); /* T4 */
#ifdef T3_LATE
     d_step { IS_SEEN (0); seq[r] = s; tombstone[r] = true }
#endif
     atomic { limbo = limbo | (1 << own[s]); own[s] = r; r = 0 }
  :: else
  fi;
  atomic { s = 0; gate = 0 }
}

inline retire()
{
  store (0, SEQ, CLAIM, tail + 1); /* A1 */
  look_at_gates (); /* A2 */
  if
  :: gate > tail ->
     atomic { limbo = limbo | (1 << own[tail]); retired = tail + 1 }
     store (0, RELEASE, WORD (tail), 0); /* A3 */
     tail++
  :: else -> store (0, SEQ, CLAIM, tail)
  fi;
  gate = 0
}

inline evict()
{
  atomic {
    load (0, SEQ, GATE, gate);
    if
    :: gate < EVICTED && gate <= tail && gate < head -> swap (0, GATE, gate, EVICTED, ok)
    :: else
    fi;
    gate = 0; ok = 0
  }
}

inline produce()
{
  do
  :: head < COMMITS && free -> commit ()
  :: limbo -> reclaim ()
#ifdef T1_EARLY
  :: free && tail < head -> give_up ()
#else
  :: free && tail + 1 < head -> give_up ()
#endif
#ifndef ADOPT
  :: tail < head && tail < SHOWN -> retire ()
  :: tail < head -> evict ()
#endif
  :: head == COMMITS -> break
  od;
#ifdef ADOPT
  if
  :: held_back -> held_back = false; publish ()
  :: else
  fi
#endif
}

#ifdef ADOPT
bool dead;
byte kills = KILLS;

inline keep(i)
{
  if
  :: i < head && mem[WORD (i)] != 0 -> own[i] = RECORD (mem[WORD (i)]);
     limbo = limbo & ~(1 << own[i]);
     tail = (i < tail -> i : tail)
  :: else
  fi
}

inline drop_word(i)
{
  if
  :: i >= head && mem[WORD (i)] != 0 -> store (0, SEQ, WORD (i), 0) /* C1 */
  :: else
  fi
}

inline adopt()
{
  d_step {
    head = mem[HEAD]; shown = head; tail = head; free = 0; limbo = 7; held_back = true;
    r = 0; s = 0; gate = 0; busy = 0; ok = 0;
    keep (0); keep (1); keep (2)
  }
  drop_word (0); drop_word (1); drop_word (2);
  store (0, SEQ, CLAIM, tail) /* C4 */
}

proctype killer()
{
  do
  :: kills > 0 && !dead -> atomic { kills--; dead = true }
  :: break
  od
}
#endif

proctype producer()
{
  byte r, s, gate, busy;
  bool ok;
#ifdef ADOPT
  bool heir;
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
     atomic { IS_SEEN (0); dead = false; heir = true }
  od;
over:
  skip
#else
  produce ()
#endif
}

inline join()
{
  d_step { IS_SEEN (1); mem[HWM] = 1 }
#ifdef HEAD_FIRST
  load (1, SEQ, HEAD, join_head);
#endif
#ifndef LIVE
  do
  :: load (1, SEQ, CLAIM, cursor); /* B10 */
     store (1, SEQ, GATE, cursor); /* B11 */
     load (1, SEQ, CLAIM, w);
     if
     :: w <= cursor -> w = 0; break
     :: else -> w = 0
     fi
  od;
#ifndef HEAD_FIRST
  load (1, JOIN_ORDER, HEAD, join_head);
#endif
#ifdef NO_JOIN_HEAD
  join_head = 0;
#endif
#endif
  joined = true
}

inline unpin()
{
  d_step { IS_SEEN (1); mem[PINS] = 0; r = 0 } /* B6 */
}

/* The word is none: lapped; or evicted. */
inline on_mismatch()
{
#ifdef LIVE
  atomic {
    load (1, SEQ, HEAD, w);
    assert (I4_only_the_lapped_skip || retired > cursor);
    cursor = (w > cursor + 1 -> w - 1 : cursor + 1);
    w = 0
  }
#else
  atomic {
    load (1, SEQ, GATE, w);
    assert (I5_nothing_lost || w == EVICTED);
    told = true;
    w = 0
  }
#endif
}

inline advance()
{
#ifdef LIVE
  cursor++
#else
  atomic {
    swap (1, GATE, cursor, cursor + 1, ok); /* B5 */
    told = !ok;
    ok = false;
    cursor++
  }
#endif
}

inline step_over()
{
  unpin ();
#ifndef LIVE
#ifndef NO_LOOK_AT_GATE
  load (1, SEQ, GATE, w);
#endif
  if
  :: w == EVICTED -> told = true; w = 0
  :: else ->
     atomic { w = 0; assert (I5_nothing_lost || cursor < join_head) }
     advance ()
  fi
#else
  advance ()
#endif
}

inline read_one()
{
  load (1, RELEASE, WORD (cursor), w); /* B2 */
  if
  :: w == 0 -> on_mismatch ()
  :: else ->
     r = RECORD (w);
     put (1, SEQ, OR, PINS, 1 << r); /* B3 */
     atomic { load (1, SEQ, WORD (cursor), again); same = (again == w); w = 0 } /* B4 */
     if
     :: same && tombstone[r] ->
        assert (I3_complete || seq[r] == cursor);
        step_over ()
     :: same && !tombstone[r] ->
        assert (I1_no_overwrite || seq[r] == cursor);
        advance ();
        assert (I1_no_overwrite || (seq[r] == cursor - 1 && !tombstone[r]));
        unpin ()
#ifdef LAPPED
     :: !same -> unpin (); on_mismatch ()
#else
     :: !same && again != 0 -> unpin () /* given up just now: again */
     :: !same && again == 0 -> unpin (); on_mismatch ()
#endif
     fi;
     atomic { again = 0; same = 0 }
  fi
}

proctype consumer()
{
  byte cursor, join_head, w, r, again;
  bool told, same, ok, joined;
  join ();
  do
  :: !told && cursor < COMMITS ->
     atomic { load (1, RELEASE, HEAD, w); same = (w > cursor); w = 0 } /* B1 */
     if
     :: same -> same = false; read_one ()
     :: else
     fi
  :: true -> break
  od;
  store (1, SEQ, GATE, OPEN)
}

MEMORY (DRAIN (0) DRAIN (1))

init {
  atomic {
    mem[GATE] = OPEN;
    run producer ();
#ifdef ADOPT
    run killer ();
#endif
    run consumer ()
  }
}
