/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate of reliable consumers: joining against claims of several sequences,
 * eviction by compare-and-swap, rejoining, death, cleaning, a new owner of the
 * row. lib/core/producer/producer-ring.c (claim), producer-evict.c (ring_charge_blockers),
 * consumer-join.c (consumer_join, rejoin), consumer-read.c (advance, on_mismatch), rows.c.
 *
 * @covers A0 A1 A2 A3, B5 B10 B11 B12 B14, gate, incarnation, rows_hwm, joins, the
 *   lock byte
 * @also ADOPT | two deaths of the producer at any step, each adopted; a consumer
 *   joins before, meanwhile or after
 * @also COUNTED | the producer waits until the joiner is counted
 * @also TWO_ROWS | two consumers, none dies or joins again
 * @mutant A1_RELEASE | A1 | claim by a release store
 * @mutant JOINS_ACQUIRE | A2 | joins loaded with acquire
 * @mutant B12_RELAXED | B12 | counted by a relaxed addition
 * @mutant SCAN_FIRST | A1, A2 | gates scanned before the claim
 * @mutant NO_RECHECK | B10, B11 | the joiner does not look at the claim again
 * @mutant CACHED_MINIMUM | A1, L3 | retires up to the scanned minimum, not the claim
 * @mutant NO_COUNT | B12 | who joins does not count himself
 * @mutant COUNT_FIRST | B12 | counted before the gate is stored
 * @mutant COUNT_LATE | B12 | counted after the claim was looked at again
 * @mutant JOINS_FIRST | A2 | joins loaded before the claim is stored
 * @mutant JOINS_LATE | A2 | joins noted after the scan, not before it
 * @mutant NOT_GIVEN_BACK | A1 | what a gate forbids is retired later unscanned
 * @mutant EVICT_BY_STORE | evict, L4 | a plain store instead of compare-and-swap
 * @mutant ADVANCE_BY_STORE | B5, L4 | a plain store instead of compare-and-swap
 * @mutant ADVANCE_FIRST | B5 | the gate moves before the record is held
 * @mutant START_BY_STORE | join | the start stored, not swapped in
 * @mutant NO_INCARNATION | gate | the word does not say whose it is
 * @mutant ACTIVE_GATES | A2, L1 | only rows in state ACTIVE gate
 * @mutant CLEAN_UNLOCKED | claim, L2 | the row is written before its lock is held
 * @mutant HWM_LATE | rows_hwm | raised after the join
 * @mutant NO_REAP | reap | a dead consumer's gate stays closed
 * @mutant CLAIM_INHERITED | C4 | what the dead one claimed counts as scanned
 * @mutant ROWS_OPENED | C4 | the adopter takes gates for those of the dead
 * @mutant NO_B14 | B14 | who finds the producer dead does not look again behind its
 *   gate
 * @equivalent NO_C4 | C4 | tail_claim stays what the dead one stored | it is at least
 *   tail: who joins meanwhile only begins later than it could
 * @mutant COUNTED_EARLY | W7 | a joiner is counted before it has chosen its start
 * @argued NO_HEARTBEAT_VETO | L5 | how long a row has blocked, and that slept time is
 *   what counts | time is not modelled: eviction may come at any moment
 * @argued NEVER_LEAKY | L6 | waiting is decided by gates alone | there is no switch
 *   besides them to weaken
 * @argued CHOICE_OF_START | C6 | last_buffer_seq and last_key_seq are left as they
 *   were | who joins may begin anywhere from oldest to head, so anything stored there
 *   is covered
 * @equivalent SAME_INCARNATION | rejoin | keeps the incarnation that was evicted |
 *   one thread at a time evicts: nobody else can between its look and its swap
 * @equivalent A0_A2_ACQUIRE | A0, A2 | rows_hwm and gates loaded with acquire |
 *   the load of joins between A1 and them is seq_cst and waits for A1 already; C11
 *   alone does not promise it
 * @equivalent B11_RELEASE | B11 | gate by a release store | B12, a seq_cst addition
 *   between it and the look at the claim, waits for it already
 * @equivalent RECHECK_ACQUIRE | B10 | the claim is looked at again with acquire |
 *   B12 before it is seen already; C11 alone does not promise it
 * @equivalent B10_ACQUIRE | B10 | the first look at the claim with acquire | the
 *   look after B11 decides
 */
#define RING 2
#define STEP 2 /* a claim's sequences; ring_size / 4 in the code */
#ifdef CLEAN_UNLOCKED
#define TWO_ROWS
#endif
#ifdef COUNTED_EARLY
#define COUNTED
#endif
#if defined (CLAIM_INHERITED) || defined (ROWS_OPENED) || defined (NO_C4) \
  || defined (NO_B14)
