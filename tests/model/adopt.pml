/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adoption: the producer is killed at any step, and so is whoever goes on with
 * its block; a reader that stays attached holds a record from one life into the
 * next. Payloads may be shared by two records; what an adopter commits is held
 * back until it publishes. lib/core/producer/producer-adopt.c, producer-inherit.c,
 * producer-ring.c, producer-commit.c, producer-show.c.
 *
 * Other models have the rest of it: gate (C4, joiners), sticky (C2, contexts),
 * wake (C8, sleepers), pool (C9, pools), name (C0, candidates), lock (C7).
 * @covers C1 C3 C10 C11, D1, D2, A3 A10 A5 A6 A7 by an adopter
 * @also READER_DIES | one death each of the producer and of the reader, whose row
 *   is cleaned and taken again
 * @also PACK | two payloads a slot, committed in any order; one death
 * @mutant KEPT_ALONE | D1 | slots of kept records count, those of others are free
 * @mutant NO_LIMBO | C10 | records that are not kept are free without a scan
 * @mutant SLOTS_LATE | D1 | slots are counted after the first commit
 * @mutant KEEPS_HEAD | D2 | a word at head is kept
 * @mutant UNDERFLOW | D2 | a word is kept from head - R on, without a sign
 * @mutant ZERO_RING | D2 | a ring of zeros, judged without the word's place
 * @mutant SHOWN_AT_ONCE | C11 | head is stored before the words it covers
 * @mutant RETIRES_UNSEEN | C11 | what is held back may be retired
 * @mutant TAIL_EARLY | A3 | tail is stored before the word
 * @mutant NO_C3 | C3 | tail stays what the dead one stored
 * @mutant RESTARTS | C3 | the adopter begins with an empty ring at head
 * @mutant APPENDS | pack | appends to a slot it did not fill itself
 * @equivalent NO_C1 | C1 | words of what was never committed stay | nobody follows
 *   a word at or above head, and A6 stores each anew before A7
 * @equivalent ANY_RECORD | D2 | the record's own sequence is not compared | a word
 *   below head was stored whole; the look is for damaged blocks
 */
#ifdef APPENDS
#define PACK
#endif
#define RING 2
#define RECORDS 3
#define SLOTS 2
#if defined (PACK)
#define KILLS 1
#define COMMITS 4
#elif defined (READER_DIES)
#define KILLS 1
#define COMMITS 5
#else
#define KILLS 2
#define COMMITS 5
#endif

#define PROCS 1 /* the producer; what readers store is seen at once here */
#define DEPTH 1
#define WORD(s) ((s) % RING)
#define PINS 2
#define WORDS 3
#include "memory.pml"

#define NONE 7
#define PACKED(s, r) ((s) * 8 + (r))
#define SEQUENCE(w) ((w) / 8)
#define RECORD(w) ((w) % 8)

hidden byte I1_no_overwrite, I3_complete, I4_only_the_lapped_skip,
    I6_everything_comes_back, I14_judged_whole;

byte head, tail; /* as stored */
byte seq[RECORDS], slot[RECORDS], payload[RECORDS]; /* of records; 15: never */
#ifdef PACK
byte half[RECORDS];
#define BYTES(s, h) bytes[(s) * 2 + (h)]
byte bytes[SLOTS * 2];
#else
#define BYTES(s, h) bytes[s]
byte bytes[SLOTS];
#endif
byte retired; /* sequences below are; what the test knows */
bool killed, locked, reader_killed, reader_done;
byte kills = KILLS;

/* The private memory of a producer. */
byte own_head, own_tail, refs[SLOTS], limbo, free, counted;
bool held_back;

inline free_one(r)
{
  if
  :: (limbo & ~busy) >> r & 1 ->
     free = free | (1 << r);
     if
     :: counted >> r & 1 -> refs[slot[r]]--; counted = counted & ~(1 << r)
     :: else
     fi
  :: else
  fi
}

