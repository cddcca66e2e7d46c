/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a dead producer left, and who takes care of it: two doctors, of whom one was
 * asked to close the block, and a successor that adopts or replaces it. Pool 1 is in
 * the table, with the newest record in it, unless somebody wrote over the table;
 * pool 2 is a stray; the successor adds pool 3 and lets pool 1 go. Two deaths at any
 * step, of whoever. lib/core/doctor/repair.c (repair_producers_part, remove_stray_pools,
 * close_block), block-names.c (block_close_for_the_dead), producer-adopt.c.
 *
 * All words here are seq_cst, and kernel locks order the rest: no buffers.
 * @covers bytes 0 and 1, the pool table and its files, the state, the entry
 * @mutant BYTE_0_TESTED | byte 0, P4 | the producer is dead at a look; then strays go
 * @mutant TABLE_BEFORE_BYTE_0 | byte 0, P4 | the table is read before byte 0 is taken
 * @mutant NOT_REFERRED | P4 | what records refer to is not kept, only what the table names
 * @mutant CLOSES_UNLOCKED | byte 0, D7 | closed after byte 0 is let go
 * @mutant CLOSES_THE_NAME | N1 | closes whatever block has the name, without a look at the
 *   entry
 * @equivalent ENTRY_NOT_LOOKED_AT | N1 | whether the entry still leads to this block is
 *   not looked at | one that was replaced is closed already, and the uuid is compared
 * @equivalent UUID_NOT_COMPARED | N1 | the block that has the name is closed | the entry
 *   leads here, and nobody else changes that while byte 0 is held
 */
/* Descriptions of the lock file. */
#define NOBODY 0
#define DOCTOR(i) (1 + i)
#define PRODUCER 3

byte byte_1;
byte repairing; /* doctors that are at it */

inline begin_repair(i)
{
  atomic { byte_1 == NOBODY -> byte_1 = DOCTOR (i); repairing++; counted = true }
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