#define ADOPT
#endif
#ifdef ADOPT
#define ROWS 1
#define COMMITS 4
#define LIVES 0
#define REJOINS 0
#define KILLS 2 /* deaths of the producer */
#elif defined (COUNTED)
#define ROWS 1
#define COMMITS 3
#define LIVES 0
#define REJOINS 0
#elif defined (TWO_ROWS)
#define ROWS 2
#define COMMITS 3
#define LIVES 0
#define REJOINS 0
#else
#define ROWS 1
#define COMMITS 4
#define LIVES 1 /* deaths with a successor in the row */
#define REJOINS 1
#endif

#define PROCS (1 + ROWS) /* 0 producer, 1 + i the consumer of row i */
#define DEPTH 1
#define CLAIM 0
#define HWM 1
#define GATE(i) (2 + (i))
#define JOINS 4
#define WORDS 5
#include "memory.pml"

#define EVICTED 14
#define OPEN 15
#ifdef NO_INCARNATION
#define WORD(inc, s) (s)
#else
#define WORD(inc, s) (((inc) % 8) * 16 + (s))
#endif
#define NEEDED(w) ((w) % 16)
#define INCARNATION(w) ((w) / 16)

#ifdef A1_RELEASE
#define A1_ORDER RELEASE
#else
#define A1_ORDER SEQ
#endif
#ifdef A0_A2_ACQUIRE
#define A0_ORDER RELEASE
#else
#define A0_ORDER SEQ
#endif
#ifdef A0_A2_ACQUIRE
#define A2_ORDER RELEASE
#else
#define A2_ORDER SEQ
#endif
#ifdef B11_RELEASE
#define B11_ORDER RELEASE
#else
#define B11_ORDER SEQ
#endif
#ifdef B10_ACQUIRE
#define B10_ORDER RELEASE
#else
#define B10_ORDER SEQ
#endif
#ifdef RECHECK_ACQUIRE
#define RECHECK_ORDER RELEASE
#else
#define RECHECK_ORDER SEQ
#endif

hidden byte I5_nothing_lost, I2_evicts_whom_it_saw, W7_counted_misses_nothing;

byte head, retired; /* the ring: [retired, head) can be read */
byte incarnation[2], owner[2]; /* owner: counts joins; what the test knows */
bool locked[2], killed[2], joined[2];
byte lives = LIVES;
byte gone;

inline scan(i)
{
  if
  :: rows >> (i) & 1 ->
     atomic {
       load (0, A2_ORDER, GATE (i), w); /* A2 */
#ifdef ACTIVE_GATES
       w = (joined[i] -> w : OPEN);
#endif
       lowest = (NEEDED (w) < EVICTED && NEEDED (w) < lowest -> NEEDED (w) :
         lowest);
       w = 0
     }
  :: else
  fi
}

inline scan_all()
{
  load (0, A0_ORDER, HWM, rows); /* A0 */
  scan (0);
#ifdef TWO_ROWS
  scan (1)
#endif
}

/* What one scan saw holds until somebody joins. The counter of the code is a
 * flag here, set since the producer noted the count: all it asks. */
inline note_joins()
{
#ifdef JOINS_ACQUIRE
  d_step { scans = mem[JOINS] || known < target; mem[JOINS] = 0 }
#else
  d_step { !HAS_SEQ (0); scans = mem[JOINS] || known < target; mem[JOINS] = 0 }
#endif
}

inline look_at_gates()
{
#ifndef JOINS_FIRST
  note_joins (); /* A2 */
#endif
  if
  :: scans ->
     scan_all ();
#ifdef JOINS_LATE
     mem[JOINS] = 0;
#endif
     atomic { known = lowest; scans = false }
  :: else -> lowest = known
  fi
}

/* target: tail + STEP, at most head */
inline claim()
{
  atomic { target = (tail + STEP < head -> tail + STEP : head); lowest = OPEN }
#ifdef JOINS_FIRST
  note_joins ();
#endif
#ifdef SCAN_FIRST
  look_at_gates ();
  store (0, A1_ORDER, CLAIM, target);
#else
  store (0, A1_ORDER, CLAIM, target); /* A1 */
  look_at_gates ();
#endif
  if
  :: lowest >= target -> cleared = target
#ifdef CACHED_MINIMUM
     ; cleared = lowest
#endif
  :: else ->
     cleared = (lowest > tail -> lowest : tail);
     store (0, SEQ, CLAIM, cleared);
#ifdef NOT_GIVEN_BACK
     if
     :: cleared > tail -> cleared = target
     :: else
     fi
#endif
  fi;
  atomic { target = 0; rows = 0; lowest = 0 }
}

