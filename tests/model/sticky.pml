/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sticky words and context records: caps, buffers that refer to them, caps
 * again. A record is freed when ring, sticky word and contexts let go of it and
 * nobody pins it. The reader pins a buffer and reads its caps unpinned, or reads
 * the sticky word, also while it holds the same record. lib/core/:
 * producer-ring.c (free_record), producer-show.c (ring_publish_sticky),
 * consumer-view.c (get_context, read_sticky), consumer-lease.c, producer-inherit.c
 * (judge_sticky, count_contexts).
 *
 * @covers the sticky words by B2 to B4, ctx, leases, A7 before the sticky word
 * @also ADOPT | the producer is killed at any step, the block adopted
 * @mutant NO_STICKY_REF | sticky | its record may go while the word leads to it
 * @mutant NO_CTX_REF | ctx | a context may go while a record refers to it
 * @mutant CTX_LET_GO_AT_A3 | ctx | let go when its record leaves the ring
 * @mutant CTX_FREED_UNSEEN | ctx | freed with its record, its own pins not looked at
 * @equivalent STICKY_RELEASE | sticky | the word by a release store | A10 comes before
 *   the next scan
 * @mutant STICKY_LATE | sticky | the word is stored after the next reclaim
 * @mutant STICKY_BEFORE_A7 | sticky | the word is stored before head
 * @mutant NO_SECOND_LOOK | sticky | the reader does not look again
 * @mutant SECOND_LOOK_ACQUIRE | sticky | looks again with acquire
 * @mutant NO_LEASE_COUNT | leases | the end of one lease unpins the other
 * @mutant CAPS_REFER_TO_CAPS | ctx | caps keep the caps before them
 * @mutant CTX_OF_KEPT | D1 | contexts count that kept records refer to, no others
 * @mutant NO_C2 | C2 | the word stays behind the ring
 * @equivalent C2_RELEASE | C2 | stored with release | A10 comes before the adopter's
 *   first scan
 * @mutant C2_LATE | C2 | stored after the first reclaim
 * @mutant NO_FOLLOW | C2 | a word that was not stored in time is taken as it is
 * @mutant NO_A10 | A10 | no fence between the retirements and the scan
 * @equivalent ANY_CTX | C2 | what leftover records refer to counts, whatever is there
 *   now | the first reclaim frees them; a circle takes a damaged block
 */
#if defined (CTX_OF_KEPT) || defined (NO_C2) || defined (C2_RELEASE) \
  || defined (C2_LATE) || defined (NO_FOLLOW) || defined (SHOWN_NOT_KEPT) \
  || defined (ANY_CTX)
#define ADOPT
#endif
#define RING 2
#ifdef ADOPT
#define RECORDS 4
#define COMMITS 6
#define KILLS 1
#else
#define RECORDS 3
#define COMMITS 6 /* even: caps, odd: a buffer */
#endif
#define PROCS 2 /* 0 producer, 1 reader */
#define DEPTH 2
#define HEAD 0
#define STICKY 1
#define PINS 2
#define WORD(s) (3 + (s) % RING)
#define DATA(r) (5 + (r))
#define CTX(r) (5 + RECORDS + (r))
#define WORDS (5 + 2 * RECORDS)
#include "memory.pml"

#define NONE 7
#define PACK(s, r) ((s) * 8 + (r))
#define SEQUENCE(w) ((w) / 8)
#define RECORD(w) ((w) % 8)
#define IS_CAPS(s) ((s) % 2 == 0)

#ifdef SECOND_LOOK_ACQUIRE
#define AGAIN_ORDER RELEASE
#else
#define AGAIN_ORDER SEQ
#endif
#ifdef STICKY_RELEASE
#define STICKY_ORDER RELEASE
#else
#define STICKY_ORDER SEQ
#endif

hidden byte S7_context_in_force, I14_judged_whole, I1_record_stays, I1_context_stays, I6_records_come_back,
    I13_uncommitted_is_invisible;

byte refs[RECORDS], ctx[RECORDS]; /* the producer's own */
byte limbo, free = (1 << RECORDS) - 1;
byte own[RING], tail, sticky = NONE, shown = NONE;
bool held_back;

inline unref(record)
{
  d_step {
    refs[record]--;
    limbo = (refs[record] == 0 -> (limbo | (1 << record)) : limbo)
  }
}

