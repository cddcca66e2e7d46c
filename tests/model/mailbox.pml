/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mailbox of a row: a consumer posts two events, one at a time, and the producer
 * takes them. The consumer is killed at any step; another one takes the row, cleans
 * it and posts two events of its own, or it is a program of an older version that
 * neither cleans nor writes these words. The producer is killed at any step, too;
 * its successor goes on. LIMITS: the caps of a consumer, changed twice, under a
 * reader. lib/core/: consumer-mail.c, producer-mail.c, rows.c (clean_mail).
 *
 * @covers the event and limits words of a row, and their bytes
 * @also LIMITS | the limits instead of the event
 * @mutant WORD_FIRST | E1, E2 | the word is stored before the bytes
 * @mutant E2_RELAXED | E1, E2 | bytes and word by relaxed stores
 * @mutant NO_E4 | E4 | an event is posted over the one before
 * @mutant PLAIN_TAKE | E3 | the word by a store, not a compare-and-swap
 * @mutant TAKE_FIRST | E3 | the mailbox is emptied, then copied
 * @mutant BYTES_EARLY | E5 | the bytes may be loaded before the word
 * @mutant ANY_CLAIM | claim | the claim in the word is not looked at
 * @mutant ID_LAST | id | the incarnation is loaded after the claim
 * @mutant NO_STATE | id | the state is not looked at
 * @mutant NO_M1 | M1 | the word is not made odd before the bytes change
 * @mutant M2_RELAXED | M1, M2 | bytes by relaxed stores
 * @mutant M3_RELAXED | M2, M3 | bytes and the even word by relaxed stores
 * @mutant NO_M6 | M6 | no second look
 * @mutant M6_EARLY | M5, M6 | the second look may come before the bytes
 * @mutant M5_EARLY | M4, M5 | the bytes may be loaded before the first look
 * @mutant ODD_IS_GOOD | M4 | an odd word is taken for limits
 * @equivalent E2_RELEASE | E2 | the word by a release store | nothing that is loaded
 *   behind it matters: the call that wakes the producer is an RMW of its own
 * @equivalent NO_COUNT | E3 | the words of two events of a consumer are the same | one
 *   producer takes them, so none is replaced between its load and E3
 * @argued WRAPPED | claim | 65536 owners or 2^36 events later a word is the same |
 *   in the time between a load and a compare-and-swap of one producer
 */
#if defined (NO_M1) || defined (M2_RELAXED) || defined (M3_RELAXED) \
  || defined (NO_M6) || defined (M6_EARLY) || defined (M5_EARLY) \
  || defined (ODD_IS_GOOD)
#define LIMITS
#endif
#define PROCS 3 /* the owners of the row, one after another; the producer */
#define PRODUCER 2
#define DEPTH 3
#define WORD 0
#define CLAIM 1
#define BYTE_0 2
#define BYTE_1 3
#define INCARNATION 4
#define STATE 5
#define WORDS 6
#include "memory.pml"

/* claim, count; of the event: full, of the limits: odd */
#define VALUE(claim, count) ((claim) * 4 + (count))
#define PACK(v, bit) ((v) * 2 + (bit))
#define VALUE_OF(w) ((w) / 2)
#define BIT(w) ((w) & 1)
#define CLAIM_OF(w) ((w) / 8)
#define COUNT_OF(w) (((w) / 2) & 3)
#define ACTIVE 2

#if defined (WORD_FIRST) || defined (E2_RELEASE)
#define POST_ORDER RELEASE
#else
#define POST_ORDER SEQ
#endif
#ifdef E2_RELAXED
#define POST RELAXED
#define BYTES RELAXED
#else
#define POST POST_ORDER
#define BYTES RELEASE
#endif
#if defined (M2_RELAXED) || defined (M3_RELAXED)
#define LIMIT_BYTES RELAXED
#else
#define LIMIT_BYTES RELEASE
#endif
#ifdef M3_RELAXED
#define LIMIT_END RELAXED
#else
#define LIMIT_END SEQ
#endif
#ifdef NO_COUNT
#define COUNTED(v) VALUE (me + 1, 1)
#else
#define COUNTED(v) (v)
#endif

