/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Retire and reclaim of the producer against pin and revalidation of two
 * readers, each killed at any statement, its row cleaned and taken again.
 * lib/core/producer/producer-ring.c, producer-commit.c, consumer-read.c (try_read),
 * consumer-lease.c (pin, unpin), consumer-row.c, rows.c.
 *
 * @covers A3 A10 A4 A5 A6 A7, B1 B2 B3 B4 B6, rows_hwm, the row's lock byte
 * @also BIG | ring of 2, 3 records, 4 commits
 * @also ADOPT | one reader; it and the producer die at any step each, the block is
 *   adopted, the row taken again
 * @long ADOPT_TWO | two readers; the producer dies, the block is adopted
 * @long BOTH_DIE | two deaths of readers, of either
 * @mutant NO_A10 | A10 | no fence between the retirements and the scan
 * @mutant A10_EARLY | A10, A3 | the fence before the retirement
 * @mutant A10_LATE | A10, A5 | the fence behind the scan
 * @mutant A7_RELAXED | A7 | head by a relaxed store
 * @mutant A5_BEFORE_A3 | A5, A3 | pins scanned before the retire
 * @mutant NO_A5 | A5 | reclaim without a look at the pins
 * @mutant NO_A4 | A4 | a scan of the first row alone
 * @mutant B1_RELAXED | B1 | the ring word may be loaded before head
 * @mutant B3_RELEASE | B3 | pin by a release read-modify-write
 * @mutant B4_ACQUIRE | B4 | second look with acquire
 * @mutant NO_B4 | B4 | no second look
 * @mutant B4_BEFORE_B3 | B4, B3 | second look before the pin
 * @mutant B6_RELAXED | B6 | payload loads may end after the unpin
 * @mutant HWM_LATE | rows_hwm | raised after the first pin
 * @mutant A6_LATE | A6, A7 | the word is stored behind head
 * @mutant FREE_FIRST | A5 | the record is filled before it is seen unpinned
 * @mutant SCANS_NO_ROWS | C10, A5 | an adopter takes what it does not keep for free
 * @mutant LEAVES_PINNED | D8 | who closes lets go of its row's byte while it holds a record
 * @mutant REAP_LIVE | lock byte | a row cleaned without its lock
 * @mutant NO_CLEAN | claim | a dead owner's pins are left in the row
 * @equivalent HWM_RELAXED | rows_hwm | raised by a relaxed RMW | B3 is a release: whoever sees the pin sees the row
 * @equivalent A3_RELAXED | A3 | retire by a relaxed store | A10 has it seen before
 *   the scan, and who meets the word without the fence has no use for it
 * @equivalent A4_ACQUIRE | A4 | rows_hwm loaded with acquire | it comes behind A10
 * @equivalent A6_RELAXED | A6 | ring word by a relaxed store | a reader follows a
 *   word only below head, and A7 is a release that covers both
 * @argued PLAIN_CLEAN | claim | pins cleared by a store, not an exchange | the models
 *   know no release sequences; in C11 a store would end the one that A5 reads from
 * @argued B2_RELAXED | B2 | first look relaxed | nothing is loaded between B2 and B4, and B4 loads the same word with acquire
 */
#ifdef BIG
#define RING 2
#define RECORDS 3
#define COMMITS 4
#else
#define RING 1
#define RECORDS 2
#define COMMITS 3
#endif
#if defined (SCANS_NO_ROWS) || defined (ADOPT_TWO)
#define ADOPT
#endif
#if defined (ADOPT) && !defined (ADOPT_TWO)
#define READERS 1
#else
#define READERS 2
#endif
/* deaths of the producer */
#ifdef ADOPT_TWO
#define KILLS 1
#elif defined (ADOPT)
#define KILLS 2
#else
#define KILLS 0
#endif
/* deaths of readers with a successor in the same row */
#ifdef BOTH_DIE
#define LIVES 2
#elif defined (ADOPT_TWO)
#define LIVES 0
#else
#define LIVES 1
#endif

#define PROCS 3 /* 0 producer, 1 + i reader i */
#if defined (A6_RELAXED) || defined (A7_RELAXED)
#define DEPTH 3
#else
#define DEPTH 1
#endif
#define HEAD 0
#define HWM 1
#define WORD(s) (2 + (s) % RING)
#define PINS(i) (4 + (i))
#define DATA(r) (6 + (r))
#define WORDS 9
#include "memory.pml"

