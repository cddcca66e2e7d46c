/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Growth by pools: every frame is too big for the pool before, so each comes in
 * a pool of its own; the table has two entries, used again. A reliable and a
 * live reader open pools as they see them, or when a record needs one. An old
 * pool goes when no record, in the ring or in limbo, refers to it.
 * A record of an older pool that is open is like one committed before: a pool leaves
 * the table only after it was closed, when no slot of it is lent any more.
 * lib/core/producer/producer-pools.c, producer-grow.c, producer-ring.c,
 * named-memory.c, consumer-pools.c, consumer-view.c (open_pools), block.c
 * (pool_shape_read), block-open.c (pool_open), producer-adopt.c (take_pools, tidy_files).
 *
 * Every access here is seq_cst or ordered by one; no buffers.
 * @covers P1 P2 P3, the pool table, pool_changes, limbo, the gate
 * @also RELIABLE | 4 frames, the reliable reader alone
 * @also LIVE | 4 frames, the live reader alone
 * @also ADOPT | the reliable reader alone; the producer dies at any step, the block is
 *   adopted
 * @long TWICE | the same, and so does the adopter
 * @mutant PINS_IGNORED | P2 | a pool goes when the ring lets go of it
 * @mutant LIMBO_IGNORED | P2 | slots are freed at the retire, not at the reclaim
 * @mutant CACHE_BY_PLACE | P3 | mappings are known by their place in the table
 * @mutant GEN_USED_AGAIN | P1 | a new pool has the number of a gone one
 * @mutant ENTRY_LATE | P1 | a record is committed before its pool's entry
 * @mutant ENTRY_TAKEN | P2 | an entry is used while its pool is there
 * @mutant NO_NEED_POOL | P3 | a pool is opened only when pool_changes says so
 * @mutant KEPT_ALONE | D1 | pools count that kept records refer to, no others
 * @mutant NEWEST_BY_PLACE | P4 | an adopter takes the pool of the first entry for the newest
 * @mutant STRAYS_STAY | C9 | files that the table does not name stay
 * @argued DROPS_AT_THE_LIMIT | P5 | what happens at max-bytes | a choice to wait or drop,
 *   and nothing shared; the model waits
 * @equivalent GEN_FROM_TABLE | C9 | the next generation is one more than the table's
 *   newest | what was begun beyond that was in no table, and its file goes first
 * @equivalent UNLINK_FIRST | P2 | the name goes before the entry | a pool that goes is
 *   needed by nobody; a reader only fails to open it in advance
 * @equivalent GEN_FIRST | P1 | the entry's generation is stored before the rest | the
 *   file says it too, and no record needs the pool yet
 * @equivalent NO_SECOND_GEN | P3 | the generation is not loaded again | the file
 *   says its generation and size too, and they are compared
 */
#ifdef GEN_USED_AGAIN
#define LIVE
#endif
#if defined (KEPT_ALONE) || defined (NEWEST_BY_PLACE) || defined (STRAYS_STAY) \
  || defined (GEN_FROM_TABLE) || defined (TWICE)
#define ADOPT
#endif
#ifdef ADOPT
#define RELIABLE
#ifdef TWICE
#define KILLS 2
#else
#define KILLS 1
#endif
#else
#define KILLS 0
#endif
#if (defined (RELIABLE) || defined (LIVE)) && !defined (ADOPT)
#define COMMITS 4
#else
#define COMMITS 3
#endif
#define RING 1
#define RECORDS 4
#define ENTRIES 2
#define GENS (COMMITS + KILLS + 1)

hidden byte I1_no_overwrite, P3_pool_within_reach, I5_nothing_lost,
    I9_growth_goes_on, I14_judged_whole, N1_nothing_is_left;

byte word_seq = 15, word_rec; /* the ring's one word; 15: none */
byte head;
byte entry_gen[ENTRIES], entry_size[ENTRIES]; /* a pool's size is its gen */
byte changes, next_gen;
bool linked[GENS + 1];
byte content[GENS + 1]; /* of the one slot of each pool: sequence + 1 */
byte record_gen[RECORDS], record_seq[RECORDS];
byte pins[2];
byte gate; /* of the reliable reader */

