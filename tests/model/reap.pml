/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who cleans the row of a dead consumer: two threads of a process on one
 * description, another process, and a joiner that takes the row for itself; the
 * kernel's lock on the row's byte elects one. Two deaths anywhere, of who cleans
 * as of who joined; the next one does it all again. A consumer may fork: the
 * child has its parent's description. lib/core/producer/producer-reaper.c, named-memory.c (reap_row),
 * rows.c (row_is_neutral, row_clean), named-client.c (take_row), consumer-row.c (occupy_row), consumer.c (close),
 * os-fork.c.
 *
 * All words here are seq_cst, and the lock orders the rest: no buffers.
 * A lock belongs to an open description, not to a process: it does not conflict
 * with itself, and goes with the last descriptor or by F_UNLCK of any of them.
 * @covers the row's lock byte, fd and lock of the reaper; state last; after_fork_child
 * @also FORK | the consumer forks; one death
 * @mutant NO_REAP_LOCK | D3 | two threads clean with one description, and no mutex
 * @mutant SELF_REAP | D3 | a process cleans with the description of its own row
 * @mutant CHILD_UNLOCKS | D4 | a forked child unlocks what its parent holds
 * @mutant CHILD_KEEPS | D4 | a forked child keeps the descriptor
 * @mutant TEST_ONLY | lock byte | tested by F_OFD_GETLK, not held, while cleaning
 * @mutant UNLOCKED | lock byte | cleaned without it
 * @mutant UNLOCK_EARLY | lock byte | let go before the state is stored
 * @mutant HALF_CLEAN_LOOKS_DONE | D9 | state is stored first and alone looked at
 * @mutant NOBODY_CLEANS | claim | a joiner takes the row as it is
 * @mutant WRITES_BEFORE_LOCK | L2 | a joiner stores its gate, then locks the byte
 * @equivalent STATE_FIRST | D9 | the state is stored first | the test looks at every
 *   word, so a row half cleaned is not neutral
 */
#if defined (CHILD_UNLOCKS) || defined (CHILD_KEEPS)
#define FORK
#endif
#ifdef FORK
#define KILLS 1
#else
#define KILLS 2
#endif

/* Descriptions of the lock file. */
#define NOBODY 0
#define OF_PRODUCER 1 /* reap_fd of the producer's process */
#define OF_OTHER 2
#define OF_FIRST 3 /* of the first who joins; then one more each */

#define FREE 0
#define CLAIMED 1
#define ACTIVE 2
#define OPEN 9

hidden byte I2_only_the_dead_are_cleaned, I10_one_owner, I14_clean_in_the_end,
    L2_clean_when_joined;

byte holder; /* of the row's byte: a description */
byte users[OF_FIRST + KILLS + 1]; /* descriptors of it */
byte pins = 5, gate = 3, state = ACTIVE; /* as the dead one left them */
bool waiter = true;
bool mutex; /* reap_lock of the producer's process */
bool living; /* somebody owns the row, whatever the kernel thinks */
byte owner; /* with this description */
bool killed[3]; /* producer, other, consumer */
byte kills = KILLS;
byte joins;

#define NEUTRAL (state == FREE && gate == OPEN && !waiter && pins == 0)
#ifdef HALF_CLEAN_LOOKS_DONE
#define STATE_FIRST
#define LOOKS_NEUTRAL (state == FREE)
#else
#define LOOKS_NEUTRAL NEUTRAL
#endif

/* F_OFD_SETLK: no conflict with a lock of the same description. */
#define MAY_LOCK(d) (holder == NOBODY || holder == d)

/* Every store to the row: is somebody hurt? */
#define HURTS(d) (living && owner != d)

inline clean(d)
{
#ifdef STATE_FIRST
  atomic { assert (I2_only_the_dead_are_cleaned || !HURTS (d)); state = FREE }
#endif
  atomic { assert (I2_only_the_dead_are_cleaned || !HURTS (d)); pins = 0 }
  atomic { assert (I2_only_the_dead_are_cleaned || !HURTS (d)); gate = OPEN }
  atomic { assert (I2_only_the_dead_are_cleaned || !HURTS (d)); waiter = false }
#ifdef UNLOCK_EARLY
  holder = NOBODY;
#endif
#ifndef STATE_FIRST
  atomic { assert (I2_only_the_dead_are_cleaned || !HURTS (d)); state = FREE }
#endif
}