inline reclaim()
{
  fence (0); /* A10 */
  load (0, RELEASE, PINS, busy); /* A5 */
  d_step {
    free_one (0); free_one (1); free_one (2);
    limbo = limbo & busy;
    busy = 0
  }
}

inline retire()
{
#ifdef TAIL_EARLY
  IS_SEEN (0) -> tail = own_tail + 1;
#endif
  d_step {
    w = RECORD (mem[WORD (own_tail)]);
    limbo = limbo | (1 << w);
    w = 0;
    retired = own_tail + 1
  }
  store (0, RELEASE, WORD (own_tail), PACKED (own_tail, NONE)); /* A3 */
  own_tail++;
#ifndef TAIL_EARLY
  d_step { IS_SEEN (0); tail = own_tail }
#endif
}

/* C11, or A7 of one who holds nothing back. */
inline publish()
{
  d_step { IS_SEEN (0); head = own_head }
}

/* Shows what was held back before it would have to go unseen. */
inline may_retire()
{
#ifndef RETIRES_UNSEEN
  if
  :: held_back && own_tail == head -> held_back = false; publish ()
  :: else
  fi
#else
  skip
#endif
}

#define SLOT_FREE(s) (refs[s] == 0)
#define A_SLOT (SLOT_FREE (0) -> 0 : 1)
#define NO_SLOT (refs[0] && refs[1])

/* More room: what limbo holds; else the oldest, down to none here. */
inline make_room()
{
  if
  :: limbo -> reclaim ()
  :: else
  fi;
  if
  :: (NO_SLOT || !free) && own_tail < own_head -> may_retire (); retire ()
  :: else
  fi
}

/* Where the payload goes. */
inline acquire()
{
  do
  :: NO_SLOT -> make_room ()
  :: else -> break
  od;
  atomic {
    at = A_SLOT;
    refs[at]++;
    word = own_head + 1
  }
}

#ifdef PACK
/* A slot has two halves; loans are committed in any order, so either may be
 * first. What a restarted producer finds half full it leaves. */
inline acquire_half()
{
  if
  :: pack < SLOTS -> atomic { at = pack; pack = SLOTS; h = 1 - pack_half }
  :: else ->
     acquire ();
     if
     :: h = 0
     :: h = 1
     fi;
     atomic { pack = at; pack_half = h; refs[at]++ }
  fi;
  word = own_head + 1;
  BYTES (at, h) = word /* upstream fills it */
}
#endif

inline take_record()
{
  do
  :: own_head + 1 - own_tail > RING -> may_retire (); retire ()
  :: own_head + 1 - own_tail <= RING && !free -> make_room ()
  :: else -> break
  od;
  atomic {
    r = (free & 1 -> 0 : (free & 2 -> 1 : 2));
    free = free & ~(1 << r)
  }
}

inline fill()
{
  seq[r] = own_head;
  slot[r] = at;
#ifdef PACK
  half[r] = h;
#endif
  payload[r] = word;
  counted = counted | (1 << r) /* the loan's reference becomes its */
}

inline commit()
{
#ifdef PACK
  acquire_half ();
#else
  if
  :: own_tail < own_head -> /* the same payload again */
     d_step {
       at = slot[RECORD (mem[WORD (own_head - 1)])];
       word = payload[RECORD (mem[WORD (own_head - 1)])];
       refs[at]++
     }
  :: acquire ();
     BYTES (at, 0) = word /* upstream fills it */
  fi;
#endif
#ifdef SHOWN_AT_ONCE
  if
  :: held_back -> held_back = false; own_head++; publish (); own_head--
  :: else
  fi;
#endif
  take_record ();
  fill ();
  d_step { IS_SEEN (0); mem[WORD (own_head)] = PACKED (own_head, r) } /* A6 */
  own_head++;
  if
  :: held_back -> skip
  :: true -> held_back = false; publish () /* A7 */
  fi;
  atomic { at = 0; word = 0; r = 0;
#ifdef PACK
    h = 0;
#endif
  }
}

