/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of user locks: three ask at once for two names, of which one is the
 * beginning of the other, under the kernel lock on byte 2; two deaths anywhere,
 * also of who repairs. A name is two words here, three in the code, written one
 * after the other. lib/core/userlock/lock-registry.c.
 *
 * The kernel lock orders everything, and names are stored with release: no
 * buffers.
 * @covers byte 2, registry_dirty, names, repair
 * @mutant UNLOCKED | byte 2 | names are changed without it
 * @mutant NOT_DIRTY | registry_dirty | never set
 * @mutant DIRTY_LATE | registry_dirty | set when the name is written
 * @mutant CLEAN_EARLY | registry_dirty | taken down before the name is whole
 * @mutant CLEAN_BEFORE_REPAIR | repair | taken down before the names are checked
 * @mutant NO_REPAIR | repair | taken down, names not looked at
 * @mutant DROP_THE_FIRST | repair | of two that are the same the first is dropped
 * @argued ADOPTION_TAKES_IT | D6 | adoption, cleaning, joining and commits take byte 2 |
 *   they take it nowhere, and who asks for a name waits 2 s at most
 * @mutant NOT_TOLD | repair | who finds it set is not told
 */
#define LOCKS 2
#define ASKERS 3
#define KILLS 2

hidden byte R8_one_lock_a_name, R8_names_differ, R8_death_is_told,
    R8_told_only_of_deaths;

byte first[LOCKS], second[LOCKS]; /* the words of a name; none: first is 0 */
bool dirty;
bool locked;
bool killed[ASKERS];
byte kills = KILLS;
byte known[3]; /* 1 + the lock that a name was told to be; what the test knows */
bool torn; /* somebody died over the names and nobody was told */

/* Name 1 is (1, 0), name 2 is (1, 2). */
#define NAME(n) (n - 1) * 2
#define IS(k, n) (first[k] == 1 && second[k] == NAME (n))
#define SAME(j, k) (first[j] != 0 && first[j] == first[k] && second[j] == second[k])
#define ALL_DIFFER (!SAME (0, 1))

inline write(k, one, two)
{
  changing = true;
  first[k] = one;
#ifdef CLEAN_EARLY
  dirty = false;
#endif
  second[k] = two;
  changing = false
}

/* Drops the second of two that are the same. */
inline repair()
{
  if
#ifdef DROP_THE_FIRST
  :: SAME (0, 1) -> write (0, 0, 0)
#else
  :: SAME (0, 1) -> write (1, 0, 0)
#endif
  :: else
  fi
}

inline find(n)
{
  if
  :: IS (0, n) -> k = 0
  :: !IS (0, n) && IS (1, n) -> k = 1
  :: else ->
     k = (first[0] == 0 -> 0 : 1);
#if !defined (NOT_DIRTY) && !defined (DIRTY_LATE)
     dirty = true;
#endif
     write (k, 1, NAME (n));
#ifdef DIRTY_LATE
     dirty = true;
#endif
     dirty = false
  fi
}

inline ask(i, n)
{
#ifndef UNLOCKED
  atomic { !locked; locked = true; mine = true }
#endif
  if
  :: dirty ->
#ifndef NOT_TOLD
     d_step {
       assert (R8_told_only_of_deaths || kills < KILLS);
       torn = false
     }
#endif
#ifdef CLEAN_BEFORE_REPAIR
     dirty = false;
#endif
#ifndef NO_REPAIR
     repair ();
#endif
     dirty = false
  :: else
  fi;
  assert (R8_death_is_told || !torn);
  find (n);
  d_step {
    assert (R8_names_differ || ALL_DIFFER);
    assert (R8_one_lock_a_name || known[n] == 0 || known[n] == k + 1);
    known[n] = k + 1;
    k = 0
  }
#ifndef UNLOCKED
  atomic { locked = false; mine = false }
#endif
}

proctype asker(byte i, n)
{
  byte k, times;
  bool mine, changing;
  {
    do
    :: times < 2 -> times++; ask (i, n)
    :: else -> break
    od
  } unless { killed[i] };
  atomic {
    torn = torn || changing;
    locked = locked && !mine /* the kernel's */
  }
}

/* Anybody at any step. */
proctype killer()
{
  do
  :: kills > 0 -> atomic { kills--; killed[0] = true }
  :: kills > 0 -> atomic { kills--; killed[1] = true }
  :: kills > 0 -> atomic { kills--; killed[2] = true }
  :: break
  od
}

init {
  atomic {
    run asker (0, 1);
    run asker (1, 2);
    run asker (2, 2);
    run killer ()
  }
}
