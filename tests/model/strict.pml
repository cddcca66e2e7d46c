/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of a strict block. The server's thread makes a row for each client and hands
 * it over with a token, whose lock says that the client lives; the streaming thread
 * looks for the dead too, and scans whatever is mapped where rows are. A client may
 * pin all it likes, hang up and read on, or give its token back and write on to
 * the row that it had. Both clients and the producer die at any step.
 * lib/core/producer/strict-rows.c, strict-server.c (listen_to, give_access, send_access),
 * strict-client.c (take_over, strict_client_close), producer-evict.c (ring_charge_blockers),
 * producer-ring.c (row_needs, scan_pins).
 *
 * Between the steps of the two threads lie system calls or locks, the pins are
 * pin-ring's: no buffers. A message on its way has descriptors of its own, which
 * the kernel closes if nobody is left to take it.
 * @covers tokens, rows as objects, rows_hwm, claims, the lock of the reaper; GATE: accounts of
 *   who is in the way
 * @also PRODUCER_DIES | at any step, and one client
 * @long TWO_ROWS | both clients may be in
 * @also GATE | the client before could know the next one's gate, and wobble
 * @long COMES_AGAIN | the first client comes twice
 * @mutant TOKEN_LATE | token | the lock is taken when the row is in the scan
 * @mutant TOKEN_IS_OURS | token | a second descriptor of the producer's own description
 * @mutant INSTALL_LATE | strict row, A5 | in the scan after it was sent
 * @mutant STRICT_HWM_LATE | rows_hwm, A4 | rows_hwm is raised after the row was sent
 * @mutant HWM_OF_CLIENTS | rows_hwm, A4 | the word that clients can write to is believed
 * @mutant OBJECT_AGAIN | strict row | the next client gets the same memory
 * @mutant STAYS_MAPPED | strict row | a row is left in the scan until it is given again
 * @mutant HANG_UP_IS_DEATH | token | who hangs up is dead
 * @mutant STRICT_NO_REAP_LOCK | token, D3 | two threads look for the dead at once
 * @mutant TOKEN_KEPT | token | the producer keeps its copy of a token
 * @mutant UNSENT_KEPT | token | it does where the client is gone before the answer
 * @mutant CLAIM_LATE | claims | told after the row was sent
 * @mutant CLAIM_STAYS | claims | not taken back from the dead
 * @mutant NO_SETTLING | L4 | a row is given again while a look at the last owner's is
 *   under way, with that one's account
 * @mutant ACCOUNT_STAYS | L4, L5 | the next owner goes on with the last one's account
 * @mutant SPINS_UNLOCKED | L4 | the spin for gates looks, and evicts, without the lock
 * @equivalent NOT_CLEANED | D9 | a row is taken out of the scan as it is | nobody reads
 *   it any more; cleaning is for a kernel that refuses to map another in its place
 */
#if defined (NO_SETTLING) || defined (ACCOUNT_STAYS) || defined (SPINS_UNLOCKED)
#define GATE
#endif
#ifdef TWO_ROWS
#define ROWS 2
#else
#define ROWS 1
#endif
#ifdef COMES_AGAIN
#define LIVES(g) (2 - g)
#define OBJECTS 4
#else
#define LIVES(g) 1
#define OBJECTS 3
#endif
#define CLIENTS 2
#define COMMITS 3
#define RECORDS (ROWS + 1)
#define ALL ((1 << RECORDS) - 1)
#define NONE 15

/* Connections. */
#define IDLE 0
#define ASKED 1
#define HEARD 2
#define GRANTED 3 /* the answer is on its way */
#define REFUSED 4
#define IN 5

#define BLANK 0 /* what is mapped where nobody has the row */

hidden byte I1_no_overwrite, I2_no_false_reap, I10_one_owner, I10_claim_is_told,
    I14_clean_in_the_end, L4_evicted_for_its_own_stall;

/* Row objects. */
byte pins[OBJECTS], claim_in[OBJECTS];
bool locked[OBJECTS]; /* its token's description */
byte tokens[OBJECTS]; /* descriptors of it */
byte made;
/* The producer's. */
byte mapped[ROWS], object[ROWS], claim_no[ROWS], claims[ROWS];
bool granted[ROWS];
byte hwm;
bool reap_lock, dead, gone; /* gone: and the kernel has closed all it had */
byte own; /* the token that the server has a copy of */
/* Clients. */
byte conn[CLIENTS], answer[CLIENTS], answer_row[CLIENTS], life[CLIENTS];
bool killed[CLIENTS], hung[CLIENTS];
byte in_row[ROWS]; /* who holds a token of it; what the test knows */
#if defined (PRODUCER_DIES) || defined (TWO_ROWS) || defined (GATE)
byte kills = 1;
#else
byte kills = 2;
#endif