#define NONE 3
#define PACK(s, r) ((s) * 4 + (r))
#define SEQUENCE(w) ((w) / 4)
#define RECORD(w) ((w) % 4)
#define ROWS_BELOW(i) ((1 << ((i) + 1)) - 1) /* rows_hwm as a bit each */

/* Names of what may be violated; never set. */
hidden byte I1_no_overwrite, I2_row_of_its_owner, I4_only_the_lapped_skip,
    I6_limbo_is_emptied, I14_clean_row, I14_judged_whole;

bool locked[2];
bool killed[2];
byte retired; /* sequences below are retired; what the test knows */
byte lives = LIVES;
byte gone; /* readers */

#ifdef A3_RELAXED
#define A3_ORDER RELAXED
#else
#define A3_ORDER RELEASE
#endif
/* without the fence there is nothing to be gained from the code's seq_cst load:
 * it would wait for stores of that order, and A3 is none */
#ifdef A4_ACQUIRE
#define A4_ORDER RELEASE
#else
#define A4_ORDER SEQ
#endif
#ifdef A6_RELAXED
#define A6_ORDER RELAXED
#else
#define A6_ORDER RELEASE
#endif
#ifdef A7_RELAXED
#define A7_ORDER RELAXED
#else
#define A7_ORDER RELEASE
#endif
#ifdef B3_RELEASE
#define B3_ORDER RELEASE
#else
#define B3_ORDER SEQ
#endif
#ifdef B4_ACQUIRE
#define B4_ORDER RELEASE
#else
#define B4_ORDER SEQ
#endif
#ifdef HWM_RELAXED
#define HWM_ORDER RELAXED
#else
#define HWM_ORDER SEQ
#endif

/* The kernel's part: a lock is given once; the dead lose theirs after their
 * last store is seen. */
inline lock(i)
{
  atomic { !locked[i]; locked[i] = true }
}

inline unlock(p, i)
{
  d_step { IS_SEEN (p); locked[i] = false }
}

inline retire()
{
#ifdef A10_EARLY
  fence (0);
#endif
  r = RECORD (own[tail % RING]);
  limbo = limbo | (1 << r);
  own[tail % RING] = PACK (tail, NONE);
  d_step { tail++; retired = tail; r = 0 }
  store (0, A3_ORDER, WORD (tail - 1), PACK (tail - 1, NONE)) /* A3 */
}

inline scan(i)
{
  if
  :: rows >> (i) & 1 -> load (0, RELEASE, PINS (i), pins); busy = busy | pins
  :: else
  fi
}

inline reclaim()
{
  busy = 0;
#if !defined (NO_A10) && !defined (A10_EARLY) && !defined (A10_LATE)
  fence (0); /* A10 */
#endif
#ifndef NO_A5
  load (0, A4_ORDER, HWM, rows); /* A4 */
#ifdef NO_A4
  rows = 1;
#endif
  scan (0); /* A5 */
  scan (1);
#endif
#ifdef A10_LATE
  fence (0);
#endif
  d_step { free = free | (limbo & ~busy); limbo = limbo & busy; rows = 0;
    pins = 0 }
}

/* Between these stores the producer loads nothing, so that in order they need
 * no buffer: seen late is the same as done late. */
inline publish(order, at_word, new)
{
#if DEPTH == 3
  store (0, order, at_word, new)
#else
  d_step { IS_SEEN (0); mem[at_word] = new }
#endif
}

inline commit()
{
  if
  :: head - tail == RING ->
#ifdef A5_BEFORE_A3
     load (0, SEQ, HWM, rows);
     busy = 0;
     scan (0);
     scan (1);
     retire ();
     d_step { free = free | (limbo & ~busy); limbo = limbo & busy; rows = 0;
       pins = 0 }
#else
     retire ()
#endif
  :: else
  fi;
  do
  :: free != 0 -> break
#ifdef FREE_FIRST
  :: free == 0 && limbo != 0 -> free = limbo; limbo = 0
  :: free == 0 && limbo == 0 ->
#else
  :: free == 0 ->
#endif
     reclaim ();
     if
     :: free == 0 && tail < head -> retire ()
     :: else
     fi
  od;
  /* the record that a last-in first-out list gives does not matter */
  atomic {
    r = (free & 1 -> 0 : (free & 2 -> 1 : 2));
    free = free & ~(1 << r);
    busy = 0;
    own[head % RING] = PACK (head, r)
  }
  publish (RELAXED, DATA (r), head + 1);
#ifndef A6_LATE
  publish (A6_ORDER, WORD (head), PACK (head, r)); /* A6 */
#endif
  publish (A7_ORDER, HEAD, head + 1); /* A7 */
#ifdef A6_LATE
  publish (A6_ORDER, WORD (head), PACK (head, r));
#endif
  d_step { head++; r = 0 }
}

