/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The name of a channel: the entry is a hard link to the lock file of a block;
 * byte 0 of that file belongs to the living producer. Two candidates, killed
 * anywhere, one of them closing, and a reclaimer that looks for the dead. A
 * candidate adopts the dead one's block or replaces it.
 * lib/core/block/block-names.c (block_take_over, block_reclaim_dead),
 * producer-publish.c (publish), producer-close.c (unlink_names), producer-adopt.c
 * (open_dead).
 *
 * @covers byte 0, the entry, lck; what is linked and unlinked in which order
 * @mutant ADOPT_UNCHECKED | C0 | adopts what it opened, wherever the entry leads by then
 * @mutant ADOPT_UNLOCKED | C0 | adopts without byte 0
 * @mutant STATE_UNSEEN | D7 | adopts a closed block
 * @mutant STATE_BEFORE_LOCK | D7 | the state is looked at before byte 0 is locked
 * @argued TEST_BY_LOCKING | D5 | whether a producer lives is asked by locking byte 0 |
 *   a candidate that meets the lock tries again for 0.2 s, and time is not modelled:
 *   here it may give up at once
 * @mutant NO_RECHECK | takeover, N1 | the entry is not compared after the lock
 * @mutant UNLOCK_FIRST | takeover | byte 0 is dropped before the unlink
 * @mutant UNLINK_UNLOCKED | takeover, N1 | the entry is removed without byte 0
 * @mutant LOCK_LATE | create | byte 0 is locked after the entry is made
 * @mutant RENAME_OVER | publish | replaces the entry instead of linking it
 * @mutant CLOSE_NO_CHECK | close | removes an entry that leads elsewhere
 * @mutant RECLAIM_UNLOCKED | reclaim | removes without byte 0
 * @mutant RECLAIM_BY_NAME | reclaim | removes the entry it saw, not its own
 * @mutant LCK_BEFORE_ENTRY | reclaim, N1 | lck is removed before the entry
 */
#define CANDIDATES 2
#define FILES 4 /* lock files: 1 is the dead predecessor's, 0 is no file */
#define NOBODY 0
#define RECLAIMER 3

hidden byte N1_the_living_keep_their_name, N1_one_living_producer,
    N1_nothing_is_left, D7_no_closed_block_lives;

byte entry = 1; /* the file that the name leads to */
bool lck[FILES + 1]; /* whether the file has its own name too */
byte byte_0[FILES + 1]; /* who has it */
bool closed[FILES + 1]; /* its state */
byte made = 1;
bool killed[CANDIDATES], live[CANDIDATES];
byte kills = 1;
byte own[CANDIDATES];
byte over;

/* An open description gives its locks back when it is closed or its process
 * dies. */
inline drop(who)
{
  d_step {
    byte_0[1] = (byte_0[1] == who -> NOBODY : byte_0[1]);
    byte_0[2] = (byte_0[2] == who -> NOBODY : byte_0[2]);
    byte_0[3] = (byte_0[3] == who -> NOBODY : byte_0[3]);
    byte_0[4] = (byte_0[4] == who -> NOBODY : byte_0[4])
  }
}

inline drop_one(file, who)
{
  d_step { byte_0[file] = (byte_0[file] == who -> NOBODY : byte_0[file]) }
}

inline remove_dead()
{
  closed[found] = true;
#ifdef LCK_BEFORE_ENTRY
  lck[found] = false;
  entry = 0
#else
  entry = 0;
  lck[found] = false
#endif
}

/* Ends at done with the name free, or at busy. */
inline take_over(i)
{
  do
  :: entry == 0 -> break
  :: atomic { entry != 0 -> found = entry } /* opened */
#ifdef UNLINK_UNLOCKED
     if
     :: byte_0[found] == NOBODY -> remove_dead ()
     :: else -> goto busy
     fi
#else
     if
     :: atomic { byte_0[found] == NOBODY -> byte_0[found] = 1 + i }
#ifdef NO_RECHECK
        if
        :: true ->
#else
        if
        :: entry != found /* another replaced it: again */
        :: entry == found ->
#endif
#ifdef UNLOCK_FIRST
           drop_one (found, 1 + i);
#endif
           remove_dead ()
        fi;
        drop_one (found, 1 + i)
     :: byte_0[found] != NOBODY -> goto busy /* patience is over */
     fi
#endif
  od;
  found = 0
}

