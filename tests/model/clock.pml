/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pair of clocks in the header: two places and a turn. The writer takes pairs
 * and is killed at any step; then a successor takes one. A reader without a row
 * copies the newest pair. Each pair is of a commit: a reader that finds its records
 * finds it, or a later one. A reader that finds the pair of the successor finds its
 * incarnation, too. lib/core/: clock.c (store_pair, clock_read), producer-show.c
 * (ring_show), producer-adopt.c (take_over), consumer-read.c (try_read),
 * consumer-clock.c (consumer_follow_clock).
 *
 * @covers K1 to K4
 * @mutant ONE_PLACE | K1 | the next pair is written over the newest
 * @mutant K1_RELAXED | K1 | the words by relaxed stores
 * @mutant K2_RELAXED | K2 | the turn by a relaxed store
 * @mutant TURN_FIRST | K2 | the turn before the words
 * @mutant HEAD_FIRST | K2 | the head before the pair of its records
 * @mutant HEAD_RELAXED | A7 | the head by a relaxed store
 * @mutant C7_LATE | C7, K2 | the incarnation behind the pair of the adopter
 * @mutant C7_EARLY_LOOK | K3 | the incarnation is loaded before the pair
 * @mutant K3_LATE | K3 | the turn is loaded after the words
 * @mutant NO_K4 | K4 | the reader does not look again
 * @mutant K4_EARLY | K4 | the second look is before the words
 */
#define PROCS 2 /* 0 writer, 1 successor */
#define DEPTH 3
#define TURN 0
#ifdef ONE_PLACE
#define PLACE(n) 1
#else
#define PLACE(n) (1 + 2 * ((n) % 2))
#endif
#define HEAD 5
#define INCARNATION 6
#define WORDS 7
#include "memory.pml"

#ifdef K1_RELAXED
#define K1_ORDER RELAXED
#else
#define K1_ORDER RELEASE
#endif
#ifdef HEAD_RELAXED
#define HEAD_ORDER RELAXED
#else
#define HEAD_ORDER RELEASE
#endif
#ifdef K2_RELAXED
#define K2_ORDER RELAXED
#else
#define K2_ORDER RELEASE
#endif

hidden byte K_no_pair_is_mixed, K_newest_pair_is_whole, K_records_have_their_pair,
    K_a_pair_has_its_incarnation;

bool killed, first_is_gone;
byte before; /* pairs of the first */

inline take_pair(who)
{
  load (who, RELAXED, TURN, turn);
  turn++;
#ifdef TURN_FIRST
  store (who, K2_ORDER, TURN, turn);
#endif
  store (who, K1_ORDER, PLACE (turn), turn); /* K1 */
  store (who, K1_ORDER, (PLACE (turn) + 1), turn);
#ifndef TURN_FIRST
  store (who, K2_ORDER, TURN, turn) /* K2 */
#endif
}

inline commit(who)
{
#ifdef HEAD_FIRST
  store (who, HEAD_ORDER, HEAD, mem[TURN] + 1);
  take_pair (who)
#else
  take_pair (who);
  store (who, HEAD_ORDER, HEAD, turn) /* A7 */
#endif
}

proctype writer()
{
  byte turn;
  {
    commit (0);
    commit (0);
    commit (0)
  } unless { killed };
  IS_SEEN (0);
  /* whatever the step, the last complete pair is there */
  assert (K_newest_pair_is_whole || mem[TURN] == 0
      || (mem[PLACE (mem[TURN])] == mem[TURN]
          && mem[PLACE (mem[TURN]) + 1] == mem[TURN]));
  before = mem[TURN];
  first_is_gone = true
}

proctype successor()
{
  byte turn;
  first_is_gone;
#ifdef C7_LATE
  take_pair (1);
  store (1, SEQ, INCARNATION, 1);
  store (1, HEAD_ORDER, HEAD, turn)
#else
  store (1, SEQ, INCARNATION, 1); /* C7 */
  commit (1)
#endif
}

proctype kill()
{
  killed = true
}

proctype reader()
{
  byte turn, again, monotonic, realtime, head, incarnation;
  head = mem[HEAD];
#ifdef C7_EARLY_LOOK
  incarnation = mem[INCARNATION];
#endif
#ifdef K3_LATE
  turn = mem[TURN];
  again = turn;
  monotonic = mem[PLACE (again)];
  realtime = mem[PLACE (again) + 1];
  turn = mem[TURN];
#else
  turn = mem[TURN]; /* K3 */
#endif
#ifdef K4_EARLY
  again = mem[TURN];
#endif
#ifndef K3_LATE
  monotonic = mem[PLACE (turn)];
  realtime = mem[PLACE (turn) + 1];
#endif
#if !defined (K4_EARLY) && !defined (NO_K4)
  again = mem[TURN]; /* K4 */
#endif
#ifdef NO_K4
  again = turn;
#endif
#ifndef C7_EARLY_LOOK
  incarnation = mem[INCARNATION];
#endif
  if
  :: turn != 0 && again == turn ->
     assert (K_a_pair_has_its_incarnation || incarnation == 1
         || !first_is_gone || turn <= before);
     assert (K_records_have_their_pair || turn >= head);
     assert (K_no_pair_is_mixed || (monotonic == turn && realtime == turn))
  :: else
  fi
}

MEMORY (DRAIN (0) DRAIN (1))

init {
  atomic {
    run writer ();
    run successor ();
    run kill ();
    run reader ()
  }
}
