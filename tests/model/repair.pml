/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repair in place, and forced release: two doctors at once, beside a producer that
 * cleans and reclaims as well, and consumers that come and go. One repairs
 * everything, the other takes one record, or one row, from the consumer that it
 * was told of. Deaths at any step, of whoever; a doctor that died is followed by
 * another. lib/core/doctor/repair.c, release.c, rows.c (row_is_neutral, row_clean).
 *
 * All words here are seq_cst, and kernel locks order the rest: no buffers. A lock
 * belongs to an open description and does not conflict with itself.
 * As it is: a row. LOCKS: a user lock.
 * @covers byte 1 and those of rows; row_clean, release_pin, repair_abandon
 * @also LOCKS | a user lock whose owner dies, and two who want it
 * @mutant NO_BYTE_1 | byte 1 | repairers do not exclude each other
 * @mutant BYTE_1_LET_GO | byte 1 | let go before the repair is done
 * @mutant REPAIR_TESTS_ONLY | lock byte | the row's byte is tested, not held, while cleaning
 * @mutant REPAIR_UNLOCKED | lock byte | a row that is not neutral is cleaned
 * @mutant REPAIR_OWN_DESCRIPTION | D3 | cleans with the description of a consumer of its
 *   own process
 * @mutant RELEASE_TESTS_ONLY | release, lock byte | the owner is dead at a look; then
 *   the bit goes
 * @mutant MEANT_BEFORE_LOCK | release | who is meant is looked at before the byte alone
 * @mutant RELEASE_COUNTS | release | a record that was held is counted down
 * @mutant REPAIR_UNLOCK_EARLY | lock byte | the byte goes before the state is stored
 * @mutant REPAIR_HALF_LOOKS_DONE | D9 | state is stored first and alone looked at
 * @mutant ABANDON_BY_STORE | reclaim | a dead owner's word is stored over
 * @mutant ABANDON_ANY | reclaim | it swaps with what the word is by then
 * @mutant ABANDON_TO_FREE | reclaim | the word becomes free: who takes it is not told
 * @mutant ABANDONED_LIVES | reclaim | who wants it takes the word for a living owner's
 * @equivalent RELEASE_STORES | release | the word of pins is loaded, and stored without
 *   the bit | under the row's byte nobody else writes to it; an RMW keeps the release
 *   sequence that A5 reads from
 */
#if defined (ABANDON_BY_STORE) || defined (ABANDON_ANY) || defined (ABANDON_TO_FREE) \
  || defined (ABANDONED_LIVES)
#define LOCKS
#endif

/* Descriptions of the lock file. */
#define NOBODY 0
#define DOCTOR(i) (1 + i)
#define PRODUCER 3
#define CONSUMER(i) (4 + i)

byte byte_1;
byte repairing; /* who thinks that nobody else does; what the test knows */
hidden byte I10_one_repairer;

inline begin_repair(i)
{
#ifdef NO_BYTE_1
  skip;
#else
  atomic { byte_1 == NOBODY -> byte_1 = DOCTOR (i) }
#endif
  atomic { repairing++; assert (I10_one_repairer || repairing == 1); counted = true }
#ifdef BYTE_1_LET_GO
  byte_1 = NOBODY
#endif
}

/* The kernel's too. */
inline end_repair(i)
{
  d_step {
    repairing = repairing - counted;
    counted = false;
    byte_1 = (byte_1 == DOCTOR (i) -> NOBODY : byte_1)
  }
}

#ifndef LOCKS
#define FREE 0
#define CLAIMED 1
#define ACTIVE 2
#define OPEN 9
#define GONE 15

hidden byte I1_no_overwrite, I2_only_the_dead_are_cleaned, I6_no_underflow,
    I14_whole_in_the_end, R_only_who_was_meant;

byte row_byte = CONSUMER (0);
byte pins, gate = OPEN, state = ACTIVE, incarnation = 1;
byte living = CONSUMER (0); /* who has the row, whatever the kernel thinks */
byte content[2]; /* of the two records: sequence */
byte word_rec, word_seq; /* the ring's one word */
bool killed[4]; /* doctors, consumers */
byte kills = 2;