#ifdef ADOPT
bool dead;
byte kills = KILLS;

#define KEPT(i) (RECORD (mem[WORD (i)]) < RECORDS \
  && SEQUENCE (mem[WORD (i)]) < head && head - SEQUENCE (mem[WORD (i)]) <= RING \
  && mem[DATA (RECORD (mem[WORD (i)]))] == SEQUENCE (mem[WORD (i)]) + 1)

inline keep(i)
{
  if
  :: KEPT (i) -> own[i] = mem[WORD (i)];
     limbo = limbo & ~(1 << RECORD (own[i]));
     tail = (SEQUENCE (own[i]) < tail -> SEQUENCE (own[i]) : tail)
  :: else -> own[i] = PACK (0, NONE)
  fi
}

inline drop_word(i)
{
  if
  :: RECORD (own[i]) == NONE && RECORD (mem[WORD (i)]) != NONE ->
     store (0, SEQ, WORD (i), PACK (0, NONE)) /* C1 */
  :: else
  fi
}

/* Judges with nobody else to write what it looks at; then C1. */
inline adopt()
{
  d_step {
    head = mem[HEAD]; tail = head; free = 0; busy = 0; rows = 0; pins = 0; r = 0;
    limbo = (1 << RECORDS) - 1;
    keep (0);
#if RING > 1
    keep (1);
#endif
    assert (I14_judged_whole || tail == retired || tail + 1 == retired);
#ifdef SCANS_NO_ROWS
    free = limbo; limbo = 0
#endif
  }
  drop_word (0)
#if RING > 1
  ; drop_word (1)
#endif
}

proctype killer_of_producers()
{
  do
  :: kills > 0 && !dead -> atomic { kills--; dead = true }
  :: break
  od
}
#endif

proctype producer()
{
  byte head, tail, limbo, busy, rows, pins, r, own[RING];
  byte free = (1 << RECORDS) - 1;
#ifdef ADOPT
  bool heir;
  do
  :: true ->
     {
       if
       :: heir -> adopt ()
       :: else
       fi;
       do
       :: head < COMMITS -> commit ()
       :: else -> break
       od;
       goto over
     } unless { dead };
     /* byte 0 is free when all it stored is seen */
     atomic { IS_SEEN (0); dead = false; heir = true }
  od;
over:
#else
  do
  :: head < COMMITS -> commit ()
  :: else -> break
  od;
#endif
  /* all readers gone and cleaned: everything that was retired is free again */
  gone == READERS && IS_SEEN (0) && !mem[PINS (0)] && !mem[PINS (1)];
  do
  :: tail < head -> retire ()
  :: else -> break
  od;
  reclaim ();
  assert (I6_limbo_is_emptied || limbo == 0)
}

inline unpin(p, i)
{
  /* seen at once; later would be the same as a reader that holds it longer */
  d_step { IS_SEEN (p); mem[PINS (i)] = mem[PINS (i)] & (255 - (1 << r)) } /* B6 */
}

inline look_at_payload(p)
{
  atomic {
    load (p, RELAXED, DATA (r), data);
    assert (I1_no_overwrite || data == cursor + 1);
    data = 0
  }
}

inline second_look(p, order)
{
  atomic {
    load (p, order, WORD (cursor), again);
    same = (again == w);
    again = 0
  }
}