inline retire()
{
  old = RECORD (own[tail % RING]);
  store (0, RELEASE, WORD (tail), PACK (tail, NONE)); /* A3 */
#ifdef CTX_LET_GO_AT_A3
  if
  :: ctx[old] != NONE -> unref (ctx[old]); ctx[old] = NONE
  :: else
  fi;
#endif
  unref (old);
  atomic { tail++; old = 0 }
}

/* Records that a freed one referred to are judged by the same scan. */
inline release(record)
{
  if
  :: (limbo >> record) & 1 && !((busy >> record) & 1) ->
     limbo = limbo & ~(1 << record);
     free = free | (1 << record);
     if
     :: ctx[record] != NONE ->
#ifdef CTX_FREED_UNSEEN
        refs[ctx[record]]--;
        free = (refs[ctx[record]] == 0 -> (free | (1 << ctx[record])) : free);
#else
        refs[ctx[record]]--;
        limbo = (refs[ctx[record]] == 0 -> (limbo | (1 << ctx[record])) : limbo);
#endif
        ctx[record] = NONE
     :: else
     fi
  :: else
  fi
}

inline reclaim()
{
#ifndef NO_A10
  fence (0); /* A10 */
#endif
  load (0, RELEASE, PINS, busy); /* A5 */
  d_step {
#ifdef ADOPT
    release (0); release (1); release (2); release (3);
#endif
    release (0); release (1); release (2);
#ifdef ADOPT
    release (3);
#endif
    release (0); release (1); release (2)
  }
#ifdef STICKY_LATE
  if
  :: pending -> store (0, SEQ, STICKY, pending - 1); pending = 0
  :: else
  fi
#endif
}

/* What is held back is shown before it would have to go unseen. */
inline may_retire()
{
#ifdef ADOPT
  if
  :: held_back && tail == mem[HEAD] -> held_back = false; publish ()
  :: else
  fi
#else
  skip
#endif
}

inline make_room()
{
  do
  :: head - tail == RING -> may_retire (); retire ()
  :: head - tail < RING && free == 0 ->
     reclaim ();
     if
     :: free == 0 && tail < head -> may_retire (); retire ()
     :: free == 0 && tail == head ->
        assert (I6_records_come_back || busy != 0)
     :: else
     fi;
     busy = 0
  :: else -> break
  od
}

inline fill()
{
  d_step {
    r = (free & 1 -> 0 : (free & 2 -> 1 : (free & 4 -> 2 : 3)));
    free = free & ~(1 << r);
    own[head % RING] = PACK (head, r);
    refs[r] = 1;
    ctx[r] = NONE;
    if
#ifdef CAPS_REFER_TO_CAPS
    :: sticky != NONE ->
#else
    :: sticky != NONE && !IS_CAPS (head) ->
#endif
       ctx[r] = sticky;
#ifndef NO_CTX_REF
       refs[sticky]++
#endif
    :: else
    fi
  }
  /* in order, and nothing is loaded between: no buffer is needed */
  atomic { IS_SEEN (0); mem[DATA (r)] = head + 1 }
  mem[CTX (r)] = (ctx[r] != NONE -> PACK (mem[DATA (ctx[r])], ctx[r]) : NONE)
}

/* The word keeps what it shows until it shows another. */
inline publish_sticky()
{
  if
  :: shown != sticky ->
#ifdef STICKY_LATE
     pending = PACK (mem[DATA (sticky)] - 1, sticky) + 1;
#else
     store (0, STICKY_ORDER, STICKY, PACK (mem[DATA (sticky)] - 1, sticky));
#endif
#ifndef NO_STICKY_REF
     refs[sticky]++;
     if
     :: shown != NONE -> unref (shown)
     :: else
     fi;
#endif
     shown = sticky
  :: else
  fi
}

/* A7, then the word. */
inline publish()
{
#ifdef STICKY_BEFORE_A7
  publish_sticky ();
  IS_SEEN (0);
  mem[HEAD] = head
#else
  d_step { IS_SEEN (0); mem[HEAD] = head }
  publish_sticky ()
#endif
}