#ifdef TOKEN_IS_OURS
#define IS_FREE(o) true /* no conflict with itself */
#else
#define IS_FREE(o) (!locked[o] || tokens[o] == 0)
#endif
#ifdef STRICT_NO_REAP_LOCK
#define LOCK_ROWS skip
#define UNLOCK_ROWS skip
#else
#define LOCK_ROWS atomic { !reap_lock; reap_lock = true }
#define UNLOCK_ROWS reap_lock = false
#endif

inline retire(i)
{
  atomic {
    assert (I2_no_false_reap || in_row[i] == 0);
#ifndef NOT_CLEANED
    pins[mapped[i]] = 0
#endif
  }
#ifndef CLAIM_STAYS
  claims[i] = 0;
#endif
#ifndef STAYS_MAPPED
  mapped[i] = BLANK;
#endif
  atomic { object[i] = 0; granted[i] = false }
}

inline reap(i)
{
  if
  :: granted[i] && IS_FREE (object[i]) -> retire (i)
  :: else
  fi
}

inline map_row(i)
{
  atomic {
    mapped[i] = o;
    object[i] = o;
    granted[i] = true;
    claim_no[i]++
  }
#ifndef CLAIM_LATE
  claims[i] = claim_no[i];
#endif
#ifndef STRICT_HWM_LATE
  hwm = (hwm > i -> hwm : i + 1)
#endif
}

inline install(i)
{
  LOCK_ROWS;
  map_row (i);
  UNLOCK_ROWS
}

#ifdef GATE
#define OPEN 0
#define EVICTED 15
#define TIMEOUT 2
#define WOBBLE 4
#define ROUNDS 6
byte gate[OBJECTS], charged[OBJECTS];
bool ring_lock, distrusted;
byte account_gate, slept, stuck;
#define LOCK_RING atomic { !ring_lock; ring_lock = true }
#define UNLOCK_RING ring_lock = false
#endif

/* Between the last owner and the next: every look that began is over. */
inline settle()
{
#if defined (GATE) && !defined (NO_SETTLING)
  LOCK_RING;
#ifndef ACCOUNT_STAYS
  atomic { account_gate = 0; slept = 0; stuck = 0 }
#endif
  distrusted = false;
  UNLOCK_RING
#else
  skip
#endif
}

/* The connection is the one that was heard, not what came after it. */
#define IS_THERE(g) (conn[g] == HEARD && life[g] == heard)

inline send_row(g, i)
{
  atomic {
    sent = IS_THERE (g);
    if
    :: sent ->
       assert (I10_one_owner || in_row[i] == 0);
       in_row[i]++;
       tokens[o]++;
       answer[g] = o;
       answer_row[g] = i;
       conn[g] = GRANTED
    :: else
    fi
  }
}

inline give_access(g)
{
  LOCK_ROWS;
#if ROWS > 1
  reap (1);
#endif
  reap (0);
  atomic {
    row = (granted[0] -> 1 : 0);
#if ROWS > 1
    row = (granted[0] && granted[1] -> 2 : row)
#endif
  }
  UNLOCK_ROWS;
  if
  :: row == ROWS ->
     d_step { conn[g] = (IS_THERE (g) -> REFUSED : conn[g]) }
  :: else ->
     settle ();
     atomic {
#ifdef OBJECT_AGAIN
       o = row + 1;
       pins[o] = 0;
       locked[o] = false;
#else
       made++;
       o = made;
#endif
       claim_in[o] = claim_no[row];
       own = o;
       tokens[o]++
     }
#ifndef TOKEN_LATE
     locked[o] = true;
#endif
#ifdef NO_SETTLING
     LOCK_ROWS;
     map_row (row);
     distrusted = false;
     UNLOCK_ROWS;
#elif !defined (INSTALL_LATE)
     install (row);
#endif
#ifdef TOKEN_LATE
     locked[o] = true;
#endif
     send_row (g, row);
#ifdef INSTALL_LATE
     install (row);
#endif
#ifdef STRICT_HWM_LATE
     hwm = (hwm > row -> hwm : row + 1);
#endif
#ifdef CLAIM_LATE
     claims[row] = claim_no[row];
#endif
#ifdef TOKEN_KEPT
     own = 0
#elif defined (UNSENT_KEPT)
     d_step { tokens[o] = (sent -> tokens[o] - 1 : tokens[o]); own = 0 }
#else
     d_step { tokens[o]--; own = 0 }
#endif
  fi;
  atomic { row = 0; o = 0; sent = false; heard = 0 }
}

