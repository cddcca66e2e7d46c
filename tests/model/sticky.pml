/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sticky words and context records: caps, buffers that refer to them, caps
 * again. A record is freed when ring, sticky word and contexts let go of it and
 * nobody pins it. The reader pins a buffer and reads its caps unpinned, or reads
 * the sticky word, also while it holds the same record. lib/datahub/
 * producer-ring.c (free_record, publish_sticky), consumer-read.c (get_context,
 * read_sticky, leases).
 *
 * @covers the sticky words by B2 to B4, ctx, leases, A7 before the sticky word
 * @mutant NO_STICKY_REF | sticky | its record may go while the word leads to it
 * @mutant NO_CTX_REF | ctx | a context may go while a record refers to it
 * @mutant CTX_LET_GO_AT_A3 | ctx | let go when its record leaves the ring
 * @mutant CTX_FREED_UNSEEN | ctx | freed with its record, its own pins not looked at
 * @mutant STICKY_RELEASE | sticky | the word by a release store
 * @mutant STICKY_LATE | sticky | the word is stored after the next reclaim
 * @mutant STICKY_BEFORE_A7 | sticky | the word is stored before head
 * @mutant NO_SECOND_LOOK | sticky | the reader does not look again
 * @mutant SECOND_LOOK_ACQUIRE | sticky | looks again with acquire
 * @mutant NO_LEASE_COUNT | leases | the end of one lease unpins the other
 * @mutant CAPS_REFER_TO_CAPS | ctx | caps keep the caps before them
 * @mutant A5_ACQUIRE | A5 | pins loaded with acquire (no rows_hwm here)
 */
#define RING 2
#define RECORDS 3
#define COMMITS 6 /* even: caps, odd: a buffer */
#define PROCS 2 /* 0 producer, 1 reader */
#define DEPTH 2
#define HEAD 0
#define STICKY 1
#define PINS 2
#define WORD(s) (3 + (s) % RING)
#define DATA(r) (5 + (r))
#define CTX(r) (8 + (r))
#define WORDS 11
#include "memory.pml"

#define NONE 3
#define PACK(s, r) ((s) * 4 + (r))
#define SEQUENCE(w) ((w) / 4)
#define RECORD(w) ((w) % 4)
#define IS_CAPS(s) ((s) % 2 == 0)

#ifdef SECOND_LOOK_ACQUIRE
#define AGAIN_ORDER RELEASE
#else
#define AGAIN_ORDER SEQ
#endif
#ifdef A5_ACQUIRE
#define A5_ORDER RELEASE
#else
#define A5_ORDER SEQ
#endif
#ifdef STICKY_RELEASE
#define STICKY_ORDER RELEASE
#else
#define STICKY_ORDER SEQ
#endif

hidden byte I1_record_stays, I1_context_stays, I6_records_come_back,
    I13_uncommitted_is_invisible;

byte refs[RECORDS], ctx[RECORDS + 1]; /* the producer's own */
byte limbo, free = 7;

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
  store (0, SEQ, WORD (tail), PACK (tail, NONE)); /* A3 */
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
  load (0, A5_ORDER, PINS, busy); /* A5 */
  d_step {
    release (0); release (1); release (2);
    release (0); release (1); release (2)
  }
#ifdef STICKY_LATE
  if
  :: pending -> store (0, SEQ, STICKY, pending - 1); pending = 0
  :: else
  fi
#endif
}

inline make_room()
{
  do
  :: head - tail == RING -> retire ()
  :: head - tail < RING && free == 0 ->
     reclaim ();
     if
     :: free == 0 && tail < head -> retire ()
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
    r = (free & 1 -> 0 : (free & 2 -> 1 : 2));
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

inline publish_sticky()
{
#ifdef STICKY_LATE
  pending = PACK (head, r) + 1
#else
  store (0, STICKY_ORDER, STICKY, PACK (head, r))
#endif
}

proctype producer()
{
  byte head, tail, r, old, busy, own[RING], pending;
  byte sticky = NONE;
  do
  :: head < COMMITS ->
     make_room ();
     fill ();
     mem[WORD (head)] = PACK (head, r); /* A6 */
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
        old = 0;
#ifdef STICKY_BEFORE_A7
        publish_sticky ();
        IS_SEEN (0);
        mem[HEAD] = head + 1
#else
        mem[HEAD] = head + 1; /* A7 */
        publish_sticky ()
#endif
     :: else -> mem[HEAD] = head + 1
     fi;
     /* A8 steps wake only for sleepers: no barrier to count on here */
     atomic { head++; r = 0 };
     if
     :: limbo -> reclaim (); busy = 0 /* for a slot, without a retire before */
     :: skip
     fi
  :: else -> break
  od
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
    run reader ()
  }
}