/* Ends at live, or with nothing changed. */
inline adopt(i)
{
  if
  :: atomic { entry != 0 -> found = entry }
#ifdef STATE_BEFORE_LOCK
     gone = closed[found];
#endif
     if
#ifdef ADOPT_UNLOCKED
     :: byte_0[found] == NOBODY ->
#else
     :: atomic { byte_0[found] == NOBODY -> byte_0[found] = 1 + i }
#endif
#ifdef STATE_UNSEEN
        gone = false;
#elif !defined (STATE_BEFORE_LOCK)
        gone = closed[found];
#endif
        if
#ifdef ADOPT_UNCHECKED
        :: !gone ->
#else
        :: entry == found && !gone ->
#endif
           d_step { own[i] = found; live[i] = true; found = 0; gone = 0 }
           goto have
        :: else -> drop_one (found, 1 + i)
        fi
     :: byte_0[found] != NOBODY
     fi
  :: true /* no block, or one that does not fit */
  fi;
  atomic { found = 0; gone = 0 }
}

inline produce(i)
{
  adopt (i);
  atomic {
    made++;
    own[i] = made;
#ifndef LOCK_LATE
    byte_0[made] = 1 + i
#endif
  }
  lck[own[i]] = true;
again:
  take_over (i);
#ifdef RENAME_OVER
  atomic { entry = own[i]; live[i] = true }
#else
  if
  :: atomic { entry == 0 -> entry = own[i]; live[i] = true } /* linked */
  :: entry != 0 -> goto again /* EEXIST */
  fi;
#endif
#ifdef LOCK_LATE
  atomic { byte_0[own[i]] == NOBODY -> byte_0[own[i]] = 1 + i }
#endif
have:
  if
  :: skip /* closes: its names are its own to remove, byte 0 is held */
     atomic { live[i] = false; closed[own[i]] = true };
busy:
     if
#ifdef CLOSE_NO_CHECK
     :: true -> entry = 0
#else
     :: entry == own[i] -> entry = 0
     :: else
#endif
     fi;
     lck[own[i]] = false
  :: skip ->
     false /* lives on, to be killed or not */
  fi
}

proctype candidate(byte i)
{
  byte found;
  bool gone;
  { produce (i) } unless { killed[i] || over == 1 };
  atomic {
    live[i] = false;
    drop (1 + i);
    found = 0
  }
}

/* Removes what is left of blocks that nobody holds; killed, it drops its lock. */
inline reclaim(file)
{
  if
  :: lck[file] ->
     if
#ifdef RECLAIM_UNLOCKED
     :: byte_0[file] == NOBODY ->
#else
     :: atomic { byte_0[file] == NOBODY -> byte_0[file] = RECLAIMER }
#endif
#ifdef RECLAIM_BY_NAME
        if
        :: seen == file -> entry = 0
        :: else
        fi;
#else
        if
        :: entry == file -> entry = 0
        :: else
        fi;
#endif
        lck[file] = false;
        drop_one (file, RECLAIMER)
     :: byte_0[file] != NOBODY
     fi
  :: else
  fi
}

proctype reclaimer()
{
  byte seen;
  seen = entry;
  reclaim (1);
  reclaim (2);
  reclaim (3);
  /* when all are gone, once more: nothing may be left */
  over == 2;
  reclaim (1);
  reclaim (2);
  reclaim (3);
  assert (N1_nothing_is_left
    || (entry == 0 && !lck[1] && !lck[2] && !lck[3]))
}

proctype killer()
{
  if
  :: killed[0] = true
  :: killed[1] = true
  :: skip
  fi;
  /* what holds for as long as anybody lives */
}

active proctype watch()
{
  do
  :: d_step { live[0] && entry != own[0] ->
       assert (N1_the_living_keep_their_name) }
  :: d_step { live[1] && entry != own[1] ->
       assert (N1_the_living_keep_their_name) }
  :: d_step { (live[0] && closed[own[0]]) || (live[1] && closed[own[1]]) ->
       assert (D7_no_closed_block_lives) }
  :: d_step { live[0] && live[1] -> assert (N1_one_living_producer) }
  :: timeout -> break
  od;
  over = 1;
  timeout -> over = 2
}

init {
  atomic {
    lck[1] = true;
    run candidate (0);
    run candidate (1);
    run reclaimer ();
    run killer ()
  }
}