/* A connection that ends is only a reason to look. */
inline look_at(g)
{
  LOCK_ROWS;
#ifdef HANG_UP_IS_DEATH
  if
  :: granted[0] -> retire (0)
  :: else
  fi;
#else
  reap (0);
#if ROWS > 1
  reap (1);
#endif
#endif
  UNLOCK_ROWS
}

proctype server()
{
  byte row, o, heard;
  bool sent;
  {
end:
    do
    :: atomic { conn[0] == ASKED -> conn[0] = HEARD; heard = life[0] } give_access (0)
    :: atomic { conn[1] == ASKED -> conn[1] = HEARD; heard = life[1] } give_access (1)
    :: atomic { hung[0] -> hung[0] = false } look_at (0)
    od
  } unless { dead };
  d_step { tokens[own] = (own -> tokens[own] - 1 : tokens[own]); gone = true }
}

#ifndef GATE
byte content[RECORDS]; /* sequence + 1 */
byte word_seq, word_rec; /* the ring's one word: sequence 0 is there */
#ifdef HWM_OF_CLIENTS
byte bell_hwm = 1;
#endif

inline scan(i)
{
  if
#ifdef HWM_OF_CLIENTS
  :: bell_hwm > i -> busy = busy | pins[mapped[i]]
#else
  :: hwm > i -> busy = busy | pins[mapped[i]] /* A5 */
#endif
  :: else
  fi
}

inline commit()
{
  if
  :: word_seq != NONE ->
     atomic { limbo = limbo | (1 << word_rec); word_seq = NONE } /* A3 */
  :: else
  fi;
  LOCK_ROWS;
  reap (0);
#if ROWS > 1
  reap (1);
#endif
  UNLOCK_ROWS;
  scan (0);
#if ROWS > 1
  scan (1);
#endif
  atomic { free = free | (limbo & ~busy); limbo = limbo & busy; busy = 0 }
  /* where all is pinned the frame is dropped */
  if
  :: free ->
     atomic {
       r = (free & 1 -> 0 : (free & 2 -> 1 : 2));
       free = free & ~(1 << r);
       content[r] = n + 1
     }
     atomic { word_rec = r; word_seq = n; r = 0 } /* A6, A7 */
  :: else
  fi;
  n++
}

proctype streaming()
{
  byte n = 1, r, busy, limbo, free = ALL - 1;
  {
    do
    :: n < COMMITS -> commit ()
    :: else -> break
    od;
    /* once a second */
end:
    do
    :: granted[0] && IS_FREE (object[0]) -> LOCK_ROWS; reap (0); UNLOCK_ROWS
#if ROWS > 1
    :: granted[1] && IS_FREE (object[1]) -> LOCK_ROWS; reap (1); UNLOCK_ROWS
#endif
    od
  } unless { dead }
}

inline read_one(g)
{
  atomic { s = word_seq; rec = word_rec } /* B2 */
  if
  :: s != NONE ->
     pins[mine] = pins[mine] | (1 << rec); /* B3 */
     if
     :: word_seq == s && word_rec == rec -> /* B4 */
        assert (I1_no_overwrite || content[rec] == s + 1)
     :: else
     fi;
     pins[mine] = pins[mine] & ~(1 << rec) /* B6 */
  :: else
  fi;
  atomic { s = 0; rec = 0 }
}

inline stay(g)
{
  if
  :: g == 0 -> atomic { pins[mine] = ALL } /* to the end */
#ifdef HWM_OF_CLIENTS
  :: g == 0 -> bell_hwm = 0
#endif
  :: g == 0 -> hung[g] = true; read_one (g)
  :: read_one (g)
  fi;
  assert (I10_claim_is_told || claims[row] == claim_in[mine] + 1)
}

/* What a ghost does to the row that it had. */
inline haunt(g)
{
  if
  :: g == 0 -> atomic { pins[mine] = ALL }
  :: g == 0 -> pins[mine] = 0
  :: true
  fi
}
#else

inline get_evicted()
{
  atomic {
    assert (L4_evicted_for_its_own_stall || mapped[0] == BLANK
      || charged[mapped[0]] >= TIMEOUT);
    gate[mapped[0]] = EVICTED
  }
}