inline evict(i)
{
  atomic { load (0, SEQ, GATE (i), w); seen = owner[i] }
  if
  :: NEEDED (w) <= tail && NEEDED (w) < head ->
     atomic {
#ifdef EVICT_BY_STORE
       mem[GATE (i)] = WORD (INCARNATION (w), EVICTED);
       ok = true;
#else
       swap (0, GATE (i), w, WORD (INCARNATION (w), EVICTED), ok);
#endif
       assert (I2_evicts_whom_it_saw || !ok || seen == owner[i])
     }
  :: else
  fi;
  atomic { w = 0; seen = 0; ok = 0 }
}

inline produce()
{
  do
  :: head < COMMITS && head - tail < RING -> head++ /* A7 */
  :: tail < head && (head - tail == RING || head == COMMITS) ->
     if
     :: tail >= cleared -> claim ()
     :: else
     fi;
     if
     :: cleared > tail -> atomic { tail++; retired = tail } /* A3 */
     :: else ->
        if
        :: evict (0)
#ifdef TWO_ROWS
        :: evict (1)
#endif
        :: skip /* waits */
        fi
     fi
  :: head == COMMITS && (tail == head || gone == ROWS) -> break
  od
}

#ifdef ADOPT
bool dead;
byte kills = KILLS;

/* What is kept of the ring begins at the oldest not retired. */
inline adopt()
{
  atomic { tail = retired; cleared = tail; target = 0; lowest = 0;
    rows = 0; w = 0; seen = 0; ok = 0; known = 0; scans = 0 }
#ifdef CLAIM_INHERITED
  cleared = mem[CLAIM];
#endif
#ifdef ROWS_OPENED
  d_step { mem[GATE (0)] = WORD (INCARNATION (mem[GATE (0)]), OPEN) }
#endif
#ifndef NO_C4
  store (0, SEQ, CLAIM, tail) /* C4 */
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
  byte tail, cleared, target, lowest, rows, w, seen, known;
  bool ok, scans;
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
     /* byte 0 is free when all it stored is seen */
     atomic { IS_SEEN (0); dead = false; heir = true }
  od;
over:
#else
  produce ();
#endif
  /* all are gone: their gates get opened, or this is stuck */
  gone == ROWS && IS_SEEN (0) && NEEDED (mem[GATE (0)]) == OPEN
}

inline count_join(p)
{
#ifdef B12_RELAXED
  mem[JOINS] = 1
#else
  d_step { IS_SEEN (p); mem[JOINS] = 1 }
#endif
}

#ifdef COUNTED
bool counted;
byte due;

/* datahub_producer_wait_consumers(), in the thread that commits next. */
proctype counter()
{
end:
  atomic { joined[0] && locked[0] -> counted = true; due = head }
}
#endif

inline join(p, i)
{
  atomic { owner[i]++; told = false }
#ifdef COUNTED_EARLY
  joined[i] = true;
#endif
#ifdef ADOPT
  if
  :: dead -> /* where the dead one's ring begins, or began */
     if
     :: oldest = retired
     :: retired > 0 -> oldest = retired - 1
     fi;
     store (p, B11_ORDER, GATE (i), WORD (inc, oldest)); /* B11 */
     count_join (p); /* B12 */
     if
#ifndef NO_B14
     :: atomic { dead && IS_SEEN (0) -> cursor = retired; goto chosen } /* B14 */
     :: !dead
#else
     :: atomic { cursor = (retired > oldest -> retired : oldest); goto chosen }
#endif
     fi
  :: true
  fi;
#endif
retry:
  load (p, B10_ORDER, CLAIM, oldest); /* B10 */
#ifdef COUNT_FIRST
  count_join (p);
#endif
  store (p, B11_ORDER, GATE (i), WORD (inc, oldest)); /* B11 */
#if !defined (NO_COUNT) && !defined (COUNT_FIRST) && !defined (COUNT_LATE)
  count_join (p); /* B12 */
#endif
#ifndef NO_RECHECK
  load (p, RECHECK_ORDER, CLAIM, w);
  if
  :: w > oldest -> atomic { w = 0; goto retry }
  :: else -> w = 0
  fi;
#endif
#ifdef COUNT_LATE
  count_join (p);
#endif
  if
  :: cursor = oldest /* start: oldest */
  :: cursor = (head > oldest -> head : oldest) /* latest */
  fi;
chosen:
#ifdef START_BY_STORE
  store (p, SEQ, GATE (i), WORD (inc, cursor));
#else
  atomic { swap (p, GATE (i), WORD (inc, oldest), WORD (inc, cursor), ok);
    ok = false }
#endif
  oldest = 0;
#ifdef COUNTED
  /* what was committed since it was counted, it gets */
  assert (W7_counted_misses_nothing || !counted || cursor <= due);
#endif
  joined[i] = true
}