/* D2 */
#ifdef KEEPS_HEAD
#define BELOW_HEAD(w) (SEQUENCE (w) <= head)
#else
#define BELOW_HEAD(w) (SEQUENCE (w) < head)
#endif
#ifdef UNDERFLOW
#define IN_REACH(w) (head >= RING && head - SEQUENCE (w) <= RING)
#else
#define IN_REACH(w) (head - SEQUENCE (w) <= RING)
#endif
#ifdef ZERO_RING
#define IN_PLACE(w, i) true
#else
#define IN_PLACE(w, i) (SEQUENCE (w) % RING == i)
#endif
#ifdef ANY_RECORD
#define IS_ITS(w) true
#else
#define IS_ITS(w) (seq[RECORD (w)] == SEQUENCE (w))
#endif
#define KEPT(i) (RECORD (mem[i]) < RECORDS && BELOW_HEAD (mem[i]) \
  && IN_REACH (mem[i]) && IN_PLACE (mem[i], i) && IS_ITS (mem[i]))

#ifdef KEPT_ALONE
#define COUNTS(r) (seq[r] != 15 && !(limbo >> r & 1))
#else
#define COUNTS(r) (seq[r] != 15)
#endif

inline count_one(r)
{
  if
  :: COUNTS (r) -> refs[slot[r]]++; counted = counted | (1 << r)
  :: else
  fi
}

inline count_slots()
{
  count_one (0); count_one (1); count_one (2)
}

/* Nobody else writes what is judged. */
inline judge()
{
  d_step {
    refs[0] = 0; refs[1] = 0;
    free = 0; counted = 0; limbo = (1 << RECORDS) - 1;
    own_head = head; own_tail = head;
    if
    :: KEPT (0) -> limbo = limbo & ~(1 << RECORD (mem[0])); w++;
       own_tail = (SEQUENCE (mem[0]) < own_tail -> SEQUENCE (mem[0]) : own_tail)
    :: else
    fi;
    if
    :: KEPT (1) -> limbo = limbo & ~(1 << RECORD (mem[1])); w++;
       own_tail = (SEQUENCE (mem[1]) < own_tail -> SEQUENCE (mem[1]) : own_tail)
    :: else
    fi;
#ifdef RESTARTS
    own_tail = head; limbo = (1 << RECORDS) - 1; w = 0;
#endif
    assert (I14_judged_whole || (own_head - own_tail == w && own_tail >= tail
      && own_tail - tail <= 1));
    w = 0;
#ifndef SLOTS_LATE
    count_slots ();
#endif
    held_back = true
  }
#ifdef NO_LIMBO
  d_step { busy = 0;
    free_one (0); free_one (1); free_one (2); limbo = 0 }
#endif
}

inline drop_word(i)
{
  if
  :: RECORD (mem[i]) != NONE && SEQUENCE (mem[i]) >= own_head ->
     store (0, SEQ, i, PACKED (0, NONE)) /* C1 */
#ifdef RESTARTS
  :: RECORD (mem[i]) != NONE && SEQUENCE (mem[i]) < own_head ->
     store (0, SEQ, i, PACKED (0, NONE))
#endif
  :: else
  fi
}

inline adopt()
{
  judge ();
#ifndef NO_C1
  drop_word (0);
  drop_word (1);
#endif
#ifdef APPENDS
  if
  :: own_tail < own_head ->
     d_step { w = RECORD (mem[WORD (own_head - 1)]); pack = slot[w];
       pack_half = half[w]; refs[pack]++; w = 0 }
  :: else
  fi;
#endif
#ifndef NO_C3
  d_step { IS_SEEN (0); tail = own_tail }; /* C3 */
#endif
  reclaim () /* C10 */
}