inline commit()
{
  make_room ();
  fill ();
  d_step { IS_SEEN (0); mem[WORD (head)] = PACK (head, r) } /* A6 */
  if
  :: IS_CAPS (head) ->
     old = sticky;
     sticky = r;
#ifndef NO_STICKY_REF
     refs[r]++;
     if
     :: old != NONE -> unref (old)
     :: else
     fi;
#endif
     old = 0
  :: else
  fi;
  atomic { head++; r = 0 }
  if
#ifdef ADOPT
  :: held_back
#endif
  :: true -> held_back = false; publish ()
  fi;
  /* A8 steps wake only for sleepers: no barrier to count on here */
  if
  :: limbo -> reclaim (); busy = 0 /* for a slot, without a retire before */
  :: true
  fi
}

#ifdef ADOPT
bool killed;
byte kills = KILLS;

#define KEPT(i) (RECORD (mem[WORD (i)]) < RECORDS \
  && SEQUENCE (mem[WORD (i)]) < head && head - SEQUENCE (mem[WORD (i)]) <= RING \
  && mem[DATA (RECORD (mem[WORD (i)]))] == SEQUENCE (mem[WORD (i)]) + 1)

inline keep(i)
{
  own[i] = NONE;
  if
  :: KEPT (i) -> own[i] = mem[WORD (i)];
     refs[RECORD (own[i])]++;
     tail = (SEQUENCE (own[i]) < tail -> SEQUENCE (own[i]) : tail)
  :: else
  fi
}

/* What the record refers to counts where it is still what the record says. */
#ifdef ANY_CTX
#define MAKES_SENSE(record) true
#else
#define MAKES_SENSE(record) (mem[DATA (RECORD (old))] == SEQUENCE (old) \
  && SEQUENCE (old) < mem[DATA (record)])
#endif
#ifdef CTX_OF_KEPT
#define COUNTS(record) (refs[record] > 0)
#else
#define COUNTS(record) (mem[DATA (record)] != 0)
#endif
inline count_ctx(record)
{
  old = mem[CTX (record)];
  ctx[record] = NONE;
  if
  :: COUNTS (record) && RECORD (old) < RECORDS && MAKES_SENSE (record) ->
     ctx[record] = RECORD (old);
     refs[RECORD (old)]++
  :: else
  fi;
  old = 0
}

/* A caps record in the ring, newer than the word: published, the word not. */
#define IS_NEWER(w) (w != NONE && IS_CAPS (SEQUENCE (w)) \
  && (sticky == NONE || SEQUENCE (w) + 1 >= mem[DATA (sticky)]))
inline follow(i)
{
#ifndef NO_FOLLOW
  if
  :: IS_NEWER (own[i]) -> sticky = RECORD (own[i])
  :: else
  fi
#else
  skip
#endif
}

inline settle(record)
{
  limbo = (refs[record] == 0 -> (limbo | (1 << record)) : limbo)
}

#define IS_WRONG(w) (sticky != NONE && (SEQUENCE (w) >= head \
  || mem[DATA (sticky)] != SEQUENCE (w) + 1))

/* With nobody else to write what is judged. */
inline judge()
{
  d_step {
    refs[0] = 0; refs[1] = 0; refs[2] = 0; refs[3] = 0;
    limbo = 0; free = 0;
    head = mem[HEAD]; tail = head;
    keep (0); keep (1);
    sticky = RECORD (mem[STICKY]);
    if
    :: IS_WRONG (mem[STICKY]) -> sticky = NONE
    :: else
    fi;
    follow (0); follow (1);
#ifdef SHOWN_NOT_KEPT
    refs[sticky] = (sticky != NONE -> refs[sticky] + 1 : 0);
#else
    if
    :: sticky != NONE -> refs[sticky] = refs[sticky] + 2
    :: else
    fi;
#endif
    count_ctx (0); count_ctx (1); count_ctx (2); count_ctx (3);
    settle (0); settle (1); settle (2); settle (3);
    shown = sticky;
    held_back = true
  }
}

#ifdef C2_RELEASE
#define C2_ORDER RELEASE
#else
#define C2_ORDER SEQ
#endif

inline c2()
{
#ifndef NO_C2
  if
  :: sticky != NONE && mem[STICKY] != PACK (mem[DATA (sticky)] - 1, sticky) ->
     store (0, C2_ORDER, STICKY, PACK (mem[DATA (sticky)] - 1, sticky)) /* C2 */
  :: else
  fi
#else
  skip
#endif
}

inline drop_word(i)
{
  if
  :: own[i] == NONE && RECORD (mem[WORD (i)]) != NONE ->
     d_step { IS_SEEN (0); mem[WORD (i)] = NONE } /* C1 */
  :: else
  fi
}