inline advance(p, i)
{
#ifdef ADVANCE_BY_STORE
  store (p, SEQ, GATE (i), WORD (inc, cursor + 1));
#else
  atomic {
    swap (p, GATE (i), WORD (inc, cursor), WORD (inc, cursor + 1), ok); /* B5 */
    told = !ok;
    ok = false
  }
#endif
}

inline look(p, i)
{
  if
  :: retired > cursor ->
     atomic {
       load (p, SEQ, GATE (i), w);
       told = true;
       assert (I5_nothing_lost || NEEDED (w) == EVICTED);
       w = 0
     }
  :: else
  fi
}

inline read_one(p, i)
{
#ifdef ADVANCE_FIRST
  advance (p, i);
  look (p, i);
#else
  look (p, i);
  if
  :: !told -> advance (p, i)
  :: else
  fi;
#endif
  cursor++
}

inline live(p, i)
{
  /* clean, if the last owner did not; both under the lock */
  if
  :: NEEDED (mem[GATE (i)]) != OPEN ->
     store (p, SEQ, GATE (i), WORD (incarnation[i], OPEN))
  :: else
  fi;
  atomic { incarnation[i]++; inc = incarnation[i] }
  store (p, SEQ, GATE (i), WORD (inc, OPEN));
#ifndef HWM_LATE
  d_step { IS_SEEN (p); mem[HWM] = mem[HWM] | ((1 << ((i) + 1)) - 1) }
#endif
again:
  join (p, i);
#ifdef HWM_LATE
  d_step { IS_SEEN (p); mem[HWM] = mem[HWM] | ((1 << ((i) + 1)) - 1) }
#endif
  do
  :: !told && cursor < head -> read_one (p, i)
  :: told && rejoins < REJOINS ->
     atomic {
       rejoins++;
#ifndef SAME_INCARNATION
       incarnation[i]++;
#endif
       inc = incarnation[i]
     }
     goto again
  :: told && rejoins == REJOINS -> break
  :: cursor == COMMITS -> break
  :: !told -> break /* leaves when it likes */
  od;
  store (p, SEQ, GATE (i), WORD (inc, OPEN));
  joined[i] = false
}

proctype consumer(byte i)
{
  byte cursor, oldest, w, inc, rejoins;
  bool ok, told;
  do
  :: true ->
#ifdef CLEAN_UNLOCKED
     store (1 + i, SEQ, GATE (0), WORD (incarnation[0], OPEN));
#endif
     atomic { !locked[i]; locked[i] = true }
     { live (1 + i, i) } unless { killed[i] };
     d_step { IS_SEEN (1 + i); locked[i] = false; joined[i] = false }
     if
     :: atomic { killed[i] && lives > 0 -> killed[i] = false; lives--;
          cursor = 0; oldest = 0; w = 0; inc = 0; rejoins = 0; ok = 0;
          told = 0 }
     :: true -> break /* nobody takes the row again */
     fi
  od;
  gone++
}

proctype killer()
{
  do
  :: lives > 0 && !killed[0] -> killed[0] = true
  :: break
  od
}

/* One step: nobody else writes the row whose lock he holds, but a producer that
 * evicts, by compare-and-swap. */
proctype reaper()
{
end:
#ifndef NO_REAP
  do
  :: d_step { !locked[0] && NEEDED (mem[GATE (0)]) != OPEN ->
       mem[GATE (0)] = WORD (incarnation[0], OPEN) }
  od
#endif
}

#ifdef TWO_ROWS
MEMORY (DRAIN (0) DRAIN (1) DRAIN (2))
#else
MEMORY (DRAIN (0) DRAIN (1))
#endif

init {
  atomic {
    mem[GATE (0)] = WORD (0, OPEN);
    mem[GATE (1)] = WORD (0, OPEN);
    run producer ();
    run consumer (0);
#ifdef TWO_ROWS
    run consumer (1);
#endif
#ifdef COUNTED
    run counter ();
#endif
#ifdef ADOPT
    run killer_of_producers ();
#else
    run killer ();
#endif
    run reaper ()
  }
}