/* row_needs() */
inline look_at_gate()
{
  w = gate[mapped[0]];
  if
  :: distrusted ->
     if
     :: w == OPEN -> distrusted = false
     :: w != OPEN && w != EVICTED -> get_evicted ()
     :: w == EVICTED
     fi
  :: else
  fi
}

/* charge_blockers(): one slice slept */
inline charge()
{
  atomic {
    w = gate[mapped[0]];
    charged[mapped[0]] = charged[mapped[0]] + (w != OPEN && w != EVICTED)
  }
  if
  :: w == OPEN || w == EVICTED || distrusted ->
     atomic { account_gate = 0; slept = 0; stuck = 0 }
  :: else ->
     atomic {
       slept = (account_gate == w -> slept + 1 : 1);
       account_gate = w;
       stuck++
     }
     if
     :: slept >= TIMEOUT || stuck >= WOBBLE ->
        distrusted = (stuck >= WOBBLE -> true : distrusted);
        atomic { /* compare-and-swap */
          if
          :: gate[mapped[0]] == w ->
             assert (L4_evicted_for_its_own_stall || charged[mapped[0]] >= TIMEOUT);
             gate[mapped[0]] = EVICTED
          :: else
          fi
        }
        atomic { account_gate = 0; slept = 0; stuck = 0 }
     :: else
     fi
  fi
}

proctype streaming()
{
  byte n, w;
  {
    do
    :: n < ROUNDS ->
#ifdef SPINS_UNLOCKED
       look_at_gate ();
#endif
       LOCK_RING;
       look_at_gate ();
       charge ();
       UNLOCK_RING;
       atomic { n++; w = 0 }
    :: true -> break
    od;
end:
    do
    :: granted[0] && IS_FREE (object[0]) -> LOCK_ROWS; reap (0); UNLOCK_ROWS
    od
  } unless { dead }
}

/* A gate says whose it is, and of the sequence that is blocked there is one; the
 * first client says what it likes. */
inline stay(g)
{
  if
  :: g == 0 ->
     do
     :: atomic { gate[mine] = claim_in[mine] + 1 }
     :: atomic { gate[mine] = claim_in[mine] + 2 }
     :: break
     od
  :: g == 1 ->
     gate[mine] = claim_in[mine] + 1;
     d_step { gate[mine] = (gate[mine] == EVICTED -> EVICTED : OPEN) }
  fi
}

inline haunt(g)
{
  skip
}
#endif

inline give_back()
{
  d_step { tokens[mine]--; in_row[row]--; holds = false }
}

inline request(g)
{
  if
  :: atomic { conn[g] == GRANTED -> conn[g] = IN; mine = answer[g];
       row = answer_row[g]; holds = true };
     stay (g);
     give_back ();
     haunt (g)
  :: conn[g] == REFUSED
  :: gone && conn[g] != GRANTED
  fi
}

/* The kernel's, when it is over or dead. */
inline close_all(g)
{
  d_step {
    if
    :: conn[g] == GRANTED -> tokens[answer[g]]--; in_row[answer_row[g]]--
    :: else
    fi;
    if
    :: holds -> tokens[mine]--; in_row[row]--
    :: else
    fi;
    holds = false; mine = 0; row = 0; conn[g] = IDLE; answer[g] = 0; answer_row[g] = 0;
    killed[g] = false;
#ifndef GATE
    s = 0; rec = 0
#endif
  }
}

proctype client(byte g)
{
  byte mine, row;
#ifndef GATE
  byte s, rec;
#endif
  bool holds;
  do
  :: life[g] < LIVES (g) ->
     atomic { life[g]++; conn[g] = ASKED }
     { request (g) } unless { killed[g] };
     close_all (g)
  :: else -> break
  od
}

proctype killer()
{
end:
  do
  :: atomic { kills > 0 && conn[0] != IDLE -> kills--; killed[0] = true }
  :: atomic { kills > 0 && conn[1] != IDLE -> kills--; killed[1] = true }
#ifdef PRODUCER_DIES
  :: !dead -> dead = true
#endif
  od
}

#define IS_NEUTRAL(i) (!granted[i] && claims[i] == 0 && pins[mapped[i]] == 0)

/* When nothing can go on. */
proctype watch()
{
end:
  timeout ->
    assert (I14_clean_in_the_end || dead || (IS_NEUTRAL (0) && IS_NEUTRAL (ROWS - 1)))
}

init {
  atomic {
#ifndef GATE
    content[0] = 1;
#endif
    run server ();
    run streaming ();
    run client (0);
    run client (1);
    run killer ();
    run watch ()
  }
}
