/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several pools are open: one of small slots beside one of big slots, or two of one
 * size. A payload gets a slot of the smallest open pool that suits it. Slots that are
 * far bigger do not suit a small payload: a pool is added for it, so the big pool can
 * close. A closed pool gives the memory of its free slots back, and leaves when nothing
 * refers to it.
 *
 * Payloads are small (1), big (2), and bigger (3): a pool for bigger ones replaces that
 * for big ones, and stays beside that for small ones. The stream is 1 2 3 1.
 *
 * The steps in the code: suits() and find() are pool_smallest(), pool_is_wasted() and
 * pool_with_room_of_several() (pool-classes.c); close_unused() is close_others() there,
 * with UNNEEDED look_for_unneeded() (producer-memory.c); replace() is close_replaced()
 * (producer-pools.c) with growth_replaces() (growth-shapes.c); close(), punch() and tidy() are pool_close(), give_back() and
 * pool_leave_idle(); grow() is growth_choose_shape() and pool_install(); make_whole() is
 * reserve_newest() (producer-adopt.c), count() is count_slot(), and settle() is
 * stack_free_slots() (producer-inherit.c) with pool_leave_closed().
 *
 * Every access here is seq_cst or ordered by one; no buffers.
 * @covers P1 P2 P3 P4, what is lent, punched and left, limbo, the gate
 * @also BIG_FIRST | the stream is 2 3 2 1
 * @also MORE | the stream is 1 1 1 1 1 1: more slots of one size
 * @also UNNEEDED | the same; a pool closes at any time, in use
 * @also RELIABLE | a reliable reader
 * @also FEW | the same, and a table of two entries
 * @also ADOPT | the reliable reader; the producer dies at any step, the block is adopted;
 *   the stream is 1 2 1
 * @long ADOPT_WHOLE | the same, and the stream is 1 2 3 1
 * @also ADOPT_BIG | the same, and the stream is 2 3 2 1
 * @long ADOPT_MORE | the same, and the stream is 1 1 1 1 1 1
 * @also ADOPT_UNNEEDED | the stream is 1 1 1 1; a pool closes at any time, in use
 * @mutant CLOSE_PUNCHES_ALL | P2 | a pool that closes gives the memory of all its slots back
 * @mutant LIMBO_IGNORED | P2 | slots are free at the retire, not at the reclaim
 * @mutant CLOSED_LENT | P2 | slots of closed pools are lent
 * @mutant LAST_CLOSES | P2 | the last open pool closes, too
 * @mutant WASTE | P4 | small payloads use big slots if no other pool is open
 * @mutant FREE_STAYS | P4 | an adopter leaves the free slots of closed pools alone
 * @mutant KEPT_ALONE | D1 | an adopter gives back what no record of the ring refers to
 * @mutant ALL_OPENED | P4 | an adopter opens all pools
 * @mutant NOT_WHOLE | P4 | an adopter takes the newest pool as it is
 * @argued WASTES_AT_THE_LIMIT | P5 | small payloads use big slots where no pool can be
 *   added | nothing shared; the model waits
 * @equivalent REPLACED_FIRST | P1 | pools close before the one that replaces them is in
 *   the table | an adopter makes the memory of the newest whole
 */
#if defined (ADOPT_BIG) || defined (ALL_OPENED) || defined (FREE_STAYS) \
  || defined (KEPT_ALONE) || defined (REPLACED_FIRST)
#define ADOPT
#define BIG_FIRST
#endif
#ifdef ADOPT_UNNEEDED
#define ADOPT_MORE
#define UNNEEDED
#endif
#ifdef UNNEEDED
#define MORE
#endif
#if defined (ADOPT_MORE) || defined (NOT_WHOLE) || defined (LAST_CLOSES)
#define ADOPT
#define MORE
#endif
#ifdef ADOPT_WHOLE
#define ADOPT
#endif
#ifdef FEW
#define RELIABLE
#endif
#if defined (WASTE) || defined (CLOSED_LENT)
#define BIG_FIRST
#endif
#ifdef ADOPT
#define RELIABLE
#define KILLS 1
#else
#define KILLS 0
#endif

