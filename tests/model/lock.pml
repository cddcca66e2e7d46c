/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A user lock: contenders take it, one recursively, sleep and wake each other.
 * As it is: two consumers and two deaths anywhere, of an owner, of who takes over
 * from the dead, of who is about to wake; a dead one's row is claimed by another,
 * who takes the lock or not, while the dead one's name is still in the word.
 * lib/core/userlock/lock.c.
 *
 * The word names a row, its claim and a thread; the producer's is the same with
 * its byte and incarnation. The lock guards two words that are equal whenever it
 * is not a dead one's. A slice is a wake-up that exists only once somebody died.
 * @covers owner, contended, turn, depth; claim and the row's lock byte
 * @also THREADS | two threads of a process, and another, that may be killed
 * @also LIVING | three processes, nobody dies
 * @mutant UNLOCK_RELAXED | owner | given back by a relaxed store
 * @mutant UNLOCK_RELEASE | owner | given back by a release store
 * @mutant CONTENDED_ACQUIRE | contended | loaded with acquire after the unlock
 * @mutant CONTENDED_RELEASE | contended | stored with release before the last try
 * @mutant TRY_ACQUIRE | owner | loaded with acquire in the last try
 * @mutant TURN_LATE | turn | loaded after the last try
 * @mutant NO_LAST_TRY | contended | no try between the announcement and the sleep
 * @mutant NO_TURN | turn | woken without a step of turn
 * @mutant CLEARED_LATE | contended | taken down after the wake
 * @mutant NOT_RAISED_AGAIN | contended | raised once, not before each sleep
 * @mutant WAKE_ONE | wake | wakes one sleeper, and takes the flag of all down
 * @mutant NO_SLICE | slice | contenders sleep without end
 * @mutant TAKE_BY_STORE | reclaim | a store instead of compare-and-swap
 * @mutant TAKE_ANY | reclaim | swaps with what the word is by then
 * @mutant NOT_TOLD | reclaim | the taker is not told that its owner died
 * @mutant NO_CLAIM | owner | the word does not say whose row it was
 * @mutant BYTE_ALONE | reclaim, C7 | dead is whose byte is free, whoever claimed since
 * @mutant CLAIM_IS_INCARNATION | claim | a rejoin changes what the word is compared to
 * @mutant DEPTH_KEPT | depth | the taker goes on from the dead one's depth
 * @mutant NO_THREAD | owner | the word does not say which thread
 * @mutant OWN_BYTE | reclaim | its own row's byte is tested on its own description
 * @equivalent TURN_RELEASE | turn | stepped with release | the wake is a system
 *   call: turn has stepped before anybody is woken
 */
#if defined (NO_THREAD) || defined (OWN_BYTE)
#define THREADS
#endif
#if defined (WAKE_ONE) || defined (CLEARED_LATE) || defined (NO_TURN) \
  || defined (NOT_RAISED_AGAIN)
#define LIVING
#endif

#ifdef THREADS
#define USERS 3
#define ROWS 2
#define ROW(i) ((i) / 2) /* 0 and 1 are threads of one process */
#define KILLS 1
#define TURNS 1
#define RECURSIVE(i) (i == 0)
#elif defined (LIVING)
#define USERS 3
#define ROWS 3
#define ROW(i) (i)
#define KILLS 0
#define TURNS 1
#define RECURSIVE(i) false
#else
#define USERS 2
#define ROWS 2
#define ROW(i) (i)
#define KILLS 2
#define TURNS 1
#define RECURSIVE(i) (i == 0)
#endif

#define PROCS 3
#ifdef UNLOCK_RELAXED
#define DEPTH 3
#else
#define DEPTH 1
#endif
#define OWNER 0
#define CONTENDED 1
#define TURN 2
#define CLAIM(row) (3 + (row))
#define LEFT 6
#define RIGHT 7
#define WORDS 8
#include "memory.pml"

