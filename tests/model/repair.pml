/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repair in place, and forced release: two doctors at once, beside a producer that
 * cleans and reclaims as well, and consumers that come and go. One repairs
 * everything, the other takes one record, or one row, from the consumer that it
 * was told of. Deaths at any step, of whoever; a doctor that died is followed by
 * another. lib/datahub/repair.c, release.c, rows.c (row_is_neutral, row_clean),
 * block-names.c (block_close_for_the_dead).
 *
 * All words here are seq_cst, and kernel locks order the rest: no buffers. A lock
 * belongs to an open description and does not conflict with itself.
 * As it is: a row. LOCKS: a user lock. FILES: what a dead producer left.
 * @covers bytes 0 and 1 and those of rows; row_clean, release_pin, repair_abandon,
 *   remove_stray_pools, close_block
 * @also LOCKS | a user lock whose owner dies, and two who want it
 * @also FILES | strays of a dead producer, and a successor that adopts or replaces it;
 *   somebody may have written over the table; the other doctor closes the block
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
 * @mutant BYTE_0_TESTED | byte 0, P4 | the producer is dead at a look; then strays go
 * @mutant TABLE_BEFORE_BYTE_0 | byte 0, P4 | the table is read before byte 0 is taken
 * @mutant NOT_REFERRED | P4 | what records refer to is not kept, only what the table names
 * @mutant CLOSES_UNLOCKED | byte 0, D7 | closed after byte 0 is let go
 * @mutant CLOSES_THE_NAME | N1 | closes whatever block has the name, without a look at the
 *   entry
 * @equivalent RELEASE_STORES | release | the word of pins is loaded, and stored without
 *   the bit | under the row's byte nobody else writes to it; an RMW keeps the release
 *   sequence that A5 reads from
 * @equivalent ENTRY_NOT_LOOKED_AT | N1 | whether the entry still leads to this block is
 *   not looked at | one that was replaced is closed already, and the uuid is compared
 * @equivalent UUID_NOT_COMPARED | N1 | the block that has the name is closed | the entry
 *   leads here, and nobody else changes that while byte 0 is held
 */
#if defined (ABANDON_BY_STORE) || defined (ABANDON_ANY) || defined (ABANDON_TO_FREE) \
  || defined (ABANDONED_LIVES)
#define LOCKS
#endif
#if defined (BYTE_0_TESTED) || defined (TABLE_BEFORE_BYTE_0) || defined (NOT_REFERRED) \
  || defined (CLOSES_UNLOCKED) || defined (CLOSES_THE_NAME) \
  || defined (ENTRY_NOT_LOOKED_AT) || defined (UUID_NOT_COMPARED)
#define FILES
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

#if !defined (LOCKS) && !defined (FILES)
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

#ifdef FILES
/* Pool 1 is in the table, with the newest record in it; pool 2 is a stray; the
 * successor adds pool 3. */
#define READY 2
#define CLOSED 4

hidden byte P3_pool_within_reach, D7_closed_is_over, N1_no_stray_is_left;

byte state[2]; /* of the dead one's block, and of one that takes its name */
byte entry_to; /* which block has the name */
byte byte_0; /* of the first */
byte entry_1 = 1, entry_3; /* the table */
byte record_gen = 1;
bool linked[4];
bool scribbled; /* somebody wrote over the table */
bool killed[2], heir_killed;
byte kills = 2;

inline drop_byte_0(d)
{
  d_step { byte_0 = (byte_0 == d -> NOBODY : byte_0) }
}

inline look_at_table()
{
  k1 = entry_1;
  k3 = entry_3;
#ifndef NOT_REFERRED
  kr = record_gen
#endif
}

inline remove_stray(g)
{
  if
  :: linked[g] && k1 != g && k3 != g && kr != g ->
     atomic {
       assert (P3_pool_within_reach || record_gen != g);
       linked[g] = false
     }
  :: else
  fi
}

