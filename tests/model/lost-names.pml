/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of a living block that another program removes, at any time and in any
 * order. The producer links them again, or goes on in another block; a second producer
 * of the channel may come meanwhile, and a reclaimer looks for the dead. Either
 * producer can be killed anywhere.
 * lib/core/producer/producer-names.c (datahub_producer_check_names,
 * datahub_producer_succeed), block-names.c (find_lock_file, reclaim_once,
 * block_take_over).
 *
 * File 1 is the block of the first producer, 2 its successor, 3 the block of the
 * second producer.
 * @covers the entry and lck of a living block that were removed
 * @mutant RELINK_OVER | names | the entry is made again over what has the name
 * @mutant GONE_IS_DEAD | reclaim, N1 | without lck and entry the block is taken for dead
 * @mutant TAKE_BY_FORCE | succeed | the successor replaces an entry of another producer
 * @mutant UNLINK_UNSEEN | succeed | the old entry is removed without a look where it leads
 */
#define NOBODY 0
#define FIRST 1
#define SECOND 2
#define RECLAIMER 3
#define FILES 3

hidden byte N1_the_living_keep_their_files, N1_no_fight_for_the_name,
    N1_the_name_is_mended;

byte entry = 1; /* the file that the name leads to; 0: none */
bool lck[FILES + 1]; /* whether the file has its own name */
bool ctl = true; /* a file of the first block that has one link */
bool parts[FILES + 1]; /* the files that only the evidence of a death may remove */
byte byte_0[FILES + 1];
byte present = 1; /* the block of the first producer now */
bool killed_first, killed_second, ended_first, looked, settled, over;
bool third; /* the second producer lives and has the name; a removal ends it */
byte removals = 2;

/* The file is gone for good without a link. */
#define HAS_LINK(file) (lck[file] || entry == (file))

/* The successor would be looked after as its predecessor is. */
proctype tidier()
{
  do
  :: atomic { removals > 0 && entry != 0 && present == 1 -> entry = 0; third = false; removals-- }
  :: atomic { removals > 0 && lck[1] -> lck[1] = false; removals-- }
  :: atomic { removals > 0 && ctl -> ctl = false; removals-- }
  :: atomic { removals > 0 -> removals = 0 }
  :: removals == 0 -> break
  od
}

/* Another has the name: where it lives it is left alone. */
inline succeed()
{
#ifdef UNLINK_UNSEEN
  entry = 0;
#else
  if
  :: atomic { entry == 1 -> entry = 0 }
  :: entry != 1
  fi;
#endif
  lck[2] = true;
#ifdef TAKE_BY_FORCE
  atomic { entry = 2; present = 2 }
#else
  do
  :: atomic { entry == 0 -> entry = 2; present = 2; break }
  :: entry != 0 ->
     if
     :: atomic { byte_0[entry] == NOBODY -> byte_0[entry] = FIRST; found = entry }
        if
        :: atomic { entry == found -> entry = 0 }
        :: entry != found
        fi;
        atomic { byte_0[found] = NOBODY; found = 0 }
     :: byte_0[entry] != NOBODY -> break /* busy: the old block goes on */
     fi
  od;
#endif
  if
  :: present == 2 -> atomic { lck[1] = false; parts[1] = false; byte_0[1] = NOBODY }
  :: present == 1 -> lck[2] = false
  fi
}

inline check()
{
  if
  :: !lck[1] ->
     if
     :: atomic { HAS_LINK (1) -> lck[1] = true }
     :: !HAS_LINK (1)
     fi
  :: lck[1]
  fi;
#ifdef RELINK_OVER
  if
  :: atomic { HAS_LINK (1) -> entry = 1 }
#else
  if
  :: atomic { HAS_LINK (1) && entry == 0 -> entry = 1 } /* linked */
  :: entry != 0 /* EEXIST */
#endif
  :: !HAS_LINK (1)
  fi;
  if
  :: !ctl || !HAS_LINK (1) -> succeed ()
  :: ctl && HAS_LINK (1)
  fi
}

proctype first()
{
  byte found;
  {
    do
    :: present == 1 -> check ()
    :: present == 1 && removals == 0 && settled -> check (); looked = true; break
    :: present == 2 -> looked = true; break
    od;
    false /* lives on, to be killed or not */
  } unless { killed_first || over };
  atomic {
    found = 0;
    byte_0[1] = (byte_0[1] == FIRST -> NOBODY : byte_0[1]);
    byte_0[2] = NOBODY;
    byte_0[3] = (byte_0[3] == FIRST -> NOBODY : byte_0[3]);
    ended_first = true
  }
}

proctype second()
{
  {
    do
    :: atomic { entry == 0 -> entry = 3; third = true; break }
    :: entry != 0 && byte_0[entry] != NOBODY -> break /* busy */
    :: atomic { entry != 0 && byte_0[entry] == NOBODY -> entry = 0 } /* dead */
    od;
    settled = true;
    false
  } unless { killed_second || over };
  atomic {
    third = false;
    settled = true;
    byte_0[3] = (byte_0[3] == SECOND -> NOBODY : byte_0[3])
  }
}

proctype reclaimer()
{
  bool linked;
  linked = lck[1] || entry == 1;
  if
  :: linked ->
     if
     :: atomic { byte_0[1] == NOBODY -> byte_0[1] = RECLAIMER }
        atomic { entry = (entry == 1 -> 0 : entry); lck[1] = false;
          parts[1] = false; byte_0[1] = NOBODY }
     :: byte_0[1] != NOBODY
     fi
#ifdef GONE_IS_DEAD
  :: !linked -> parts[1] = false
#else
  :: !linked
#endif
  fi
}

proctype killer()
{
  if
  :: killed_first = true
  :: killed_second = true
  :: skip
  fi
}

active proctype watch()
{
  do
  :: d_step { present == 1 && byte_0[1] == FIRST && !parts[1] ->
       assert (N1_the_living_keep_their_files) }
  :: d_step { third && entry != 3 -> assert (N1_no_fight_for_the_name) }
  :: timeout -> break
  od;
  /* nothing moves any more: the first producer lives, and looked */
  if
  :: d_step { (looked && !ended_first && !killed_second && entry != present
       && (entry == 0 || byte_0[entry] == NOBODY)) ->
       assert (N1_the_name_is_mended) }
  :: else
  fi;
  over = true
}

init {
  atomic {
    lck[1] = true;
    lck[3] = true;
    parts[1] = true;
    byte_0[1] = FIRST;
    byte_0[2] = FIRST;
    byte_0[3] = SECOND;
    run tidier ();
    run first ();
    run second ();
    run reclaimer ();
    run killer ()
  }
}
