/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The share: how many slots each consumer may hold, while consumers join, pin and lease,
 * and the producer states it anew. lib/core/producer/producer-share.c,
 * lib/core/consumer/consumer-share.c, consumer-lease.c (charge). Each consumer pins
 * records of its own, the worst case; the budget leaves one slot for what each has in
 * passing.
 *
 * @long THREE | three consumers, of which two may join at once
 * @covers F1 F2 F3 F4 F5, B3, S3
 * @mutant NO_F1 | F1 | joiners are still included while the share is stated anew
 * @mutant F1_RELEASE | F1 | stored with release, no fence behind it
 * @mutant COUNTED_ANEW | F1 | a consumer that was included counts again, and F1 states how many there are
 * @mutant NO_F2 | F2 | the share is stated by a look that nothing precedes
 * @mutant F2_RELEASE | F2 | stored with release, no fence behind it
 * @mutant LOOK_FIRST | F3 | pins scanned without F2 before it
 * @mutant ABOVE_IGNORED | S3 | what is held above the share is not taken from the budget
 * @mutant CHOSEN_AGAIN | F3 | for those that are there now, not for those of F2
 * @mutant HOLDERS_FORGOTTEN | F2 | each consumer is taken to hold the former share, and
 *   not what it holds above it
 * @mutant F4_ACQUIRE | F4 | the share loaded with acquire
 * @mutant F4_FIRST | F4 | the share loaded before the pin
 * @mutant B3_RELAXED | B3 | pinned by a relaxed addition
 * @mutant STATE_RELEASE | F5 | the state by a release store
 * @mutant COUNT_FIRST | F5 | consumers counted before the own state is stored
 * @mutant NO_COUNT | F5 | a joiner takes the share, however many it was stated for
 * @equivalent F3_RELAXED | F3 | by a relaxed store | a consumer that still has the share
 *   of F2 has less
 * @argued SHARED_ONCE | S3 | what several consumers above the share hold counts once, and
 *   each as if it held nothing | such a consumer adds nothing before it holds less than
 *   the share, and then it is one of those that come to the share
 * @argued KILLED | C10 | the producer dies anywhere here | no share that it stores allows
 *   more than the one before, by the looks that precede it
 */
#if defined (NO_F1) || defined (COUNTED_ANEW) || defined (F1_RELEASE)
#define THREE
#endif
#ifdef THREE
#define CONSUMERS 3
#define JOINERS 2
#define BUDGET 7
#define MOST 4 /* leases: each has one slot in passing */
#define LOOKS 1
#define TAKES 2
#else
#define CONSUMERS 2
#define JOINERS 1
#define BUDGET 6
#define MOST 4
#define LOOKS 2
#define TAKES 3
#endif

#define PROCS (1 + CONSUMERS)
#define DEPTH 1
#define SHARE 0
#define STATE(i) (1 + (i))
#define PINS(i) (1 + CONSUMERS + (i))
#define WORDS (1 + 2 * CONSUMERS)

#include "memory.pml"

hidden byte S3_budget_is_kept;

/* Memory begins with 0, which is the share of a block without consumers. */
#define LIMIT_0 (BUDGET / JOINERS - 1)
#define WORD(limit, counted) ((((counted) * 16 + (limit))) ^ (JOINERS * 16 + LIMIT_0))
#define LIMIT(word) (((word) ^ (JOINERS * 16 + LIMIT_0)) % 16)
#define COUNTED(word) (((word) ^ (JOINERS * 16 + LIMIT_0)) / 16)
#define ONES(x) (((x) & 1) + ((x) / 2 & 1) + ((x) / 4 & 1) + ((x) / 8 & 1))

byte leased[CONSUMERS];
#define LEASED (leased[0] + leased[1] + (CONSUMERS > 2 -> leased[CONSUMERS - 1] : 0))

/* ---- the producer ---- */

byte held[CONSUMERS], n, counted, limit;

inline count_held(i)
{
  if
  :: held[i] > limit -> above = above + held[i] + 1; below--
  :: else
  fi
}

/* The largest limit that fits. */
inline choose_limit()
{
  d_step {
    limit = BUDGET / counted - 1;
    do
    :: above = 0;
       below = counted;
#ifndef ABOVE_IGNORED
       count_held (0);
       count_held (1);
#if CONSUMERS > 2
       count_held (2);
#endif
#endif
       if
       :: above + below * (limit + 1) <= BUDGET || limit == 0 -> break
       :: else -> limit--
       fi
    od;
    above = 0;
    below = 0
  }
}

inline choose()
{
  counted = (n + JOINERS > CONSUMERS -> CONSUMERS : n + JOINERS);
  choose_limit ()
}