/* The record at the cursor, from B1 to B6. */
inline read_one(p, i)
{
#ifdef B1_RELAXED
  load (p, RELAXED, WORD (cursor), w);
  atomic { load (p, RELEASE, HEAD, head) }
#else
  atomic {
    load (p, RELEASE, HEAD, head); /* B1 */
    if
    :: cursor >= head -> head = 0
    :: else
    fi
  }
  if
  :: head == 0
  :: else -> load (p, RELEASE, WORD (cursor), w) /* B2 */
  fi;
#endif
  if
  :: cursor >= head
  :: cursor < head && (SEQUENCE (w) != cursor || RECORD (w) == NONE) ->
     atomic {
       assert (I4_only_the_lapped_skip || retired > cursor);
       cursor = (head - 1 > cursor -> head - 1 : cursor + 1)
     }
  :: else ->
     r = RECORD (w);
#ifdef B4_BEFORE_B3
     second_look (p, SEQ);
     put (p, SEQ, OR, PINS (i), 1 << r);
#else
     put (p, B3_ORDER, OR, PINS (i), 1 << r); /* B3 */
#ifdef NO_B4
     same = true;
#else
     second_look (p, B4_ORDER); /* B4 */
#endif
#endif
     if
     :: !same -> unpin (p, i)
     :: else ->
#ifdef HWM_LATE
        put (p, SEQ, OR, HWM, ROWS_BELOW (i));
#endif
        look_at_payload (p);
#ifdef LEAVES_PINNED
        if
        :: unlock (p, i); look_at_payload (p); /* a lease outlives it */
           unpin (p, i);
           goto left
        :: true
        fi;
#endif
#ifdef B6_RELAXED
        unpin (p, i);
        look_at_payload (p);
#else
        look_at_payload (p);
        unpin (p, i);
#endif
        cursor++
     fi
  fi;
  atomic { head = 0; r = 0; w = 0; same = 0 }
}

inline live(p, i)
{
#ifndef NO_CLEAN
  if
  :: mem[PINS (i)] -> store (p, SEQ, PINS (i), 0) /* an exchange, locked */
  :: else
  fi;
#endif
#ifndef HWM_LATE
  put (p, HWM_ORDER, OR, HWM, ROWS_BELOW (i));
#endif
  atomic {
    load (p, SEQ, PINS (i), data);
    assert (I14_clean_row || data == 0);
    data = 0;
    cursor = (mem[HEAD] > 0 -> mem[HEAD] - 1 : 0)
  }
  do
  :: cursor < COMMITS -> read_one (p, i)
  :: break /* it leaves when it likes */
  od;
#ifdef LEAVES_PINNED
left:
#endif
  atomic {
    load (p, SEQ, PINS (i), data);
    assert (I2_row_of_its_owner || data == 0);
    data = 0
  }
}

proctype reader(byte i)
{
  byte cursor, head, w, again, r, data;
  bool same;
  do
  :: lock (i);
     { live (1 + i, i) } unless { killed[i] };
     unlock (1 + i, i);
     if
     :: atomic { killed[i] && lives > 0 -> killed[i] = false; lives--;
          cursor = 0; head = 0; w = 0; again = 0; r = 0; data = 0; same = 0 }
     :: else -> break
     fi
  od;
  gone++
}

/* The readers are alike, so it is enough to kill one of them. */
proctype killer()
{
  do
  :: lives > 0 && !killed[0] -> killed[0] = true
#ifdef BOTH_DIE
  :: lives > 0 && !killed[1] -> killed[1] = true
#endif
  :: break
  od
}

/* Anybody who needs room. One step: nobody else writes the pins of a row whose
 * lock he holds, and if he is killed on the way, the next one does it. */
#ifdef REAP_LIVE
#define MAY_CLEAN(i) mem[PINS (i)]
#else
#define MAY_CLEAN(i) (mem[PINS (i)] && !locked[i])
#endif
proctype reaper()
{
end:
  do
  :: d_step { MAY_CLEAN (0) -> mem[PINS (0)] = 0 }
  :: d_step { MAY_CLEAN (1) -> mem[PINS (1)] = 0 }
  od
}

MEMORY (DRAIN (0) DRAIN (1) DRAIN (2))

init {
  atomic {
    byte k;
    for (k : 0 .. RING - 1) { mem[WORD (k)] = PACK (0, NONE) }
    k = 0;
    run producer ();
    run reader (0);
#if READERS > 1
    run reader (1);
#endif
#if LIVES > 0
    run killer ();
#endif
#ifdef ADOPT
    run killer_of_producers ();
#endif
    run reaper ()
  }
}
