/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An entry of a producer's errors: two words between two stores of the turn, which
 * a reader without a row copies between two loads of it. The writer writes twice,
 * and is killed at any step; then a successor writes once. lib/core/:
 * error-log.c (store_entry, error_log_start), errors.c (copy_entry).
 *
 * @covers X1 to X6
 * @mutant NO_X1 | X1 | the turn is not odd while the words are written
 * @mutant X2_RELAXED | X2 | the words by relaxed stores
 * @mutant X3_RELAXED | X3 | the even turn by a relaxed store
 * @mutant HEIR_ADDS_ONE | X1 | a successor makes the turn of a dead writer even
 * @mutant ODD_IS_FINE | X4 | the reader takes an entry with an odd turn
 * @mutant X4_LATE | X4 | the turn is loaded after the words
 * @mutant NO_X6 | X6 | the reader does not look again
 * @mutant X6_EARLY | X6 | the second look is before the words
 */
#define PROCS 2 /* 0 writer, 1 successor */
#define DEPTH 3
#define TURN 0
#define CODE 1
#define TEXT 2
#define WORDS 3
#include "memory.pml"

#ifdef X2_RELAXED
#define X2_ORDER RELAXED
#else
#define X2_ORDER RELEASE
#endif
#ifdef X3_RELAXED
#define X3_ORDER RELAXED
#else
#define X3_ORDER RELEASE
#endif

hidden byte E_no_entry_is_torn, E_successor_shows_its_entry;

bool killed, first_is_gone;

#ifdef HEIR_ADDS_ONE
#define BEGIN(turn, heir) (heir -> turn + 1 : (turn | 1))
#else
#define BEGIN(turn, heir) (turn | 1)
#endif

inline write_entry(who, heir, number)
{
  load (who, RELAXED, TURN, turn);
  turn = BEGIN (turn, heir);
#ifndef NO_X1
  store (who, RELAXED, TURN, turn); /* X1 */
#endif
  store (who, X2_ORDER, CODE, number); /* X2 */
  store (who, X2_ORDER, TEXT, number);
  store (who, X3_ORDER, TURN, (turn + 1)) /* X3 */
}

proctype writer()
{
  byte turn;
  {
    write_entry (0, false, 1);
    write_entry (0, false, 2)
  } unless { killed };
  /* the kernel frees byte 0 when all its stores are seen */
  IS_SEEN (0);
  first_is_gone = true
}

proctype successor()
{
  byte turn;
  first_is_gone;
  write_entry (1, true, 3);
  IS_SEEN (1);
  assert (E_successor_shows_its_entry
      || (mem[TURN] % 2 == 0 && mem[CODE] == 3 && mem[TEXT] == 3))
}

proctype kill()
{
  killed = true
}

proctype reader()
{
  byte turn, again, code, text;
#ifdef X4_LATE
  code = mem[CODE];
  text = mem[TEXT];
  turn = mem[TURN];
#else
  turn = mem[TURN]; /* X4 */
#ifdef X6_EARLY
  again = mem[TURN];
#endif
  code = mem[CODE]; /* X5 */
  text = mem[TEXT];
#endif
#if !defined (X6_EARLY) && !defined (NO_X6)
  again = mem[TURN]; /* X6 */
#endif
#ifdef NO_X6
  again = turn;
#endif
  if
#ifdef ODD_IS_FINE
  :: turn != 0 && again == turn -> assert (E_no_entry_is_torn || code == text)
#else
  :: turn != 0 && turn % 2 == 0 && again == turn ->
     assert (E_no_entry_is_torn || code == text)
#endif
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