#ifdef ADOPT_UNNEEDED
#define COMMITS 4
#elif defined (MORE)
#define COMMITS 6
#elif defined (ADOPT) && !defined (BIG_FIRST) && !defined (ADOPT_WHOLE)
#define COMMITS 3
#else
#define COMMITS 4
#endif
#define RING 1
#define RECORDS 4
#define ENTRIES 3
#define SMALL 1
#define BIG 2
#define BIGGER 3
#define BOTH 3 /* slots of each pool, as bits */
#define GENS (COMMITS + KILLS + 1)

#if defined (MORE)
#define SIZE(s) SMALL
#elif COMMITS == 3
#define SIZE(s) (s == 1 -> BIG : SMALL)
#elif defined (BIG_FIRST)
#define SIZE(s) (s == 3 -> SMALL : (s == 1 -> BIGGER : BIG))
#else
#define SIZE(s) (s == 1 -> BIG : (s == 2 -> BIGGER : SMALL))
#endif

hidden byte I1_no_overwrite, P3_pool_within_reach, I5_nothing_lost,
    I9_growth_goes_on, G1_a_lent_slot_has_memory, N1_one_is_open,
    N2_big_slots_go, N3_no_memory_without_use;

byte word_seq = 15, word_rec; /* the ring's one word; 15: none */
byte head;
byte entry_gen[ENTRIES], entry_size[ENTRIES];
byte changes, next_gen;
bool linked[GENS + 1];
byte file_size[GENS + 1];
byte memory[GENS + 1]; /* slots that have memory */
byte content[2 * GENS + 2]; /* of each slot: sequence + 1 */
byte record_gen[RECORDS], record_slot[RECORDS], record_seq[RECORDS];
byte pins; /* of the reader */
byte gate;

#define PLACE(gen) (pool_of[0] == gen -> 0 : (pool_of[1] == gen -> 1 : 2))
#define IS_HELD(k, slot) (refs[2 * k + slot] != 0)
#define IS_IDLE(k) (refs[2 * k] == 0 && refs[2 * k + 1] == 0)
#define FREE_OF(k) (BOTH & ~(IS_HELD (k, 0) | IS_HELD (k, 1) << 1))
#define N_OPEN (open[0] + open[1] + open[2])
#ifdef FEW
#define SPARE (pool_of[0] == 0 || pool_of[1] == 0)
#else
#define SPARE (pool_of[0] == 0 || pool_of[1] == 0 || pool_of[2] == 0)
#endif

/* ---- closing ---- */

inline punch(k, slot)
{
  d_step {
    if
#ifdef CLOSE_PUNCHES_ALL
    :: true ->
#else
    :: !IS_HELD (k, slot) ->
#endif
       memory[pool_of[k]] = memory[pool_of[k]] & ~(1 << slot);
       content[2 * pool_of[k] + slot] = 0
    :: else
    fi
  }
}

inline close(k)
{
  open[k] = false;
  punch (k, 0);
  punch (k, 1)
}

/* P2 */
inline tidy(i)
{
  if
  :: pool_of[i] != 0 && !open[i] && IS_IDLE (i) ->
     entry_gen[i] = 0;
     changes++;
     d_step {
       linked[pool_of[i]] = false;
       memory[pool_of[i]] = 0;
       content[2 * pool_of[i]] = 0;
       content[2 * pool_of[i] + 1] = 0;
       pool_of[i] = 0;
       size_of[i] = 0
     }
  :: else
  fi
}

#define EACH(what) \
  k = 0; do :: k < ENTRIES -> what (k); k++ :: else -> break od; k = 0

/* What the code decides by a count of loans, or by the need of some seconds, may happen
 * here at any time. */
#ifdef UNNEEDED
#define MAY_CLOSE(k) (pool_of[k] != 0)
#else
#define MAY_CLOSE(k) IS_IDLE (k)
#endif

