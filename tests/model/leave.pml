/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who removes the files of a block that its producer left linked because a
 * consumer had not opened its newest pool: the last one to leave. lib/core/:
 * consumer-end.c (remove_if_last), block-names.c (block_reclaim_dead), producer-close.c
 * (unlink_names, producer_free).
 *
 * As it is: two consumers and the producer leave in any order, and at once.
 * @covers byte 0 and the rows' bytes at the end of a block
 * @mutant CONSUMERS_LOOK_ONCE | leave | who found byte 0 taken or a row held does
 *   not look again after he let go
 * @mutant PRODUCER_DOES_NOT_LOOK | close | the producer trusts the last consumer,
 *   that may find byte 0 still held
 * @mutant ROWS_BEFORE_BYTE_0 | reclaim | rows are looked at before byte 0 is taken
 * @mutant OWN_ROW_HELD | leave | looks before its own row is free
 */
#define NOBODY 0
#define PRODUCER 3

hidden byte N1_nothing_is_left, N1_the_living_keep_their_files;

bool linked = true;
bool row[2]; /* held */
byte byte_0 = PRODUCER;

inline reclaim(who)
{
  do
  :: true ->
#ifdef ROWS_BEFORE_BYTE_0
     free = !row[0];
     free = free && !row[1];
#endif
     if
     :: atomic { byte_0 == NOBODY -> byte_0 = who };
#ifndef ROWS_BEFORE_BYTE_0
        free = !row[0];
        free = free && !row[1];
#endif
        if
        :: free ->
           assert (N1_the_living_keep_their_files || (!row[0] && !row[1]));
           linked = false
        :: else
        fi;
        byte_0 = NOBODY
     :: byte_0 != NOBODY
     fi;
#ifdef CONSUMERS_LOOK_ONCE
     break
#else
     /* is_dead(): three looks */
     if
     :: !linked || byte_0 != NOBODY -> break
     :: else
     fi;
     if
     :: row[0] -> break
     :: else
     fi;
     if
     :: row[1] -> break
     :: else
     fi
#endif
  od;
  free = false
}

proctype consumer(byte i)
{
  bool free;
#ifdef ROWS_BEFORE_BYTE_0
  /* one that claims its row late */
  if
  :: i == 1 -> row[1] = true
  :: else
  fi;
#endif
#ifdef OWN_ROW_HELD
  reclaim (1 + i);
  row[i] = false
#else
  row[i] = false;
  reclaim (1 + i)
#endif
}

proctype producer()
{
  bool free;
  byte_0 = NOBODY;
#ifndef PRODUCER_DOES_NOT_LOOK
  reclaim (PRODUCER)
#endif
}

proctype watch()
{
  timeout -> assert (N1_nothing_is_left || !linked)
}

init {
  atomic {
    row[0] = true;
#ifndef ROWS_BEFORE_BYTE_0
    row[1] = true;
#endif
    run consumer (0);
    run consumer (1);
    run producer ();
    run watch ()
  }
}