#define NEUTRAL (state == FREE && gate == OPEN && pins == 0)
#ifdef REPAIR_HALF_LOOKS_DONE
#define LOOKS_NEUTRAL (state == FREE)
#else
#define LOOKS_NEUTRAL NEUTRAL
#endif
#define MAY_LOCK(d) (row_byte == NOBODY || row_byte == d)

#define HURTS(d) (living != NOBODY && living != d)

inline clean(d)
{
#ifdef REPAIR_HALF_LOOKS_DONE
  state = FREE;
#endif
  atomic { assert (I2_only_the_dead_are_cleaned || !HURTS (d)); pins = 0 }
  gate = OPEN;
#ifdef REPAIR_UNLOCK_EARLY
  row_byte = NOBODY;
#endif
  atomic { assert (I2_only_the_dead_are_cleaned || !HURTS (d)); state = FREE }
}

inline unlock_row(d)
{
  d_step { row_byte = (row_byte == d -> NOBODY : row_byte) }
}

/* clean_row(), and what the producer does */
inline clean_row(d)
{
#ifdef REPAIR_UNLOCKED
  clean (d)
#elif defined (REPAIR_TESTS_ONLY)
  if
  :: row_byte == NOBODY -> clean (d)
  :: else
  fi
#else
  if
  :: atomic { MAY_LOCK (d) -> row_byte = d }
     if
     :: !LOOKS_NEUTRAL -> clean (d)
     :: else
     fi;
     unlock_row (d)
  :: !MAY_LOCK (d)
  fi
#endif
}

#ifdef REPAIR_OWN_DESCRIPTION
#define CLEANER(i) CONSUMER (1)
#else
#define CLEANER(i) DOCTOR (i)
#endif

/* repair_rows() */
proctype repairer()
{
  bool counted;
end:
  do
  :: !LOOKS_NEUTRAL && (row_byte == NOBODY
#ifdef REPAIR_OWN_DESCRIPTION
       || row_byte == CONSUMER (1)
#endif
       ) ->
     {
       begin_repair (0);
       if
       :: !LOOKS_NEUTRAL && MAY_LOCK (CLEANER (0)) -> clean_row (CLEANER (0))
       :: else
       fi
     } unless { killed[0] };
     killed[0] = false;
     end_repair (0);
     unlock_row (DOCTOR (0))
  od
}

#define MEANT 1

/* release_pin(), release_row(): of the first consumer, by whoever asked for it */
inline release()
{
  if
  :: incarnation == MEANT && (pins & 1) ->
#ifdef RELEASE_TESTS_ONLY
     row_byte == NOBODY;
#else
     if
     :: atomic { row_byte == NOBODY -> row_byte = DOCTOR (1) }
     :: row_byte != NOBODY -> goto refused
     fi;
#endif
     if
#ifdef MEANT_BEFORE_LOCK
     :: true ->
#else
     :: incarnation == MEANT ->
#endif
#ifdef RELEASE_STORES
        word = pins & ~1;
#endif
        atomic {
          assert (R_only_who_was_meant || incarnation == MEANT);
          assert (I2_only_the_dead_are_cleaned || living == NOBODY);
#ifdef RELEASE_COUNTS
          pins--;
          assert (I6_no_underflow || pins <= 3)
#elif defined (RELEASE_STORES)
          pins = word
#else
          pins = pins & ~1
#endif
        }
     :: incarnation != MEANT
     fi;
     unlock_row (DOCTOR (1))
  :: incarnation == MEANT && !NEUTRAL ->
     if
     :: atomic { row_byte == NOBODY -> row_byte = DOCTOR (1) }
        if
        :: incarnation == MEANT && !LOOKS_NEUTRAL -> clean (DOCTOR (1))
        :: else
        fi;
        unlock_row (DOCTOR (1))
     :: row_byte != NOBODY
     fi
  :: else
  fi;
refused:
  skip
}