inline look_row(i, least, most)
{
  load (0, RELEASE, PINS (i), word);
  d_step { held[i] = ONES (word); word = 0 };
  load (0, SEQ, STATE (i), word);
  d_step {
#ifdef HOLDERS_FORGOTTEN
    held[i] = (word && n < most && least -> least : held[i]);
#else
    held[i] = (word && n < most && held[i] < least -> least : held[i]);
#endif
    n = n + word;
    word = 0
  }
}

inline look(least, most)
{
  n = 0;
  look_row (0, least, most);
  look_row (1, least, most);
#if CONSUMERS > 2
  look_row (2, least, most)
#endif
}

inline state_share()
{
  load (0, RELAXED, SHARE, before);
#ifdef COUNTED_ANEW
  look (0, 0);
  store (0, SEQ, SHARE, WORD (LIMIT (before), n));
  fence (0);
#elif defined (F1_RELEASE)
  store (0, RELEASE, SHARE, WORD (LIMIT (before), 0));
#elif !defined (NO_F1)
  store (0, SEQ, SHARE, WORD (LIMIT (before), 0));
  fence (0);
#endif
#ifdef NO_F2
  look (0, 0);
  choose ();
#else
  look (LIMIT (before), COUNTED (before));
  choose ();
#ifndef LOOK_FIRST
#ifdef F2_RELEASE
  store (0, RELEASE, SHARE, WORD (limit, counted));
#else
  store (0, SEQ, SHARE, WORD (limit, counted));
  fence (0);
#endif
#endif
  look (0, 0);
#ifdef CHOSEN_AGAIN
  choose ();
#else
  choose_limit ();
#endif
#endif
#ifdef F3_RELAXED
  store (0, RELAXED, SHARE, WORD (limit, counted));
#else
  store (0, SEQ, SHARE, WORD (limit, counted));
#endif
  d_step { before = 0; n = 0; counted = 0; limit = 0; held[0] = 0; held[1] = 0; held[CONSUMERS - 1] = 0 }
}

active proctype producer()
{
  byte word, before, above, below, looks;
  do
  :: looks < LOOKS -> looks++; state_share ()
  :: looks == LOOKS -> break
  od
}

/* ---- consumers ---- */

#define N_PRESENT(p) ((mem[STATE (0)] || p == 1) + (mem[STATE (1)] || p == 2) \
  + (CONSUMERS > 2 && (mem[STATE (CONSUMERS - 1)] || p == 3)))

/* In one step: rows only join here, and a count that sees fewer is one that was made
 * earlier. */
inline follow(p)
{
#ifdef COUNTED_ANEW
  included = false;
#endif
#ifdef NO_COUNT
  included = true;
#endif
  d_step { !HAS_SEQ (p); included = (included || N_PRESENT (p) <= COUNTED (w)) }
}

inline join(p)
{
#ifdef COUNT_FIRST
  load (p, SEQ, SHARE, w);
  follow (p);
  store (p, SEQ, STATE (p - 1), 1);
#else
#ifdef STATE_RELEASE
  store (p, RELEASE, STATE (p - 1), 1);
#else
  store (p, SEQ, STATE (p - 1), 1);
#endif
  load (p, SEQ, SHARE, w);
  follow (p);
#endif
  w = 0
}

inline pin(p, order)
{
  put (p, order, OR, PINS (p - 1), 1 << leased[p - 1])
}

inline take(p)
{
#ifdef F4_FIRST
  load (p, SEQ, SHARE, w);
  pin (p, SEQ);
#elif defined (B3_RELAXED)
  pin (p, RELAXED);
  load (p, SEQ, SHARE, w);
#elif defined (F4_ACQUIRE)
  pin (p, SEQ);
  load (p, RELEASE, SHARE, w);
#else
  pin (p, SEQ); /* B3 */
  load (p, SEQ, SHARE, w); /* F4 */
#endif
#ifdef COUNTED_ANEW
  follow (p);
#else
  if
  :: included
  :: else -> follow (p)
  fi;
#endif
  if
  :: d_step { !included || leased[p - 1] >= LIMIT (w) -> w = 0 }
     put (p, SEQ, AND, PINS (p - 1), 15 & ~(1 << leased[p - 1]))
  :: d_step { included && leased[p - 1] < LIMIT (w) ->
       w = 0;
       leased[p - 1]++;
       assert (S3_budget_is_kept || LEASED <= MOST)
     }
  fi
}

active [CONSUMERS] proctype consumer()
{
  byte w, takes;
  bool included;
  join (_pid);
  do
  :: takes < (_pid == 3 -> 1 : TAKES) -> takes++; take (_pid)
  :: takes == (_pid == 3 -> 1 : TAKES) -> break
  od
}

#if CONSUMERS == 2
MEMORY (DRAIN (0) DRAIN (1) DRAIN (2))
#else
MEMORY (DRAIN (0) DRAIN (1) DRAIN (2) DRAIN (3))
#endif
