/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Retire and reclaim of the producer against pin and revalidation of two
 * readers, each killed at any statement, its row cleaned and taken again.
 * lib/datahub/producer-ring.c, consumer-read.c, consumer.c (rows), rows.c.
 *
 * @covers A3 A4 A5 A6 A7, B1 B2 B3 B4 B6, rows_hwm, the row's lock byte
 * @also BIG | ring of 2, 3 records, 4 commits
 * @mutant A3_RELEASE | A3 | retire by a release store
 * @mutant A4_A5_ACQUIRE | A4, A5 | rows_hwm and pins loaded with acquire
 * @mutant A4_ACQUIRE | A4 | rows_hwm loaded with acquire
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
 * @mutant REAP_LIVE | lock byte | a row cleaned without its lock
 * @mutant NO_CLEAN | claim | a dead owner's pins are left in the row
 * @equivalent HWM_RELAXED | rows_hwm | raised by a relaxed RMW | B3 is a release: whoever sees the pin sees the row
 * @equivalent A5_ACQUIRE | A5 | pins loaded with acquire | A4 between A3 and A5
 *   is a seq_cst load and waits for A3 already; C11 alone does not promise it
 * @equivalent A6_RELAXED | A6 | ring word by a relaxed store | a reader follows a
 *   word only below head, and A7 is a release that covers both
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
#define READERS 2
#define LIVES 1 /* deaths with a successor in the same row */

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
    I6_limbo_is_emptied, I14_clean_row;

bool locked[READERS];
bool killed[READERS];
byte retired; /* sequences below are retired; what the test knows */
byte lives = LIVES;
byte gone; /* readers */

#ifdef A3_RELEASE
#define A3_ORDER RELEASE
#else
#define A3_ORDER SEQ
#endif
#if defined (A4_ACQUIRE) || defined (A4_A5_ACQUIRE)
#define A4_ORDER RELEASE
#else
#define A4_ORDER SEQ
#endif
#if defined (A5_ACQUIRE) || defined (A4_A5_ACQUIRE)
#define A5_ORDER RELEASE
#else
#define A5_ORDER SEQ
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
  r = RECORD (own[tail % RING]);
  limbo = limbo | (1 << r);
  own[tail % RING] = PACK (tail, NONE);
  d_step { tail++; retired = tail; r = 0 }
  store (0, A3_ORDER, WORD (tail - 1), PACK (tail - 1, NONE)) /* A3 */
}

inline scan(i)
{
  if
  :: rows >> (i) & 1 -> load (0, A5_ORDER, PINS (i), pins); busy = busy | pins
  :: else
  fi
}

inline reclaim()
{
  busy = 0;
#ifndef NO_A5
  load (0, A4_ORDER, HWM, rows); /* A4 */
#ifdef NO_A4
  rows = 1;
#endif
  scan (0); /* A5 */
  scan (1);
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

proctype producer()
{
  byte head, tail, limbo, busy, rows, pins, r, own[RING];
  byte free = (1 << RECORDS) - 1;
  do
  :: head < COMMITS ->
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
     :: free == 0 ->
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
     publish (A6_ORDER, WORD (head), PACK (head, r)); /* A6 */
     publish (A7_ORDER, HEAD, head + 1); /* A7 */
     d_step { head++; r = 0 }
  :: else -> break
  od;
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
    run reader (1);
    run killer ();
    run reaper ()
  }
}