inline adopt()
{
  judge ();
  drop_word (0);
  drop_word (1);
#ifdef C2_LATE
  reclaim ();
  c2 ()
#else
  c2 ();
  reclaim ()
#endif
  ; busy = 0
}

proctype killer()
{
  do
  :: kills > 0 && !killed -> atomic { kills--; killed = true }
  :: break
  od
}
#endif

proctype producer()
{
  byte head, r, old, busy, pending;
#ifdef ADOPT
  bool heir;
  do
  :: true ->
     {
       if
       :: heir -> adopt ()
       :: else
       fi;
       do
       :: head < COMMITS -> commit ()
       :: else -> break
       od;
       if
       :: held_back -> held_back = false; publish ()
       :: else
       fi;
       goto over
     } unless { killed };
     atomic { IS_SEEN (0); killed = false; heir = true; r = 0; old = 0; busy = 0 }
  od;
over:
  skip
#else
  do
  :: head < COMMITS -> commit ()
  :: else -> break
  od
#endif
}

inline pin(record)
{
  if
  :: leases[record] == 0 -> put (1, SEQ, OR, PINS, 1 << record)
  :: else
  fi;
  leases[record]++
}

inline unpin(record)
{
  leases[record]--;
#ifdef NO_LEASE_COUNT
  atomic { IS_SEEN (1); mem[PINS] = mem[PINS] & ~(1 << record) }
#else
  if
  :: leases[record] == 0 ->
     atomic { IS_SEEN (1); mem[PINS] = mem[PINS] & ~(1 << record) }
  :: else
  fi
#endif
}

inline look(place_of, word)
{
#ifdef NO_SECOND_LOOK
  same = true
#else
  atomic { load (1, AGAIN_ORDER, place_of, again); same = (again == word);
    again = 0 }
#endif
}

inline read_sticky()
{
  load (1, RELEASE, STICKY, w);
  if
  :: RECORD (w) != NONE ->
     pin (RECORD (w));
     look (STICKY, w);
     if
     :: same ->
        assert (I13_uncommitted_is_invisible || mem[HEAD] > SEQUENCE (w));
        assert (I1_record_stays || mem[DATA (RECORD (w))] == SEQUENCE (w) + 1);
        assert (I1_record_stays || mem[DATA (RECORD (w))] == SEQUENCE (w) + 1)
     :: else
     fi;
     unpin (RECORD (w))
  :: else
  fi;
  atomic { w = 0; same = 0 }
}

inline check_held()
{
  assert (I1_record_stays || mem[DATA (RECORD (held))] == SEQUENCE (held) + 1);
  if
  :: mem[CTX (RECORD (held))] != NONE ->
     c = mem[CTX (RECORD (held))];
     assert (I1_context_stays || mem[DATA (RECORD (c))] == SEQUENCE (c));
     assert (S7_context_in_force || SEQUENCE (c) == SEQUENCE (held));
     c = 0
  :: else
  fi
}

inline read_ring()
{
  atomic { load (1, RELEASE, HEAD, w); have = (w > cursor); w = 0 }
  if
  :: have ->
     load (1, RELEASE, WORD (cursor), held);
     if
     :: SEQUENCE (held) == cursor && RECORD (held) != NONE ->
        pin (RECORD (held));
        look (WORD (cursor), held);
        if
        :: same ->
           same = false;
           check_held ();
           if
           :: read_sticky ()
           :: skip
           fi;
           check_held ()
        :: else
        fi;
        unpin (RECORD (held))
     :: else
     fi;
     atomic { cursor++; held = 0; have = 0; same = 0 }
  :: else
  fi
}

proctype reader()
{
  byte cursor, w, held, again, c, leases[RECORDS];
  bool have, same;
  do
  :: cursor < COMMITS -> read_ring ()
  :: cursor == 0 -> read_sticky (); cursor = 1
  :: cursor < COMMITS -> cursor++ /* lapped or not interested */
  :: break
  od
}

MEMORY (DRAIN (0) DRAIN (1))

init {
  atomic {
    mem[STICKY] = NONE;
    mem[WORD (0)] = NONE;
    mem[WORD (1)] = NONE;
    run producer ();
#ifdef ADOPT
    run killer ();
#endif
    run reader ()
  }
}