/* P2 */
inline tidy(e)
{
  if
#ifdef ENTRY_TAKEN
  :: pool_of[e] != 0 && pool_of[e] < newest && (used[e] == 0 || !spare) ->
#else
  :: pool_of[e] != 0 && pool_of[e] < newest && used[e] == 0 ->
#endif
#ifdef UNLINK_FIRST
     linked[pool_of[e]] = false;
     entry_gen[e] = 0;
     changes++;
#else
     entry_gen[e] = 0;
     changes++;
     linked[pool_of[e]] = false;
#endif
     content[pool_of[e]] = 0; /* punched */
     atomic { pool_of[e] = 0; used[e] = 0 }
  :: else
  fi
}

#define PLACE(gen) (pool_of[0] == gen -> 0 : 1)

inline free_record(r)
{
  if
  :: ((limbo & ~busy) >> r) & 1 ->
     limbo = limbo & ~(1 << r);
     free = free | (1 << r);
#ifdef ADOPT
     /* unless it refers to none */
     used[PLACE (record_gen[r])] = (record_gen[r] != 0 ->
       used[PLACE (record_gen[r])] - 1 : used[PLACE (record_gen[r])])
#elif !defined (LIMBO_IGNORED)
     used[PLACE (record_gen[r])]--
#endif
  :: else
  fi
}

inline reclaim()
{
  busy = pins[0];
  busy = busy | pins[1];
#ifdef PINS_IGNORED
  busy = 0;
#endif
  d_step {
    free_record (0); free_record (1); free_record (2); free_record (3);
    busy = 0
  }
  tidy (0);
  tidy (1)
}

inline retire()
{
  r = word_rec;
  word_seq = 15; /* A3 */
#ifdef LIMBO_IGNORED
  used[PLACE (record_gen[r])]--;
#endif
  atomic { limbo = limbo | (1 << r); tail++; r = 0 }
}

#define SPARE (pool_of[0] == 0 || pool_of[1] == 0)

/* P1: a free entry, a file with its name, the entry, its generation last. */
inline grow()
{
  do
  :: SPARE -> break
  :: !SPARE ->
     reclaim ();
#ifdef ENTRY_TAKEN
     break
#else
     if
     :: SPARE
     :: !SPARE && tail < head && gate > tail -> retire ()
     :: atomic { !SPARE && (tail == head || gate <= tail) ->
          /* waits: for a pin or the gate */
          assert (I9_growth_goes_on || pins[0] || pins[1] || limbo
            || (tail < head && gate <= tail)) }
     fi
#endif
  od;
#ifdef ENTRY_TAKEN
  spare = SPARE;
  tidy (0);
  spare = SPARE;
  if
  :: !SPARE -> tidy (1)
  :: else
  fi;
#endif
  atomic {
    e = (pool_of[0] == 0 -> 0 : 1);
    next_gen++;
#ifdef GEN_USED_AGAIN
    gen = (next_gen > 2 -> next_gen - 2 : next_gen);
#else
    gen = next_gen;
#endif
    newest = next_gen;
    pool_of[e] = gen;
    used[e] = 0;
    content[gen] = 0
  }
  linked[gen] = true;
#ifndef ENTRY_LATE
  install ()
#endif
}

inline install()
{
#ifdef GEN_FIRST
  entry_gen[e] = gen;
  entry_size[e] = gen;
#else
  entry_size[e] = gen;
  entry_gen[e] = gen;
#endif
  changes++
}

inline commit()
{
  grow ();
  /* room in the ring: the gate may forbid it */
  do
  :: head - tail == RING && gate > tail -> retire ()
  :: head - tail == RING && gate <= tail -> gate > tail /* waits */
  :: else -> break
  od;
  atomic {
    r = (free & 1 -> 0 : (free & 2 -> 1 : (free & 4 -> 2 : 3)));
    free = free & ~(1 << r);
    used[e]++
  }
  content[gen] = head + 1;
  d_step { record_gen[r] = gen; record_seq[r] = head }
  d_step { word_rec = r; word_seq = head } /* A6, one word */
  head++; /* A7 */
#ifdef ENTRY_LATE
  install ();
#endif
  atomic { r = 0; e = 0; gen = 0 }
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
     used[0] = (record_gen[record] == pool_of[0] -> used[0] + 1 : used[0]);
     used[1] = (record_gen[record] == pool_of[1] -> used[1] + 1 : used[1]);
     /* one whose pool is gone refers to none */
     record_gen[record] = (record_gen[record] != pool_of[0]
       && record_gen[record] != pool_of[1] -> 0 : record_gen[record])
  :: else
  fi
}

inline remove_stray(g)
{
  if
  :: linked[g] && entry_gen[0] != g && entry_gen[1] != g -> linked[g] = false
  :: else
  fi
}