#ifdef NO_THREAD
#define THREAD(i) 0
#else
#define THREAD(i) ((i) % 2)
#endif
#ifdef NO_CLAIM
#define NAME(i, inc) (1 + ROW (i) * 8 + THREAD (i))
#define CLAIM_OF(w) mem[CLAIM (ROW_OF (w))]
#else
#define NAME(i, inc) (1 + ROW (i) * 8 + (inc) * 2 + THREAD (i))
#define CLAIM_OF(w) ((((w) - 1) % 8) / 2)
#endif
#define ROW_OF(w) (((w) - 1) / 8)
#define NOBODY 255

#ifdef UNLOCK_RELAXED
#define UNLOCK_ORDER RELAXED
#define PUBLISH(p, place, value) store (p, RELAXED, place, value)
#else
#ifdef UNLOCK_RELEASE
#define UNLOCK_ORDER RELEASE
#else
#define UNLOCK_ORDER SEQ
#endif
/* nothing is loaded before the unlock: late is the same as done late */
#define PUBLISH(p, place, value) d_step { IS_SEEN (p); mem[place] = value }
#endif
#ifdef CONTENDED_ACQUIRE
#define CONTENDED_LOAD RELEASE
#else
#define CONTENDED_LOAD SEQ
#endif
#ifdef CONTENDED_RELEASE
#define CONTENDED_STORE RELEASE
#else
#define CONTENDED_STORE SEQ
#endif
#ifdef TRY_ACQUIRE
#define TRY_ORDER RELEASE
#else
#define TRY_ORDER SEQ
#endif

hidden byte I7_no_lost_wake_up, I9_the_dead_hold_nobody, I10_one_living_owner,
    I10_only_the_dead_lose_it, R9_data_is_whole_or_suspect, I10_the_word_is_its_owners;

bool locked[ROWS]; /* the row's byte */
bool killed[ROWS]; /* its process */
byte claims[ROWS]; /* made so far */
byte inside = NOBODY; /* who really has the lock; what the test knows */
byte inside_claim;
bool asleep[3];
byte deep; /* of the lock; only its owner touches it */
byte kills = KILLS, gone;
bool somebody_died;
#ifdef THREADS
byte threads[ROWS];
#endif

#define IS_GONE(i, claim) (killed[ROW (i)] || claims[ROW (i)] != claim)
#define WAKE_ALL d_step { asleep[0] = false; asleep[1] = false; asleep[2] = false }

/* What it means to have got it: alone among the living. */
inline got(i)
{
  assert (I10_one_living_owner || inside == NOBODY
    || IS_GONE (inside, inside_claim));
  inside = i;
  inside_claim = claim
}

/* Returns in dead whether the owner named in w is. */
inline judge(i)
{
  if
#ifndef OWN_BYTE
  :: ROW_OF (w) == ROW (i) -> dead = (CLAIM_OF (w) != claim)
#endif
#ifdef OWN_BYTE
  :: ROW_OF (w) == ROW (i) -> dead = true /* no lock of its own is in its way */
#endif
  :: ROW_OF (w) != ROW (i) ->
     atomic { load (i, SEQ, CLAIM (ROW_OF (w)), dead); /* a byte for a moment */
       dead = (dead != CLAIM_OF (w)) }
#ifdef BYTE_ALONE
     dead = false;
#endif
     if
     :: !dead && !locked[ROW_OF (w)] -> dead = true
     :: else
     fi
  fi
}

inline take_free(i)
{
  atomic {
    swap (i, OWNER, 0, NAME (i, claim), have);
    if
    :: have -> got (i)
    :: else
    fi
  }
  if
  :: have -> deep = 1
  :: else
  fi
}

/* The first try, and those of the spin: does not look whether the owner lives. */
inline first_try(i)
{
  load (i, TRY_ORDER, OWNER, w);
  if
  :: w == 0 -> take_free (i)
#if defined (NO_CLAIM) || defined (NO_THREAD)
  :: w == NAME (i, claim) -> have = true; deep++
#endif
  :: else
  fi;
  w = 0
}

