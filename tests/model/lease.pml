/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leases within one process: the reading thread pins and lends without a lock
 * what nobody here holds, while another thread ends leases under it; the same
 * record is read again meanwhile (a peek, a sticky word), a pool leaves the table,
 * the consumer is closed. lib/core/consumer/consumer-lease.c, consumer-pools.c,
 * consumer-private.h (consumer_pin). Threads of one process: nobody is killed.
 *
 * @covers B3 B6, leases, pools, stale, n_lent
 * @mutant AGAIN_UNLOCKED | leases | counted up from 1 without the lock
 * @mutant ZERO_FIRST | B6, leases | 0 is stored before the bit is cleared
 * @mutant ZERO_RELAXED | B6, leases | 0 is stored relaxed
 * @mutant POOLS_LATE | pools | tied to the record after the view was given away
 * @mutant NO_SCAN | pools | a stale pool goes with any record's last lease
 * @mutant STALE_FIRST | stale | marked, and the leases looked at, without the lock
 * @mutant NEVER_DROPPED | stale | a stale pool is left to the end
 * @mutant LENT_LATE | n_lent | counted after the view was given away
 * @mutant CLOSE_FORGETS | n_lent | a close with leases left ends everything
 * @argued LOAD_RELAXED | leases | the first look at the count relaxed | loads are
 *   done in order here; in C11 the acquire is what has B6 and the cleared pools
 *   happen before the reader's stores
 */
#define LEASES(r) (r)
#define POOLS(r) (2 + (r)) /* the one pool */
#define PINS 4
#define N_LENT 5
#define WORDS 6
#define PROCS 2
#define DEPTH 3
#define READS 3

#include "memory.pml"

hidden byte I2_held_is_pinned, P3_held_is_mapped, I6_all_is_let_go,
    I6_ended_once;

bool locked;
byte views[2]; /* leases given away or used, by record; what the test knows */
byte needs[2]; /* of them, with the pool */
byte references = 1; /* modulo 256, as in the code modulo 2^64 */
bool stale;
bool mapped = true;
bool known = true; /* to the reading thread */
byte ended;

chan lent = [2] of { byte, bool };

inline lock()
{
  atomic { !locked; locked = true }
}

inline unlock(self_)
{
  d_step { IS_SEEN (self_); locked = false }
}

/* The lock is held. */
inline drop_if_unneeded(p, one, other)
{
  load (p, RELAXED, POOLS (0), one);
  load (p, RELAXED, POOLS (1), other);
  d_step {
    if
    :: !one && !other -> mapped = false; stale = false
    :: else
    fi;
    one = 0;
    other = 0
  }
}

inline set_bit(p, r)
{
  put (p, SEQ, OR, PINS, 1 << r)
}

inline clear_bit(p, r)
{
  put (p, SEQ, AND, PINS, 3 & ~(1 << r))
}

inline end_lease(p, r, with, n, one, other)
{
  d_step { views[r]--; needs[r] = needs[r] - with }
  lock ();
  drop_lease (p, r, n, one, other);
  unref (p)
}

/* The lock is held. */
inline unref(p)
{
  references--;
  load (p, RELAXED, N_LENT, n);
  d_step {
    ended = ended + ((references + n) % 256 == 0);
    n = 0
  }
  unlock (p)
}

inline drop_lease(p, r, n, one, other)
{
  load (p, RELAXED, LEASES (r), n);
  if
  :: n > 1 -> store (p, RELEASE, LEASES (r), n - 1)
  :: else ->
     load (p, RELAXED, POOLS (r), n);
     store (p, RELAXED, POOLS (r), 0);
#ifndef NEVER_DROPPED
     if
     :: n && stale ->
#ifdef NO_SCAN
        d_step { mapped = false; stale = false }
#else
        drop_if_unneeded (p, one, other)
#endif
     :: else
     fi;
#endif
#ifdef ZERO_FIRST
     store (p, RELEASE, LEASES (r), 0);
     clear_bit (p, r)
#else
     clear_bit (p, r); /* B6 */
#ifdef ZERO_RELAXED
     store (p, RELAXED, LEASES (r), 0)
#else
     store (p, RELEASE, LEASES (r), 0)
#endif
#endif
  fi;
  n = 0
}