hidden byte I16_whole_or_not_there, I16_of_its_owner, I16_taken_once,
    I16_none_of_a_living_is_lost, I16_the_last_limits_arrive;

bool killed[2]; /* the first owner, the producer */
bool held; /* the row's byte */
bool old; /* the second owner is of an older version */
byte lives = 1; /* owner that posts, 0: neither */
byte got; /* limits that the producer has */
bool delivered[12]; /* by value */

inline put_value(v, how)
{
  store (me, how, BYTE_0, v);
  store (me, how, BYTE_1, v)
}

inline exchange(self, place, what)
{
  d_step { IS_SEEN (self); mem[place] = what }
}

/* ---- the owner ---- */

inline post()
{
#ifndef NO_E4
  do
  :: load (me, SEQ, WORD, w); /* E4 */
     if
     :: w == last && BIT (last) -> mem[WORD] != last
     :: else -> break
     fi
  od;
#endif
  last = PACK (COUNTED (VALUE (me + 1, k)), 1);
#ifdef WORD_FIRST
  store (me, POST, WORD, last);
#endif
  put_value (VALUE (me + 1, k), BYTES) /* E1 */
#ifndef WORD_FIRST
  ; store (me, POST, WORD, last) /* E2 */
#endif
}

inline change_limits()
{
#ifndef NO_M1
  store (me, SEQ, WORD, PACK (VALUE (me + 1, k - 1), 1)); /* M1 */
#endif
  put_value (VALUE (me + 1, k), LIMIT_BYTES); /* M2 */
  store (me, LIMIT_END, WORD, PACK (VALUE (me + 1, k), 0)) /* M3 */
}

/* row_clean(), then occupy_row(). */
inline occupy()
{
  if
  :: me == 1 && !old -> exchange (me, WORD, 0)
  :: else
  fi;
  store (me, SEQ, STATE, 0);
  store (me, SEQ, INCARNATION, me + 1);
  store (me, SEQ, CLAIM, me + 1);
  if
  :: !old -> exchange (me, WORD, PACK (VALUE (me + 1, 0), 0))
  :: else
  fi;
  store (me, SEQ, STATE, ACTIVE);
  last = PACK (VALUE (me + 1, 0), 0)
}

inline live()
{
  occupy ();
  if
  :: !old ->
     do
     :: k < 2 -> k++;
#ifdef LIMITS
        change_limits ()
#else
        post ()
#endif
     :: else -> break
     od
  :: old
  fi
}

/* The kernel frees the byte when its stores are done. */
proctype owner(byte me)
{
  byte w, last, k;
  atomic { !held; held = true; lives = me + 1 }
  { live () } unless { me == 0 && killed[0] };
  atomic {
    IS_SEEN (me);
    if
    :: me == 0 && killed[0] -> held = false; lives = 0;
       w = 0; last = 0; k = 0;
       if
       :: old = true
       :: true
       fi;
       run owner (1)
    :: else -> w = 0; last = 0; k = 0
    fi
  }
}

/* ---- the producer ---- */

/* is_owners(): `good`, `id`. */
inline judge()
{
#ifdef ID_LAST
  load (PRODUCER, SEQ, CLAIM, claim);
  load (PRODUCER, SEQ, STATE, state);
  load (PRODUCER, SEQ, INCARNATION, id);
#else
  load (PRODUCER, SEQ, INCARNATION, id);
  load (PRODUCER, SEQ, STATE, state);
#ifdef NO_STATE
  state = ACTIVE;
#endif
  load (PRODUCER, SEQ, CLAIM, claim);
#endif
#ifdef ANY_CLAIM
  claim = CLAIM_OF (w);
#endif
  atomic { good = (state == ACTIVE && claim == CLAIM_OF (w)); state = 0; claim = 0 }
}

