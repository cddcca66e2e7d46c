/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server of a strict block: how clients come by pools, which have no names there.
 * One thread grows, another commits and lets old pools go, the server's lets a client
 * in and sends it what is owed; the producer dies at any step, or the client. What
 * a full socket did not take before the producer's death is out of reach. lib/core/producer/strict-server.c, producer-grow.c
 * (producer_add_pool, producer_tidy), strict-client.c (strict_client_take_pool, keep_pool).
 *
 * Between the steps lie locks or system calls: no buffers. Gates and pins are those
 * of pool, rows those of strict.
 * @covers pools behind the server, granted, owed; descriptors that a client keeps
 * @also OWED | the client's socket holds one message; the producer lives
 * @also ASLEEP | a client looks at its socket when many pools have come and gone, and
 *   one, of the bodies of events, has stayed
 * @mutant ENTRY_FIRST | P1, server | a pool is in the table before it was sent
 * @mutant LISTED_UNLOCKED | server | what a new client gets is listed before the lock
 * @mutant OWED_FORGOTTEN | server | what a full socket did not take is not sent again
 * @mutant PLACE_LATE | P2, server | an entry can be used again while the server still has
 *   the old pool in its place
 * @mutant CLOSED_FIRST | P2, server | a pool is closed before the server forgets it
 * @mutant OLDEST_GOES | P3, server | a client with too many descriptors closes the oldest
 */
#ifdef OLDEST_GOES
#define ASLEEP
#endif
#ifdef OWED_FORGOTTEN
#define OWED
#endif

#ifndef ASLEEP
#define COMMITS 4
#define RING 1
#define RECORDS 4
#define ENTRIES 2
#define GENS (COMMITS + 1)
#define NONE 15
#define OPEN 15

hidden byte I1_no_overwrite, P3_pool_within_reach, P3_the_pool_it_asks_for;

byte word_seq = NONE, word_rec; /* the ring's one word */
byte head, tail, newest;
byte record_gen[RECORDS];
byte content[RECORDS]; /* sequence + 1 */
byte pool_of[ENTRIES], used[ENTRIES]; /* the producer's own table */
bool leaving[ENTRIES];
byte pins, gate = OPEN;
/* The server. */
byte place[ENTRIES]; /* a pool's generation */
bool is_closed[GENS]; /* its descriptor */
bool server_lock, granted, dead, killed;
byte owed; /* bits: places */
/* The client's connection. */
bool asked, there;
byte descriptors; /* bits: pools, that it has or was sent with the grant */
#ifdef OWED
chan socket = [1] of { byte };
#else
chan socket = [COMMITS] of { byte };
#endif

#define LOCK_SERVER atomic { !server_lock; server_lock = true }
#define SPARE (pool_of[0] == 0 || pool_of[1] == 0)
#define IS_IDLE(e) (pool_of[e] != 0 && pool_of[e] < newest && used[e] == 0 && !leaving[e])

inline server_forgets(gen)
{
  LOCK_SERVER;
  atomic {
    place[0] = (place[0] == gen -> 0 : place[0]);
    place[1] = (place[1] == gen -> 0 : place[1])
  }
  server_lock = false
}

/* P2. The entry of the shared table goes with the first step: nobody looks there
 * here. */
inline tidy(e, old)
{
  if
  :: atomic { IS_IDLE (e) ->
       old = pool_of[e];
       leaving[e] = true;
#ifdef PLACE_LATE
       pool_of[e] = 0;
       leaving[e] = false
#endif
     }
#ifdef CLOSED_FIRST
     is_closed[old] = true;
#endif
     server_forgets (old);
#ifndef PLACE_LATE
     atomic { pool_of[e] = 0; leaving[e] = false }
#endif
     atomic { is_closed[old] = true; old = 0 }
  :: else
  fi
}

/* One message, or it is owed. */
inline send_pool(i)
{
  atomic {
    owed = owed & ~(1 << i);
    assert (P3_the_pool_it_asks_for || !is_closed[place[i]]);
    if
    :: place[i] != 0 && there && nfull (socket) -> socket!place[i]
#ifndef OWED_FORGOTTEN
    :: place[i] != 0 && there && full (socket) -> owed = owed | (1 << i)
#else
    :: place[i] != 0 && there && full (socket)
#endif
    :: place[i] == 0 || !there
    fi
  }
}