inline close_unused(k)
{
  if
#ifdef LAST_CLOSES
  :: open[k] && IS_IDLE (k) -> close (k)
#else
  :: open[k] && N_OPEN > 1 && MAY_CLOSE (k) -> close (k)
#endif
  :: else
  fi
}

/* ---- slots ---- */

/* Whether slots of @size are for a payload of @wanted. */
#ifdef WASTE
#define SUITS(size, wanted) (size >= wanted)
#else
#define SUITS(size, wanted) \
  (size >= wanted && (wanted != SMALL || size == SMALL))
#endif
#ifdef CLOSED_LENT
#define LENDS(k) (pool_of[k] != 0)
#else
#define LENDS(k) open[k]
#endif
#define HAS_ROOM(k, wanted) \
  (LENDS (k) && SUITS (size_of[k], wanted) && FREE_OF (k) != 0)

/* The smallest slots that suit; ENTRIES: none. */
inline find(wanted)
{
  d_step {
    e = ENTRIES;
    e = (HAS_ROOM (0, wanted) -> 0 : e);
    if
    :: HAS_ROOM (1, wanted) && e == ENTRIES -> e = 1
    :: HAS_ROOM (1, wanted) && e != ENTRIES -> e = (size_of[1] < size_of[e] -> 1 : e)
    :: else
    fi;
    if
    :: HAS_ROOM (2, wanted) && e == ENTRIES -> e = 2
    :: HAS_ROOM (2, wanted) && e != ENTRIES -> e = (size_of[2] < size_of[e] -> 2 : e)
    :: else
    fi
  }
}

inline free_record(record)
{
  if
  :: ((limbo & ~busy) >> record) & 1 ->
     limbo = limbo & ~(1 << record);
     free = free | (1 << record);
     if
#ifdef LIMBO_IGNORED
     :: false ->
#else
     :: holds >> record & 1 ->
        holds = holds & ~(1 << record);
#endif
        refs[2 * PLACE (record_gen[record]) + record_slot[record]]--
     :: else
     fi
  :: else
  fi
}

/* The memory of slots of closed pools goes as they become free. */
inline give_back(k)
{
  if
  :: pool_of[k] != 0 && !open[k] -> punch (k, 0); punch (k, 1)
  :: else
  fi
}

inline reclaim()
{
  busy = pins;
  d_step {
    free_record (0); free_record (1); free_record (2); free_record (3);
    busy = 0
  }
  EACH (give_back);
  EACH (tidy)
}

inline retire()
{
  r = word_rec;
  word_seq = 15; /* A3 */
#ifdef LIMBO_IGNORED
  refs[2 * PLACE (record_gen[r]) + record_slot[r]]--;
  EACH (give_back);
#endif
  atomic { limbo = limbo | (1 << r); tail++; r = 0 }
}

/* ---- growth ---- */

inline replace(k)
{
  if
  :: open[k] && k != e && size_of[k] == BIG && size_of[e] == BIGGER -> close (k)
  :: else
  fi
}

/* P1 */
inline grow(wanted)
{
  d_step {
    e = (pool_of[0] == 0 -> 0 : (pool_of[1] == 0 -> 1 : 2));
    next_gen++;
    gen = next_gen;
    newest = gen;
    pool_of[e] = gen;
    size_of[e] = wanted;
    refs[2 * e] = 0;
    refs[2 * e + 1] = 0
  }
#ifdef REPLACED_FIRST
  EACH (replace);
#endif
  d_step {
    memory[gen] = BOTH;
    file_size[gen] = wanted;
    linked[gen] = true
  }
  entry_size[e] = wanted;
  entry_gen[e] = gen;
  open[e] = true;
  changes++;
#ifndef REPLACED_FIRST
  EACH (replace);
#endif
  EACH (tidy)
}

#define CAN_RETIRE (tail < head && gate > tail)