/* take_from_row() */
inline take()
{
  load (PRODUCER, RELEASE, WORD, w);
#ifdef BYTES_EARLY
  w = 0;
  load (PRODUCER, RELEASE, BYTE_0, a);
  load (PRODUCER, RELEASE, BYTE_1, b);
  load (PRODUCER, RELEASE, WORD, w);
#endif
  judge ();
  if
  :: BIT (w) == 0 || !good -> seen = w
  :: else ->
#ifdef TAKE_FIRST
     swap (PRODUCER, WORD, w, w - 1, done);
#endif
#ifndef BYTES_EARLY
     load (PRODUCER, RELEASE, BYTE_0, a); /* E5 */
     load (PRODUCER, RELEASE, BYTE_1, b);
#endif
     /* one that dies behind E3 takes the event with it */
     atomic {
#ifdef PLAIN_TAKE
       exchange (PRODUCER, WORD, w - 1);
       done = true;
#elif !defined (TAKE_FIRST)
       swap (PRODUCER, WORD, w, w - 1, done); /* E3 */
#endif
       if
       :: done ->
          assert (I16_whole_or_not_there || a == b);
#ifndef NO_COUNT
          assert (I16_whole_or_not_there || a == VALUE_OF (w));
#endif
          assert (I16_of_its_owner || id == a / 4);
          assert (I16_taken_once || !delivered[a]);
          delivered[a] = true
       :: else
       fi
     }
  fi
}

/* datahub_producer_get_limits() */
inline read_limits()
{
#ifdef M5_EARLY
  load (PRODUCER, RELEASE, BYTE_0, a);
  load (PRODUCER, RELEASE, BYTE_1, b);
#endif
  load (PRODUCER, RELEASE, WORD, w); /* M4 */
  judge ();
#ifdef M6_EARLY
  load (PRODUCER, RELEASE, WORD, again);
#endif
  if
#ifdef ODD_IS_GOOD
  :: !good || COUNT_OF (w) == 0 -> seen = w
#else
  :: !good || BIT (w) || COUNT_OF (w) == 0 -> seen = w
#endif
  :: else ->
#ifndef M5_EARLY
     load (PRODUCER, RELEASE, BYTE_0, a); /* M5 */
     load (PRODUCER, RELEASE, BYTE_1, b);
#endif
#if defined (NO_M6)
     again = w;
#elif !defined (M6_EARLY)
     load (PRODUCER, RELEASE, WORD, again); /* M6 */
#endif
     d_step {
       if
       :: again == w ->
          assert (I16_whole_or_not_there || a == b);
          assert (I16_whole_or_not_there || a == VALUE_OF (w));
          assert (I16_of_its_owner || a / 4 == id);
          got = a;
          seen = w
       :: else
       fi
     }
  fi;
  again = 0
}

/* The service thread: woken when the word changed. */
proctype producer()
{
  byte w, a, b, claim, state, id, seen;
  bool good;
#ifdef LIMITS
  byte again;
#else
  bool done;
#endif
end_begin:
  {
end:
    do
    :: mem[WORD] != seen ->
#ifdef LIMITS
       read_limits ();
#else
       take ();
       done = false;
#endif
       w = 0; a = 0; b = 0; id = 0; good = false
    od
  } unless { killed[1] };
  atomic {
    IS_SEEN (PRODUCER);
    claim = 0; state = 0;
    killed[1] = false;
    w = 0; a = 0; b = 0; id = 0; good = false; seen = 0;
#ifdef LIMITS
    again = 0; got = 0;
#else
    done = false;
#endif
    goto end_begin
  }
}

proctype killer()
{
  if
  :: held -> killed[0] = true
  :: true
  fi
}

proctype killer_of_producers()
{
  if
  :: killed[1] = true
  :: true
  fi
}

proctype watch()
{
  timeout ->
#ifdef LIMITS
    assert (I16_the_last_limits_arrive || old || got == VALUE (lives, 2))
#else
    assert (I16_none_of_a_living_is_lost || old
      || (delivered[VALUE (lives, 1)] && delivered[VALUE (lives, 2)]))
#endif
}

MEMORY (DRAIN (0) DRAIN (1) DRAIN (2))

init {
  atomic {
    run owner (0);
    run producer ();
    run killer ();
    run killer_of_producers ();
    run watch ()
  }
}