/* The word says that it is ours. */
inline try_again(i)
{
  load (i, TRY_ORDER, OWNER, w);
  assert (I10_the_word_is_its_owners || w == NAME (i, claim));
  deep++;
  w = 0
}

inline take_dead(i)
{
  atomic {
#ifdef TAKE_BY_STORE
    IS_SEEN (i);
    mem[OWNER] = NAME (i, claim);
    have = true;
#elif defined (TAKE_ANY)
    swap (i, OWNER, mem[OWNER], NAME (i, claim), have);
#else
    swap (i, OWNER, w, NAME (i, claim), have);
#endif
    if
    :: have ->
       assert (I10_only_the_dead_lose_it || inside == NOBODY
         || IS_GONE (inside, inside_claim));
       got (i);
#ifndef NOT_TOLD
       told = true
#endif
    :: else
    fi
  }
  if
#ifdef DEPTH_KEPT
  :: have -> deep++
#else
  :: have -> deep = 1
#endif
  :: else
  fi
}

/* A try that also looks whether the owner lives. */
inline try_lock(i)
{
  load (i, TRY_ORDER, OWNER, w);
  if
  :: w == 0 -> take_free (i)
  :: else ->
     judge (i);
     if
     :: dead -> take_dead (i)
     :: else
     fi;
     dead = 0
  fi;
  w = 0
}

inline futex_wait(i)
{
  atomic {
    IS_SEEN (i);
    asleep[i] = (mem[TURN] == turn)
  }
  !asleep[i]
}

inline sleep_once(i)
{
#ifndef TURN_LATE
  load (i, SEQ, TURN, turn);
#endif
#ifdef NOT_RAISED_AGAIN
  if
  :: !raised -> raised = true; store (i, CONTENDED_STORE, CONTENDED, 1)
  :: else
  fi;
#else
  store (i, CONTENDED_STORE, CONTENDED, 1);
#endif
#ifndef NO_LAST_TRY
  try_lock (i);
#endif
#ifdef TURN_LATE
  load (i, SEQ, TURN, turn);
#endif
  if
  :: !have -> futex_wait (i); turn = 0; try_lock (i)
  :: else -> turn = 0
  fi
}

inline lock(i)
{
  first_try (i);
  do
  :: have -> break
  :: !have -> sleep_once (i)
  od;
#ifdef NOT_RAISED_AGAIN
  raised = false;
#endif
  have = false
}

inline wake(i)
{
  IS_SEEN (i); /* a system call */
#ifdef WAKE_ONE
  if
  :: atomic { asleep[0] -> asleep[0] = false }
  :: atomic { asleep[1] -> asleep[1] = false }
  :: atomic { asleep[2] -> asleep[2] = false }
  :: !asleep[0] && !asleep[1] && !asleep[2]
  fi
#else
  WAKE_ALL
#endif
}

inline unlock(i)
{
  if
#if defined (DEPTH_KEPT) || defined (NO_CLAIM) || defined (NO_THREAD)
  :: deep > 1 -> deep--
#endif
  :: else ->
     deep = 0;
     atomic { store (i, UNLOCK_ORDER, OWNER, 0); inside = NOBODY }
     load (i, CONTENDED_LOAD, CONTENDED, w);
     if
     :: w ->
#ifndef CLEARED_LATE
        d_step { IS_SEEN (i); w = mem[CONTENDED]; mem[CONTENDED] = 0 }
#endif
        if
        :: w ->
#ifndef NO_TURN
#ifdef TURN_RELEASE
           store (i, RELEASE, TURN, mem[TURN] + 1);
#else
           d_step { IS_SEEN (i); mem[TURN]++ }
#endif
#endif
           wake (i)
        :: else
        fi
#ifdef CLEARED_LATE
        ; d_step { IS_SEEN (i); mem[CONTENDED] = 0 }
#endif
     :: else
     fi;
     w = 0
  fi
}