/* A free slot, or one in limbo, or the oldest record's, or a pool more. */
inline take(wanted)
{
  find (wanted);
  do
  :: e != ENTRIES -> break
  :: e == ENTRIES ->
     reclaim ();
     find (wanted);
     if
     :: e != ENTRIES
     :: e == ENTRIES && CAN_RETIRE -> retire ()
     :: e == ENTRIES && SPARE -> grow (wanted)
#ifdef FEW
     :: e == ENTRIES && !SPARE && !CAN_RETIRE ->
        EACH (close_unused);
        EACH (tidy);
        /* else waits: for a pin or the gate */
        assert (I9_growth_goes_on || SPARE || pins || limbo
          || (tail < head && gate <= tail))
#endif
     fi
  od
}

inline commit()
{
  if
  :: true ->
     reclaim ();
     select (k : 0 .. 2);
     close_unused (k);
     k = 0;
     EACH (tidy)
  :: true
  fi;
  assert (N1_one_is_open || newest == 0 || N_OPEN > 0);
  take (SIZE (head));
  do
  :: head - tail == RING && gate > tail -> retire ()
  :: head - tail == RING && gate <= tail -> gate > tail /* waits */
  :: else -> break
  od;
  find (SIZE (head));
  d_step {
    free != 0;
    r = (free & 1 -> 0 : (free & 2 -> 1 : (free & 4 -> 2 : 3)));
    free = free & ~(1 << r);
    slot = (FREE_OF (e) & 1 -> 0 : 1);
    gen = pool_of[e];
    holds = holds | (1 << r);
    refs[2 * e + slot]++
  }
  assert (G1_a_lent_slot_has_memory || (memory[gen] >> slot & 1));
  content[2 * gen + slot] = head + 1;
  d_step {
    record_gen[r] = gen;
    record_slot[r] = slot;
    record_seq[r] = head
  }
  d_step { word_rec = r; word_seq = head } /* A6, one word */
  small_came = SIZE (head) == SMALL;
  head++; /* A7 */
  d_step { r = 0; e = 0; gen = 0; slot = 0 }
}

/* Behind the last payload, a small one, which is all that is in use. An adopter keeps
 * the newest pool until it has another one. */
inline end()
{
  pins == 0 && reader_is_done;
  reclaim ();
  EACH (close_unused);
  EACH (tidy);
  assert (N2_big_slots_go || !small_came || (size_of[0] <= SMALL && size_of[1] <= SMALL
    && size_of[2] <= SMALL))
}

#ifdef ADOPT
bool killed;
byte kills = KILLS;

#define IS_KEPT (word_seq < head && record_seq[word_rec] == word_seq)

inline count(record)
{
  if
#ifdef KEPT_ALONE
  :: record_gen[record] != 0 && !(limbo >> record & 1) ->
#else
  :: record_gen[record] != 0 ->
#endif
     /* a record of a pool that is gone refers to none */
     record_gen[record] = (record_gen[record] != pool_of[0]
       && record_gen[record] != pool_of[1]
       && record_gen[record] != pool_of[2] -> 0 : record_gen[record]);
     if
     :: record_gen[record] != 0 ->
        holds = holds | (1 << record);
        refs[2 * PLACE (record_gen[record]) + record_slot[record]]++
     :: else
     fi
  :: else
  fi
}

/* C9 */
inline remove_strays()
{
  d_step {
    gen = 1;
    do
    :: gen <= GENS ->
       linked[gen] = linked[gen] && (entry_gen[0] == gen || entry_gen[1] == gen
         || entry_gen[2] == gen);
       gen++
    :: else -> break
    od;
    gen = 0
  }
}

/* Only the newest is lent of: what others gave back is not known. */
inline open_one(k)
{
#ifdef ALL_OPENED
  open[k] = pool_of[k] != 0
#else
  open[k] = pool_of[k] != 0 && pool_of[k] == newest
#endif
}

inline settle(k)
{
#ifndef FREE_STAYS
  give_back (k);
#endif
  assert (N3_no_memory_without_use || pool_of[k] == 0 || open[k]
    || (memory[pool_of[k]] & FREE_OF (k)) == 0)
}