proctype releaser()
{
  bool counted;
#ifdef RELEASE_STORES
  byte word;
#endif
  byte times;
  do
  :: times < 2 ->
     times++;
     { begin_repair (1); release () } unless { killed[1] };
     killed[1] = false;
     end_repair (1);
     unlock_row (DOCTOR (1))
  :: true -> break
  od
}

/* Retires, and fills the record again where nobody pins it; cleans like the
 * doctors. */
proctype producer()
{
  byte r, n;
  do
  :: n < 2 ->
     n++;
     atomic { r = word_rec; word_seq = GONE } /* A3 */
     if
     :: pins & (1 << r) ->
        if
        :: !LOOKS_NEUTRAL -> clean_row (PRODUCER)
        :: else
        fi
     :: else
     fi;
     if
     :: !(pins & (1 << r)) -> content[r] = 10 + n /* A5 */
     :: else
     fi;
     atomic { word_rec = 1; word_seq = content[1]; r = 0 }
  :: else -> break
  od
}

inline read_one()
{
  atomic { s = word_seq; r = word_rec } /* B2 */
  if
  :: s != GONE ->
     pins = pins | (1 << r); /* B3 */
     if
     :: word_seq == s && word_rec == r -> /* B4 */
        assert (I1_no_overwrite || content[r] == s)
     :: else
     fi;
     pins = pins & ~(1 << r) /* B6 */
  :: else
  fi;
  atomic { s = 0; r = 0 }
}

/* The first has its row, and takes a record; the second joins when it can. */
proctype consumer(byte i)
{
  byte s, r;
  {
    if
    :: i == 1 ->
       atomic { row_byte == NOBODY -> row_byte = CONSUMER (1); living = CONSUMER (1) }
       if
       :: !NEUTRAL -> clean (CONSUMER (1))
       :: else
       fi;
       incarnation = 2;
       gate = 1;
       state = ACTIVE
    :: else
    fi;
    read_one ();
    clean (CONSUMER (i))
  } unless { killed[2 + i] };
  atomic { living = (living == CONSUMER (i) -> NOBODY : living); killed[2 + i] = true }
  unlock_row (CONSUMER (i))
}

proctype killer()
{
  do
  :: kills > 0 && repairing && !killed[0] -> atomic { kills--; killed[0] = true }
  :: kills > 0 && repairing && !killed[1] -> atomic { kills--; killed[1] = true }
  :: kills > 0 && living == CONSUMER (0) -> atomic { kills--; killed[2] = true }
  :: kills > 0 && living == CONSUMER (1) -> atomic { kills--; killed[3] = true }
  :: break
  od
}

/* When nothing can go on. */
proctype watch()
{
end:
  timeout ->
    assert (I14_whole_in_the_end
      || (NEUTRAL && row_byte == NOBODY && byte_1 == NOBODY))
}

init {
  atomic {
    content[1] = 1;
    run repairer ();
    run releaser ();
    run producer ();
    run consumer (0);
    run consumer (1);
    run killer ();
    run watch ()
  }
}
#endif

#ifdef LOCKS
/* Words of the lock: whose it is, by row and claim. */
#define FIRST 1 /* of row 0, claim 1 */
#define NEXT 2 /* of row 0, claim 2 */
#define OTHER 3 /* of row 1 */
#define ABANDONED 9

hidden byte I10_one_living_owner, I10_only_the_dead_lose_it,
    R9_data_is_whole_or_suspect, I14_whole_in_the_end;

byte word = FIRST;
byte claim = 1; /* of row 0 */
bool held[2] = true; /* bytes of the rows */
byte left = 1, right; /* what the lock guards: half changed */
byte inside = FIRST; /* who really has it; what the test knows */
bool killed[5]; /* by word; doctors are 0 and 4 */
byte kills = 2;

#define ROW_OF(w) (w == OTHER -> 1 : 0)
#define LIVES(w) (held[ROW_OF (w)] && (w == OTHER || claim == w))
#define KILLED(i) killed[i * 4]

/* Two steps: the claim, then the kernel's word. */
inline judge()
{
  dead = (w == FIRST || w == NEXT) && claim != w;
  dead = dead || !held[ROW_OF (w)]
}