/* Whole, or the taker was told; it makes it whole. */
inline critical(i)
{
  atomic {
    load (i, RELAXED, LEFT, w);
    load (i, RELAXED, RIGHT, turn);
    assert (R9_data_is_whole_or_suspect || told || w == turn);
    turn = 0;
    w = 1 - w
  }
  PUBLISH (i, LEFT, w);
  PUBLISH (i, RIGHT, w);
  w = 0;
  told = false
}

/* One stay in a row: from its claim until it leaves or is killed. */
inline live(i)
{
#if KILLS > 1
  if
  :: claim > 1 -> gone++; gone >= USERS; gone-- /* does not want it for long */
  :: true
  fi;
#endif
  do
  :: turns < TURNS ->
     turns++;
     lock (i);
     critical (i);
#ifdef CLAIM_IS_INCARNATION
     d_step { IS_SEEN (i); mem[CLAIM (ROW (i))]++ } /* rejoins */
#endif
     if
     :: RECURSIVE (i) -> try_again (i); deep--
     :: skip
     fi;
     unlock (i);
  :: else -> break
  od
}

proctype user(byte i)
{
  byte turns, claim, w, turn, dead;
  bool have, told;
#ifdef NOT_RAISED_AGAIN
  bool raised;
#endif
#ifdef THREADS
  claim = 1; /* claimed by init, for both threads */
#else
begin:
  atomic { !locked[ROW (i)]; locked[ROW (i)] = true; killed[ROW (i)] = false;
    claims[ROW (i)]++; claim = claims[ROW (i)]; mem[CLAIM (ROW (i))] = claim }
#endif
  { live (i) } unless { killed[ROW (i)] };
  atomic { asleep[i] = false; have = 0; told = 0; w = 0; turn = 0; dead = 0;
#ifdef NOT_RAISED_AGAIN
    raised = false;
#endif
    turns = 0 }
#ifdef THREADS
  /* the kernel frees the byte with the last thread of the process */
  d_step { IS_SEEN (i); threads[ROW (i)]--; locked[ROW (i)] = (threads[ROW (i)] > 0) }
#else
  d_step { IS_SEEN (i); locked[ROW (i)] = false }
  if
  :: killed[ROW (i)] -> goto begin /* another claims the row */
  :: true -> gone++
  fi
#endif
}

/* Rows are alike, so it is enough to kill in two of the three. */
proctype killer()
{
  do
  :: kills > 0 && locked[0] && !killed[0] ->
     atomic { kills--; somebody_died = true; killed[0] = true }
#ifndef THREADS
  :: kills > 0 && locked[1] && !killed[1] ->
     atomic { kills--; somebody_died = true; killed[1] = true }
#endif
  :: true -> break
  od
}

/* When nothing can go on, somebody has died or nobody sleeps; then the slices of
 * those who sleep are over, once for each death. */
proctype watch()
{
  byte slices = KILLS;
  do
  :: timeout ->
     assert (I7_no_lost_wake_up || somebody_died
       || (!asleep[0] && !asleep[1] && !asleep[2]));
     if
     :: asleep[0] || asleep[1] || asleep[2] ->
#ifdef NO_SLICE
        slices = 0;
#endif
        assert (I9_the_dead_hold_nobody || slices > 0);
        slices--;
        WAKE_ALL
     :: else -> break
     fi
  od
}

#if USERS > 2
MEMORY (DRAIN (0) DRAIN (1) DRAIN (2))
#else
MEMORY (DRAIN (0) DRAIN (1))
#endif

init {
  atomic {
#ifdef THREADS
    threads[0] = 2; threads[1] = 1;
    locked[0] = true; locked[1] = true;
    claims[0] = 1; claims[1] = 1;
    mem[CLAIM (0)] = 1; mem[CLAIM (1)] = 1;
#endif
    run user (0);
    run user (1);
#if USERS > 2
    run user (2);
#endif
    run killer ();
    run watch ()
  }
}