inline adopt()
{
  d_step {
    pool_of[0] = entry_gen[0]; pool_of[1] = entry_gen[1]; pool_of[2] = entry_gen[2];
    size_of[0] = (pool_of[0] != 0 -> entry_size[0] : 0);
    size_of[1] = (pool_of[1] != 0 -> entry_size[1] : 0);
    size_of[2] = (pool_of[2] != 0 -> entry_size[2] : 0);
    refs[0] = 0; refs[1] = 0; refs[2] = 0; refs[3] = 0; refs[4] = 0; refs[5] = 0;
    newest = (pool_of[0] > pool_of[1] -> pool_of[0] : pool_of[1]);
    newest = (pool_of[2] > newest -> pool_of[2] : newest);
    open_one (0); open_one (1); open_one (2);
    small_came = false; holds = 0;
    limbo = 15; free = 0; tail = head; gen = 0; e = 0; r = 0; busy = 0; slot = 0; k = 0;
    if
    :: IS_KEPT -> limbo = limbo & ~(1 << word_rec); tail = word_seq
    :: else
    fi;
    count (0); count (1); count (2); count (3)
  }
#ifndef NOT_WHOLE
  if
  :: newest != 0 -> memory[newest] = BOTH /* make_whole() */
  :: else
  fi;
#endif
  EACH (settle);
  if
  :: word_seq != 15 && word_seq >= head -> word_seq = 15 /* C1 */
  :: else
  fi;
  remove_strays ();
  reclaim ()
}

proctype killer()
{
  do
  :: kills > 0 && !killed -> atomic { kills--; killed = true }
  :: break
  od
}
#endif

bool reader_is_done;

proctype producer()
{
  byte tail, newest, gen, e, r, slot, limbo, busy, free = 15, holds, k;
  byte pool_of[ENTRIES], size_of[ENTRIES], refs[2 * ENTRIES];
  bool open[ENTRIES], small_came;
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
       end ();
       goto over
     } unless { killed };
     atomic { killed = false; heir = true }
  od;
over:
  skip
#else
  do
  :: head < COMMITS -> commit ()
  :: else -> break
  od;
  end ()
#endif
}

/* Opens what the table names: the file must be there with the same numbers. */
inline open_entry(k)
{
  g = entry_gen[k];
  size = entry_size[k];
  if
  :: g != 0 && entry_gen[k] == g ->
     if
     :: linked[g] && size == file_size[g] -> opened[g] = true
     :: else
     fi
  :: else
  fi;
  atomic { g = 0; size = 0 }
}

inline refresh()
{
  known = changes;
  open_entry (0);
  open_entry (1);
  open_entry (2)
}

#ifdef RELIABLE
#define LOSES_NOTHING true
#else
#define LOSES_NOTHING false
#endif

inline read_one()
{
  if
  :: known != changes -> refresh ()
  :: else
  fi;
  if
  :: head > cursor ->
     d_step { s = word_seq; rec = word_rec } /* B2 */
     if
     :: s != cursor ->
        assert (I5_nothing_lost || !LOSES_NOTHING);
        cursor++
     :: s == cursor ->
        pins = 1 << rec; /* B3 */
        if
        :: word_seq == cursor && word_rec == rec -> /* B4 */
           need = record_gen[rec];
           if
           :: !opened[need] -> refresh ()
           :: else
           fi;
           assert (P3_pool_within_reach || opened[need]);
#ifdef RELIABLE
           gate = cursor + 1; /* B5 */
#endif
           assert (I1_no_overwrite
             || content[2 * need + record_slot[rec]] == cursor + 1);
           cursor++
        :: else -> assert (I5_nothing_lost || !LOSES_NOTHING)
        fi;
        pins = 0 /* B6 */
     fi;
     atomic { s = 0; rec = 0; need = 0 }
  :: else
  fi
}

proctype reader()
{
  byte cursor, known, g, size, s, rec, need;
  bool opened[GENS + 1];
  do
  :: cursor < COMMITS && (head > cursor || known != changes) -> read_one ()
  :: cursor == COMMITS -> break
  od;
  reader_is_done = true
}

init {
  atomic {
    run producer ();
#ifndef RELIABLE
    gate = COMMITS;
#endif
    run reader ();
#ifdef ADOPT
    run killer ();
#endif
    skip
  }
}