proctype producer()
{
  byte r, w, at, word, busy;
  bool heir;
#ifdef PACK
  byte h, pack = SLOTS, pack_half;
#endif
  do
  :: true ->
     {
       if
       :: heir -> adopt ()
       :: else
       fi;
       do
       :: own_head < COMMITS -> commit ()
#ifdef SLOTS_LATE
          ; if
          :: heir -> heir = false; count_slots ()
          :: else
          fi
#endif
       :: own_head == COMMITS -> break
       od;
       if
       :: held_back -> held_back = false; publish () /* C11 */
       :: else
       fi;
       reader_done && !mem[PINS];
       do
       :: own_tail < own_head -> retire ()
       :: else -> break
       od;
       reclaim ();
       #ifdef PACK
       if
       :: pack < SLOTS -> refs[pack]--
       :: else
       fi;
#endif
       assert (I6_everything_comes_back || (free == (1 << RECORDS) - 1
         && refs[0] + refs[1] == 0))
     } unless { killed };
     if
     :: killed ->
        /* byte 0 is free when all it stored is seen; its memory is gone */
        atomic { IS_SEEN (0); killed = false; heir = true; held_back = false;
          r = 0; w = 0; at = 0; word = 0; busy = 0;
#ifdef PACK
          h = 0; pack = SLOTS;
#endif
        }
     :: else -> break
     fi
  od
}

proctype killer()
{
  do
  :: kills > 0 && !killed -> atomic { kills--; killed = true }
  :: break
  od
}

inline look_at_payload()
{
  d_step {
    assert (I3_complete || seq[r] == cursor);
#ifdef PACK
    assert (I1_no_overwrite || BYTES (slot[r], half[r]) == payload[r]);
#else
    assert (I1_no_overwrite || BYTES (slot[r], 0) == payload[r]);
#endif
    assert (I3_complete || payload[r] != 0)
  }
}

inline read_one()
{
  w = mem[WORD (cursor)]; /* B2; head was seen above the cursor */
  if
  :: SEQUENCE (w) != cursor || RECORD (w) == NONE ->
     d_step { assert (I4_only_the_lapped_skip || retired > cursor);
       cursor++ }
  :: else ->
     r = RECORD (w);
     mem[PINS] = mem[PINS] | (1 << r); /* B3 */
     if
     :: mem[WORD (cursor)] == w -> /* B4 */
        look_at_payload ();
        look_at_payload (); /* as much later as it likes */
        cursor++
     :: else
     fi;
     mem[PINS] = mem[PINS] & ~(1 << r) /* B6 */
  fi;
  atomic { w = 0; r = 0 }
}

proctype reader()
{
  byte cursor, w, r;
#ifdef READER_DIES
begin:
  atomic { !locked; locked = true; mem[PINS] = 0 /* cleans */;
    cursor = (head > 0 -> head - 1 : 0) }
#endif
  {
    do
    :: cursor < COMMITS && head > cursor -> read_one () /* B1 */
    :: cursor == COMMITS -> break
    od
  } unless { reader_killed };
#ifdef READER_DIES
  locked = false;
  if
  :: atomic { reader_killed -> reader_killed = false; w = 0; r = 0 }
     goto begin
  :: else
  fi;
#endif
  reader_done = true
}

#ifdef READER_DIES
proctype reader_killer()
{
  if
  :: !reader_done -> reader_killed = true
  :: skip
  fi
}

/* C10, or whoever needs the room. */
proctype reaper()
{
end:
  do
  :: d_step { mem[PINS] && !locked -> mem[PINS] = 0 }
  od
}
#endif

MEMORY (DRAIN (0))

init {
  atomic {
    seq[0] = 15; seq[1] = 15; seq[2] = 15;
#ifdef ZERO_RING
    mem[0] = PACKED (0, 0);
    mem[1] = PACKED (0, 0);
#else
    mem[0] = PACKED (0, NONE);
    mem[1] = PACKED (0, NONE);
#endif
    free = (1 << RECORDS) - 1;
    run producer ();
    run reader ();
#ifdef READER_DIES
    run reader_killer ();
    run reaper ();
#endif
    run killer ()
  }
}