inline adopt()
{
  d_step {
    pool_of[0] = entry_gen[0]; pool_of[1] = entry_gen[1];
    used[0] = 0; used[1] = 0;
#ifdef NEWEST_BY_PLACE
    newest = (pool_of[0] != 0 -> pool_of[0] : pool_of[1]);
#else
    newest = (pool_of[0] > pool_of[1] -> pool_of[0] : pool_of[1]);
#endif
    limbo = 15; free = 0; tail = head; gen = 0; e = 0; r = 0; busy = 0;
    if
    :: IS_KEPT -> limbo = limbo & ~(1 << word_rec); tail = word_seq
    :: else
    fi;
    count (0); count (1); count (2); count (3)
  }
  if
  :: word_seq != 15 && word_seq >= head -> word_seq = 15 /* C1 */
  :: else
  fi;
#ifdef GEN_FROM_TABLE
  next_gen = newest;
#endif
#ifndef STRAYS_STAY
  remove_stray (1); remove_stray (2); remove_stray (3) /* C9 */
#ifdef TWICE
  ; remove_stray (4); remove_stray (5)
#endif
  ;
#endif
  reclaim ()
}

proctype killer()
{
  do
  :: kills > 0 && !killed -> atomic { kills--; killed = true }
  :: break
  od
}

#define STRAY(g) (linked[g] && pool_of[0] != g && pool_of[1] != g)
#endif

proctype producer()
{
  byte tail, newest, gen, e, r, limbo, busy, free = 15, pool_of[ENTRIES],
      used[ENTRIES];
  bool spare;
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
       assert (N1_nothing_is_left || (!STRAY (1) && !STRAY (2) && !STRAY (3)
         && !STRAY (4) && !STRAY (GENS)));
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
  od
#endif
}

/* Opens what the table names: the file must be there and say the same. */
inline open_entry(k)
{
  g = entry_gen[k];
  size = entry_size[k];
  if
#ifdef NO_SECOND_GEN
  :: g != 0 ->
#else
  :: g != 0 && entry_gen[k] == g ->
#endif
     if
     :: linked[g] && size == g -> opened[g] = true; at_place[k] = g
     :: else
     fi
  :: else
  fi;
  atomic { g = 0; size = 0 }
}

/* at_place is what a cache by place would know; the first it saw stays. */
inline refresh()
{
  known = changes;
#ifdef CACHE_BY_PLACE
  if
  :: at_place[0] == 0 -> open_entry (0)
  :: else
  fi;
  if
  :: at_place[1] == 0 -> open_entry (1)
  :: else
  fi
#else
  open_entry (0);
  open_entry (1)
#endif
}

#ifdef CACHE_BY_PLACE
#define MAPPED(gen) ((entry_gen[0] == gen -> at_place[0] : at_place[1]))
#define IS_OPEN(gen) (MAPPED (gen) != 0)
#else
#define MAPPED(gen) gen
#define IS_OPEN(gen) opened[gen]
#endif

inline read_one(i)
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
        assert (I5_nothing_lost || i == 1);
        cursor++
     :: s == cursor ->
        pins[i] = 1 << rec; /* B3 */
        if
        :: word_seq == cursor && word_rec == rec -> /* B4 */
           need = record_gen[rec];
           if
           :: !IS_OPEN (need) ->
#ifndef NO_NEED_POOL
              refresh ()
#else
              skip
#endif
           :: else
           fi;
           assert (P3_pool_within_reach || IS_OPEN (need));
           if
           :: i == 0 -> gate = cursor + 1 /* B5 */
           :: else
           fi;
           assert (I1_no_overwrite || content[MAPPED (need)] == cursor + 1);
           cursor++
        :: else -> assert (I5_nothing_lost || i == 1)
        fi;
        pins[i] = 0 /* B6 */
     fi;
     atomic { s = 0; rec = 0; need = 0 }
  :: else
  fi
}

proctype reader(byte i)
{
  byte cursor, known, g, size, s, rec, need, at_place[ENTRIES];
  bool opened[GENS + 1];
  do
  :: cursor < COMMITS && (head > cursor || known != changes) -> read_one (i)
  :: cursor == COMMITS -> break
  od
}

init {
  atomic {
    run producer ();
#ifdef LIVE
    gate = COMMITS;
#else
    run reader (0);
#endif
#ifndef RELIABLE
    run reader (1);
#endif
#ifdef ADOPT
    run killer ();
#endif
    skip
  }
}