/* block_close_for_the_dead(): opens what has the name, and compares */
inline close_block()
{
  if
  :: i == 1 && state[0] != CLOSED ->
#if defined (CLOSES_THE_NAME) || defined (UUID_NOT_COMPARED)
     state[entry_to] = CLOSED
#else
     if
     :: entry_to == 0 -> state[0] = CLOSED
     :: else
     fi
#endif
#ifdef CLOSES_THE_NAME
  :: i == 1 && state[0] == CLOSED -> state[entry_to] = CLOSED
#endif
  :: else
  fi
}

/* repair_producers_part() */
inline repair_files()
{
  if
  :: byte_0 == NOBODY ->
#ifdef TABLE_BEFORE_BYTE_0
     look_at_table ();
#endif
     if
#ifdef BYTE_0_TESTED
     :: byte_0 == NOBODY ->
#else
     :: atomic { byte_0 == NOBODY -> byte_0 = DOCTOR (i) }
#endif
        if
#if defined (ENTRY_NOT_LOOKED_AT) || defined (CLOSES_THE_NAME)
        :: true ->
#else
        :: entry_to == 0 ->
#endif
#ifndef TABLE_BEFORE_BYTE_0
           look_at_table ();
#endif
           remove_stray (1);
           remove_stray (2);
           remove_stray (3);
#ifdef CLOSES_UNLOCKED
           drop_byte_0 (DOCTOR (i));
#endif
           close_block ()
#if !defined (ENTRY_NOT_LOOKED_AT) && !defined (CLOSES_THE_NAME)
        :: entry_to != 0
#endif
        fi;
        drop_byte_0 (DOCTOR (i))
     :: byte_0 != NOBODY
     fi
  :: else
  fi
}

/* The second was asked to close the block. */
proctype doctor(byte i)
{
  byte k1, k3, kr, times;
  bool counted;
  do
  :: times < 2 ->
     times++;
     { begin_repair (i); repair_files () } unless { killed[i] };
     drop_byte_0 (DOCTOR (i));
     end_repair (i);
     if
     :: killed[i] -> killed[i] = false
     :: else -> break
     fi;
     atomic { k1 = 0; k3 = 0; kr = 0 }
  :: else -> break
  od
}

inline adopt()
{
  if
  :: linked[2] && !scribbled -> linked[2] = false /* C9 */
  :: else
  fi;
  linked[3] = true; /* P1 */
  entry_3 = 3;
  atomic {
    assert (D7_closed_is_over || state[0] != CLOSED);
    assert (P3_pool_within_reach || linked[3]);
    record_gen = 3
  }
  entry_1 = 0; /* P2 */
  linked[1] = false
  /* lives on */
}

/* On behalf of the dead one; its files stay for who still reads. */
inline replace()
{
  state[0] = CLOSED;
  entry_to = 1;
  drop_byte_0 (PRODUCER);
  state[1] = READY;
  assert (D7_closed_is_over || state[1] != CLOSED)
}

proctype successor()
{
  {
    atomic { byte_0 == NOBODY -> byte_0 = PRODUCER }
    if
    :: state[0] == READY && !scribbled -> adopt ()
    :: replace ()
    fi;
    /* until it is stopped */
    assert (D7_closed_is_over || state[entry_to] != CLOSED)
  } unless { heir_killed };
  drop_byte_0 (PRODUCER)
}

/* Opens the pool of the newest record at any time. */
proctype reader()
{
  assert (P3_pool_within_reach || linked[record_gen])
}

proctype killer()
{
  do
  :: kills > 0 && repairing -> atomic { kills--; killed[0] = true }
  :: kills > 0 && repairing -> atomic { kills--; killed[1] = true }
  :: kills > 0 && byte_0 == PRODUCER -> atomic { kills--; heir_killed = true }
  :: break
  od
}

/* When nothing can go on. */
proctype watch()
{
  timeout ->
    assert (N1_no_stray_is_left || !linked[2] || entry_to == 1 || kills < 2);
    assert (P3_pool_within_reach || linked[record_gen])
}

init {
  atomic {
    state[0] = READY;
    linked[1] = true;
    linked[2] = true;
    if
    :: scribbled = true; entry_1 = 0
    :: true
    fi;
    run doctor (0);
    run doctor (1);
    run successor ();
    run reader ();
    run killer ();
    run watch ()
  }
}
#endif