inline reap(d)
{
  if
  :: !LOOKS_NEUTRAL ->
#ifdef TEST_ONLY
     if
     :: holder == NOBODY -> clean (d)
     :: else
     fi
#elif defined (UNLOCKED)
     clean (d)
#else
     if
     :: atomic { MAY_LOCK (d) -> holder = d }
        clean (d);
        d_step { holder = (holder == d -> NOBODY : holder) } /* F_UNLCK */
     :: !MAY_LOCK (d)
     fi
#endif
  :: else
  fi
}

/* The kernel's: the descriptors of a dead process are closed. */
inline let_go(d)
{
  d_step {
    users[d]--;
    holder = (users[d] == 0 && holder == d -> NOBODY : holder)
  }
}

/* Two threads, as long as there is something to do. */
proctype producer()
{
  {
end:
    do
    :: !LOOKS_NEUTRAL && MAY_LOCK (OF_PRODUCER) ->
#ifndef NO_REAP_LOCK
       atomic { !mutex; mutex = true };
#endif
       reap (OF_PRODUCER)
#ifndef NO_REAP_LOCK
       ; mutex = false
#endif
    od
  } unless { killed[0] };
  let_go (OF_PRODUCER)
}

/* Another process that looks after the block. */
proctype other()
{
  {
end:
    do
    :: !LOOKS_NEUTRAL && MAY_LOCK (OF_OTHER) -> reap (OF_OTHER)
    od
  } unless { killed[1] };
  let_go (OF_OTHER)
}

inline attach(d)
{
#ifdef WRITES_BEFORE_LOCK
  atomic { assert (I2_only_the_dead_are_cleaned || !HURTS (d)); gate = OPEN }
#endif
  atomic {
    MAY_LOCK (d);
    holder = d;
    assert (I10_one_owner || !living);
    living = true;
    owner = d
  }
#ifndef NOBODY_CLEANS
  if
  :: !NEUTRAL -> clean (d)
  :: else
  fi;
#endif
  gate = OPEN;
  state = CLAIMED;
  assert (L2_clean_when_joined || (pins == 0 && !waiter));
  gate = 1;
  state = ACTIVE;
  /* reads: pins, sleeps; nobody else touches the row */
  pins = 1;
  waiter = true
#ifdef FORK
  ; if
  :: atomic { users[d]++; run child (d) }
  :: true
  fi
#endif
}

inline use(d)
{
#ifdef SELF_REAP
  if
  :: reap (d) /* such as a thread of its own that looks for the dead */
  :: true
  fi;
#endif
  atomic { assert (I2_only_the_dead_are_cleaned || (pins == 1 && gate == 1
    && waiter && state == ACTIVE)) }
}

proctype consumer()
{
  byte d;
  do
  :: atomic { joins <= KILLS -> d = OF_FIRST + joins; joins++; users[d] = 1 }
     {
       attach (d);
       use (d);
       /* leaves: neutral, its state last, then the byte with the descriptor */
       clean (d)
     } unless { killed[2] };
     atomic {
       living = (owner == d -> false : living);
       killed[2] = false
     }
     let_go (d)
  :: break
  od
}

#ifdef FORK
/* What is registered is closed in the child, nothing is unlocked. It may outlive
 * its parent by any time. */
proctype child(byte d)
{
#ifdef CHILD_UNLOCKS
  d_step { holder = (holder == d -> NOBODY : holder) };
#endif
#ifdef CHILD_KEEPS
  false; /* lives as long as it likes */
#endif
  let_go (d)
}
#endif

/* Anybody; but then one that reaps is left, or the next joiner does it. */
proctype killer()
{
  do
  :: kills > 0 && !killed[0] -> atomic { kills--; killed[0] = true }
  :: kills > 0 && !killed[1] -> atomic { kills--; killed[1] = true }
  :: kills > 0 && !killed[2] && living -> atomic { kills--; killed[2] = true }
  :: break
  od
}

/* When nothing can go on. */
proctype watch()
{
end:
  timeout ->
    assert (I14_clean_in_the_end || (NEUTRAL && holder == NOBODY)
      || (killed[0] && killed[1]))
}

init {
  atomic {
    users[OF_PRODUCER] = 2;
    users[OF_OTHER] = 1;
    run producer ();
    run producer ();
    run other ();
    run consumer ();
#ifdef WRITES_BEFORE_LOCK
    run consumer ();
#endif
    run killer ();
    run watch ()
  }
}