inline count_up(r)
{
  load (0, RELAXED, LEASES (r), n);
  store (0, RELAXED, LEASES (r), n + 1);
  if
  :: n == 0 -> set_bit (0, r)
  :: else
  fi;
  n = 0
}

inline pin(r)
{
  load (0, RELEASE, LEASES (r), n);
  if
  :: n == 0 ->
     store (0, RELAXED, LEASES (r), 1);
     set_bit (0, r) /* B3 */
  :: else ->
     n = 0;
#ifdef AGAIN_UNLOCKED
     count_up (r)
#else
     lock ();
     count_up (r);
     unlock (0)
#endif
  fi;
  load (0, SEQ, PINS, n); /* as B4 */
  n = 0
}

inline lend(r)
{
  with = known;
#ifndef POOLS_LATE
  load (0, RELAXED, POOLS (r), n);
  store (0, RELAXED, POOLS (r), n | with);
#endif
#ifndef LENT_LATE
  load (0, RELAXED, N_LENT, n);
  store (0, RELAXED, N_LENT, n + 1);
#endif
  d_step { n = 0; views[r]++; needs[r] = needs[r] + with }
}

/* To another thread: behind everything this one did. */
inline give_away(r)
{
  IS_SEEN (0);
  lent ! r, with;
#ifdef POOLS_LATE
  load (0, RELAXED, POOLS (r), n);
  store (0, RELAXED, POOLS (r), n | with);
#endif
#ifdef LENT_LATE
  load (0, RELAXED, N_LENT, n);
  store (0, RELAXED, N_LENT, n + 1);
#endif
  n = 0
}

inline read(r)
{
  pin (r);
  if
  :: lock (); drop_lease (0, r, n, one, other); unlock (0) /* a peek */
  :: lend (r);
     if
     :: give_away (r)
     :: end_lease (0, r, with, n, one, other)
     fi
  fi;
  with = false
}

/* The pool left the table. */
inline refresh()
{
  known = false;
#ifdef STALE_FIRST
  stale = true;
  drop_if_unneeded (0, one, other)
#else
  lock ();
  stale = true;
#ifndef NEVER_DROPPED
  drop_if_unneeded (0, one, other);
#endif
  unlock (0)
#endif
}

inline close()
{
  lock ();
#ifdef CLOSE_FORGETS
  ended++;
#endif
  unref (0)
}

active proctype reader()
{
  byte reads, n, one, other;
  bool with;
  do
  :: reads < READS -> reads++; read (0)
  :: reads < READS -> reads++; read (1)
  :: known && reads > 0 -> refresh ()
  :: reads > 0 -> break
  od;
  close ();
  lent ! 2, false
}

active proctype other_thread()
{
  byte r, n, one, other;
  bool with;
  do
  :: lent ? r, with ->
     if
     :: r == 2 -> break
     :: else -> end_lease (1, r, with, n, one, other)
     fi
  od;
  atomic {
    IS_SEEN (0) && IS_SEEN (1);
    assert (I6_ended_once || ended == 1);
    assert (I6_all_is_let_go || (mem[LEASES (0)] == 0 && mem[LEASES (1)] == 0
        && mem[POOLS (0)] == 0 && mem[POOLS (1)] == 0 && mem[PINS] == 0));
    assert (I6_all_is_let_go || mapped == known)
  }
}

/* What holds at every moment. */
active proctype watcher()
{
end:
  do
  :: d_step { views[0] && !(mem[PINS] & 1) -> assert (I2_held_is_pinned) }
  :: d_step { views[1] && !(mem[PINS] & 2) -> assert (I2_held_is_pinned) }
  :: d_step { (needs[0] || needs[1]) && !mapped -> assert (P3_held_is_mapped) }
  :: d_step { ended && (views[0] || views[1]) -> assert (I6_ended_once) }
  od
}

MEMORY (DRAIN (0) DRAIN (1))