inline server_adds()
{
  LOCK_SERVER;
  atomic {
    i = (place[0] == 0 -> 0 : (place[1] == 0 -> 1 : ENTRIES));
    if
    :: i < ENTRIES -> place[i] = gen
    :: else /* it has as many as the table: never */
    fi
  }
  if
  :: i < ENTRIES && granted -> send_pool (i)
  :: else
  fi;
  server_lock = false;
  i = 0
}

inline install()
{
  atomic {
    e = (pool_of[0] == 0 -> 0 : 1);
    pool_of[e] = gen;
    used[e] = 0;
    newest = gen;
    e = 0
  }
}

/* Makes the pool of the next frame. */
proctype grower()
{
  byte gen, i, e, old;
  {
    do
    :: newest < COMMITS && newest <= head + 1 && SPARE ->
       gen = newest + 1;
#ifdef ENTRY_FIRST
       install ();
       server_adds ();
#else
       server_adds ();
       install ();
#endif
       tidy (0, old);
       tidy (1, old)
    :: newest == COMMITS -> break
    od
  } unless { dead }
}

#define PLACE(g) (pool_of[0] == g -> 0 : 1)

inline free_record(k)
{
  if
  :: ((limbo & ~busy) >> k) & 1 ->
     limbo = limbo & ~(1 << k);
     free = free | (1 << k);
     used[PLACE (record_gen[k])]--
  :: else
  fi
}

inline reclaim()
{
  busy = pins; /* A5 */
  d_step {
    free_record (0); free_record (1); free_record (2); free_record (3);
    busy = 0
  }
  tidy (0, old);
  tidy (1, old)
}

/* Where the gate lets it. */
inline retire()
{
  atomic { gate > tail -> word_seq = NONE; limbo = limbo | (1 << word_rec); tail++ }
}

inline commit()
{
  do
  :: head - tail == RING -> retire ()
  :: else -> break
  od;
  atomic {
    r = (free & 1 -> 0 : (free & 2 -> 1 : (free & 4 -> 2 : 3)));
    free = free & ~(1 << r);
    e = PLACE (newest);
    used[e]++;
    record_gen[r] = newest;
    content[r] = head + 1
  }
  atomic { word_rec = r; word_seq = head; head++; r = 0; e = 0 } /* A6, A7 */
}

/* Every frame is too big for the pools before. */
proctype streaming()
{
  byte limbo, busy, r, e, old, free = 15;
  {
    do
    :: head < COMMITS && newest > head -> commit ()
    :: head < COMMITS && newest <= head && !SPARE ->
       reclaim ();
       if
       :: !SPARE && tail < head && gate > tail -> retire ()
       :: else
       fi
    :: head == COMMITS -> break
    od
  } unless { dead }
}

#define LIST (((place[0] -> 1 << place[0] : 0)) | ((place[1] -> 1 << place[1] : 0)))

proctype server()
{
  byte list;
  {
end:
    do
    :: atomic { asked -> asked = false }
#ifdef LISTED_UNLOCKED
       list = LIST;
#endif
       LOCK_SERVER;
#ifndef LISTED_UNLOCKED
       list = LIST;
#endif
       atomic {
         assert (P3_the_pool_it_asks_for
           || (!is_closed[place[0]] && !is_closed[place[1]]));
         descriptors = descriptors | list;
         granted = true;
         list = 0
       }
       server_lock = false
    :: owed && (nfull (socket) || !there) ->
       LOCK_SERVER;
       if
       :: owed & 1 -> send_pool (0)
       :: else
       fi;
       if
       :: owed & 2 -> send_pool (1)
       :: else
       fi;
       server_lock = false
    od
  } unless { dead }
}

#define HAS(g) (descriptors & (1 << g))

/* Receives what came before. It waits while the producer lives. */
inline take(g)
{
  do
  :: atomic { !HAS (g) && nempty (socket) -> socket?x; descriptors = descriptors | (1 << x); x = 0 }
  :: HAS (g) -> break
  :: !HAS (g) && empty (socket) && dead -> break
  od;
  assert (P3_pool_within_reach || HAS (g))
}