/* repair_locks(), release_lock() */
inline abandon()
{
  w = word;
  if
  :: w != 0 && w != ABANDONED ->
     judge ();
     if
     :: dead ->
        atomic {
#ifdef ABANDON_BY_STORE
          assert (I10_only_the_dead_lose_it || inside == 0 || !LIVES (inside));
          word = ABANDONED
#elif defined (ABANDON_ANY)
          assert (I10_only_the_dead_lose_it || inside == 0 || !LIVES (inside));
          word = (word == 0 -> 0 : ABANDONED)
#else
          if
          :: word == w ->
             assert (I10_only_the_dead_lose_it || inside == 0 || !LIVES (inside));
#ifdef ABANDON_TO_FREE
             word = 0
#else
             word = ABANDONED
#endif
          :: else
          fi
#endif
        }
     :: else
     fi
  :: else
  fi
}

#define HAS_WORK (word != 0 && word != ABANDONED && !LIVES (word))

proctype doctor(byte i)
{
  byte w;
  bool dead, counted;
end:
  do
  :: HAS_WORK ->
     { begin_repair (i); abandon () } unless { KILLED (i) };
     atomic { KILLED (i) = false; w = 0; dead = false }
     end_repair (i)
  od
}

inline lock(me)
{
  do
  :: w = word;
     if
     :: w == 0 ->
        atomic {
          if
          :: word == 0 -> word = me; have = true
          :: else
          fi
        }
     :: w != 0 ->
#ifdef ABANDONED_LIVES
        if
        :: w != ABANDONED -> judge ()
        :: else
        fi;
#else
        if
        :: w == ABANDONED -> dead = true
        :: else -> judge ()
        fi;
#endif
        if
        :: dead ->
           atomic {
             if
             :: word == w -> word = me; have = true; told = true
             :: else
             fi
           }
        :: else -> word != w || (w != ABANDONED && !LIVES (w)) /* sleeps */
        fi
     fi;
     dead = false;
     if
     :: have -> break
     :: else
     fi
  od;
  have = false;
  w = 0;
  atomic {
    assert (I10_one_living_owner || inside == 0 || !LIVES (inside));
    inside = me
  }
}

inline critical()
{
  atomic {
    assert (R9_data_is_whole_or_suspect || told || left == right);
    w = 1 - left
  }
  left = w;
  right = w;
  atomic { w = 0; told = false }
}

inline unlock()
{
  atomic { word = 0; inside = 0 }
}

inline die(me)
{
  d_step { held[ROW_OF (me)] = false; w = 0; dead = 0; have = 0; told = 0 }
}

/* Has the lock; whoever comes after it in its row wants it too. */
proctype owner()
{
  byte w;
  bool dead, have, told;
  { right = left; unlock () } unless { killed[FIRST] };
  die (FIRST);
  atomic { held[0] = true; claim = NEXT }
  { lock (NEXT); critical (); unlock () } unless { killed[NEXT] };
  die (NEXT)
}

proctype other()
{
  byte w;
  bool dead, have, told;
  { lock (OTHER); critical (); unlock () } unless { killed[OTHER] };
  die (OTHER)
}

proctype killer()
{
  do
  :: kills > 0 && held[0] && claim == FIRST -> atomic { kills--; killed[FIRST] = true }
  :: kills > 0 && held[0] && claim == NEXT -> atomic { kills--; killed[NEXT] = true }
  :: kills > 0 && held[1] -> atomic { kills--; killed[OTHER] = true }
  :: kills > 0 && repairing -> atomic { kills--; KILLED (0) = true }
  :: kills > 0 && repairing -> atomic { kills--; KILLED (1) = true }
  :: break
  od
}

/* When nothing can go on. */
proctype watch()
{
end:
  timeout ->
    assert (I14_whole_in_the_end || (!HAS_WORK && byte_1 == NOBODY))
}

init {
  atomic {
    run doctor (0);
    run doctor (1);
    run owner ();
    run other ();
    run killer ();
    run watch ()
  }
}
#endif
