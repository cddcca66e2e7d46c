/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared memory as processors show it: every process has a buffer of stores
 * that others do not see yet. The including file defines WORDS (of memory),
 * PROCS (with a buffer each) and DEPTH (stores a buffer takes, 1 to 3).
 *
 * RELAXED store: may be seen before older stores to other words.
 * RELEASE store: is seen after every older store.
 * SEQ store: a release; a SEQ load of the same process waits until it is seen.
 *   That is what store-release and load-acquire instructions of ARMv8 promise,
 *   and weaker than what x86 does.
 * OR, AND: an atomic read-modify-write whose result is not used. Others may
 *   come between, as it changes only its own bits.
 * fence(): a seq_cst fence, between stores and loads.
 * swap(): compare-and-swap; its store is seen at once, after all older ones.
 * Names of parameters are replaced as text, those of expressions passed in too:
 * no model uses self, kind, change, place, what, nth, expected, desired, done.
 * Loads are done in the order of the text; where a weaker load could be done
 * early, a mutant says so itself. */

#define RELAXED 0
#define RELEASE 1
#define SEQ 2

#define SET 0
#define OR 4
#define AND 8

typedef Buffer {
  byte n;
  byte at[DEPTH];
  byte value[DEPTH];
  byte how[DEPTH] /* order + operation */
}

byte mem[WORDS];
Buffer sb[PROCS];

#define ORDER(p, i) (sb[p].how[i] & 3)
#define OPERATION(p, i) (sb[p].how[i] & 12)
#define AFTER(p, i, x) (OPERATION (p, i) == SET -> sb[p].value[i] : \
  (OPERATION (p, i) == OR -> (x | sb[p].value[i]) : (x & sb[p].value[i])))
#define HAS_SEQ_AT(p, i) (sb[p].n > i && ORDER (p, i) == SEQ)
#define IS_SEEN(p) (sb[p].n == 0)

#if DEPTH == 1
#define HAS_SEQ(p) HAS_SEQ_AT (p, 0)
#elif DEPTH == 2
#define HAS_SEQ(p) (HAS_SEQ_AT (p, 0) || HAS_SEQ_AT (p, 1))
#else
#define HAS_SEQ(p) (HAS_SEQ_AT (p, 0) || HAS_SEQ_AT (p, 1) || HAS_SEQ_AT (p, 2))
#endif

inline put(self, kind, change, place, what)
{
  d_step {
    sb[self].n < DEPTH;
    sb[self].at[sb[self].n] = place;
    sb[self].value[sb[self].n] = what;
    sb[self].how[sb[self].n] = kind + change;
    sb[self].n++
  }
}

inline store(self, kind, place, what)
{
  put (self, kind, SET, place, what)
}

inline forward(self, nth, place, what)
{
  what = ((nth < sb[self].n && sb[self].at[nth] == place) -> AFTER (self, nth, what) : what)
}

/* A process sees its own stores. */
inline load(self, kind, place, what)
{
  d_step {
    (kind != SEQ || !HAS_SEQ (self));
    what = mem[place];
    forward (self, 0, place, what);
#if DEPTH > 1
    forward (self, 1, place, what);
#endif
#if DEPTH > 2
    forward (self, 2, place, what)
#endif
  }
}

inline swap(self, place, expected, desired, done)
{
  d_step {
    IS_SEEN (self);
    done = (mem[place] == expected);
    mem[place] = (done -> desired : mem[place])
  }
}

/* Every store before it is seen by all before anything behind it is loaded. */
inline fence(self)
{
  IS_SEEN (self)
}

/* Takes an entry out of the buffer; what is behind it moves up. */
inline leave(self, nth)
{
  mem[sb[self].at[nth]] = AFTER (self, nth, mem[sb[self].at[nth]]);
#if DEPTH > 1
  if
  :: nth < 1 -> sb[self].at[0] = sb[self].at[1]; sb[self].value[0] = sb[self].value[1];
     sb[self].how[0] = sb[self].how[1]
  :: else
  fi;
#endif
#if DEPTH > 2
  if
  :: nth < 2 -> sb[self].at[1] = sb[self].at[2]; sb[self].value[1] = sb[self].value[2];
     sb[self].how[1] = sb[self].how[2]
  :: else
  fi;
#endif
  sb[self].n--;
  sb[self].at[DEPTH - 1] = 0;
  sb[self].value[DEPTH - 1] = 0;
  sb[self].how[DEPTH - 1] = 0
}

#define OLDEST(p) :: d_step { sb[p].n > 0 -> leave (p, 0) }
#define MAY_OVERTAKE(p, i) (sb[p].n > i && ORDER (p, i) == RELAXED \
  && sb[p].at[i] != sb[p].at[0])
#define SECOND(p) :: d_step { MAY_OVERTAKE (p, 1) -> leave (p, 1) }
#define THIRD(p) :: d_step { MAY_OVERTAKE (p, 2) \
  && sb[p].at[2] != sb[p].at[1] -> leave (p, 2) }

/* DRAINS: one DRAIN (p) for each process with a buffer. */
#if DEPTH == 1
#define DRAIN(p) OLDEST (p)
#elif DEPTH == 2
#define DRAIN(p) OLDEST (p) SECOND (p)
#else
#define DRAIN(p) OLDEST (p) SECOND (p) THIRD (p)
#endif

#define MEMORY(drains) active proctype memory() { end: do drains od }