inline read_one()
{
  rec = word_rec; /* its gate holds the word */
  pins = 1 << rec; /* B3 */
  take (record_gen[rec]);
  gate = cursor + 1; /* B5 */
  assert (I1_no_overwrite || (content[rec] == cursor + 1 && !is_closed[record_gen[rec]]));
  atomic { pins = 0; cursor++; rec = 0 } /* B6 */
}

proctype client()
{
  byte cursor, rec, x;
  {
    atomic { there = true; asked = true }
    if
    :: granted
    :: dead && !granted -> goto out
    fi;
    atomic { gate = tail; cursor = tail } /* joins */
    do
    :: cursor < head -> read_one ()
    :: cursor == COMMITS -> break
    :: cursor == head && dead -> break
    od;
out:
    skip
  } unless { killed };
  /* closed by the kernel, and its row is cleaned */
  d_step {
    there = false; pins = 0; gate = OPEN;
    do
    :: nempty (socket) -> socket?x
    :: empty (socket) -> break
    od
  }
}

proctype killer()
{
  if
  :: there -> killed = true
#ifndef OWED
  :: dead = true
#endif
  :: skip
  fi
}

init {
  atomic {
    run grower ();
    run streaming ();
    run server ();
    run client ();
    run killer ()
  }
}
#endif

#ifdef ASLEEP
#define GENS 8
#define STAYS 2
#define ENTRIES 3
#define KEPT 4 /* more than the table has */

hidden byte P3_pool_within_reach;

byte entry[ENTRIES]; /* the table */
byte newest;
byte n; /* of kept[] */
byte kept[KEPT + 1]; /* descriptors that came and are not mapped */
bool mapped[GENS];
chan socket = [GENS] of { byte };

#define IS_NAMED(g) (entry[0] == g || entry[1] == g || entry[2] == g)
#define FREE_ENTRY (entry[0] == 0 -> 0 : (entry[1] == 0 -> 1 : 2))

proctype producer()
{
  byte k;
  do
  :: newest < GENS - 1 ->
     socket!newest + 1;
     atomic { k = FREE_ENTRY; entry[k] = newest + 1; newest++; k = 0 }
     /* of the other kind the one before goes, sooner or later */
     if
     :: atomic { entry[0] && entry[0] != newest && entry[0] != STAYS -> entry[0] = 0 }
     :: atomic { entry[1] && entry[1] != newest && entry[1] != STAYS -> entry[1] = 0 }
     :: entry[0] == 0 || entry[1] == 0 || entry[2] == 0
     :: atomic { entry[2] && entry[2] != newest && entry[2] != STAYS -> entry[2] = 0 }
     fi
  :: else -> break
  od
}

inline drop(k)
{
  if
  :: n > KEPT && k < n &&
#ifdef OLDEST_GOES
     true ->
#else
     !IS_NAMED (kept[k]) ->
#endif
     i = k;
     do
     :: i + 1 < n -> kept[i] = kept[i + 1]; i++
     :: else -> break
     od;
     n--;
     kept[n] = 0;
     i = 0
  :: else
  fi
}

inline keep(g)
{
  d_step {
    kept[n] = g;
    n++;
    drop (0); drop (1); drop (2); drop (3);
    assert (P3_pool_within_reach || n <= KEPT)
  }
}

inline find(g)
{
  d_step {
    i = 0;
    do
    :: i < n && kept[i] != g -> i++
    :: else -> break
    od;
    if
    :: i < n ->
       mapped[g] = true;
       do
       :: i + 1 < n -> kept[i] = kept[i + 1]; i++
       :: else -> break
       od;
       n--;
       kept[n] = 0
    :: else
    fi;
    i = 0
  }
}

/* strict_client_take_pool() */
inline take(g)
{
  do
  :: find (g);
     if
     :: mapped[g] -> break
     :: !mapped[g] && nempty (socket) -> atomic { socket?x; keep (x); x = 0 }
     :: !mapped[g] && empty (socket) -> break
     fi
  od;
  assert (P3_pool_within_reach || mapped[g] || !IS_NAMED (g))
}

proctype client()
{
  byte g, e, i, x;
  do
  :: e < ENTRIES ->
     g = entry[e];
     if
     :: g && !mapped[g] -> take (g)
     :: else
     fi;
     atomic { e++; g = 0 }
  :: else -> break
  od
}

init {
  atomic {
    run producer ();
    run client ()
  }
}
#endif
