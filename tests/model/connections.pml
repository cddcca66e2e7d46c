/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connections of a strict block's server: there is one row, one pending place,
 * and so two places in the server's table. Clients come with
 * a ticket of their own or one that they saw, greet or do not, give the row back
 * when they like, and hang up or stay. lib/core/producer/strict-server.c (accept_connection, read_greeting, give_access,
 * drop_former), ticket.c (ticket_take).
 *
 * One thread does all of it; what it is told in which order is the clients' choice.
 * @covers connections[], the pending ones, the book of tickets
 * @mutant FORMER_STAYS | server | who had the row before keeps his place at the server
 * @mutant SHUT_WHEN_FULL | server | a full table lets nobody in
 * @mutant PENDING_WITHOUT_END | server | who does not greet keeps his place
 * @mutant NOT_NOTED | ticket | a ticket is not noted
 * @mutant NOTES_END_WITH_ROWS | ticket | it is forgotten when the client leaves
 * @mutant FORGOTTEN | ticket | what a full list forgot is good again when the clock is set back
 * @mutant NOT_GIVEN_BACK | ticket | a ticket is spent though no row was given for it
 */
#define MAX_PENDING 1
#define TABLE (1 + MAX_PENDING) /* one row */
#define CONNECTIONS 3
#define EXPIRY 1
/* What a connection is. */
#define NOT_YET 0
#define KNOCKS 1
#define IS_PENDING 2
#define GRANTED 3
#define SENT_AWAY 4

hidden byte I15_no_place_beyond_the_table, R_ticket_spent_once,
    I9_a_free_row_is_given, R_ticket_pays_for_a_row;

byte conn[CONNECTIONS], ticket[CONNECTIONS];
bool greeted[CONNECTIONS], token[CONNECTIONS], hung[CONNECTIONS];
byte n_connections;
bool taken[CONNECTIONS];
byte spent[CONNECTIONS];
byte now, forgotten; /* a clock that can be set; the latest expiry that was forgotten */

#define IN_TABLE(c) (conn[c] == IS_PENDING || conn[c] == GRANTED)
#define HAS_ROW(c) (conn[c] == GRANTED && token[c])
#define LIVES (token[0] || token[1] || token[2])
#define COUNT_PENDING(c) (conn[c] == IS_PENDING -> 1 : 0)
#define N_PENDING ((COUNT_PENDING (0)) + (COUNT_PENDING (1)) + (COUNT_PENDING (2)))

inline drop_connection(c)
{
  conn[c] = SENT_AWAY;
  n_connections--
}

inline drop_former(d)
{
  if
  :: d != c && conn[d] == GRANTED -> drop_connection (d)
  :: else
  fi
}

/* ticket_take(): good is what it says. A full list forgets what has expired; which
 * others fill it is not modelled, so it may be full at any time. */
inline judge()
{
  if
  :: now >= EXPIRY ->
     taken[0] = false; taken[1] = false; taken[2] = false;
#ifndef FORGOTTEN
     forgotten = EXPIRY
#endif
  :: true
  fi;
  good = now < EXPIRY && forgotten < EXPIRY && !taken[ticket[c]];
  if
  :: good ->
#ifndef NOT_NOTED
     taken[ticket[c]] = true
#endif
  :: else
  fi
}

inline read_greeting()
{
  atomic {
    judge ();
    if
    :: good && !LIVES ->
       conn[c] = GRANTED;
       token[c] = true;
       spent[ticket[c]]++;
       assert (R_ticket_spent_once || spent[ticket[c]] <= 1);
#if !defined (FORMER_STAYS) && !defined (SHUT_WHEN_FULL)
       drop_former (0); drop_former (1); drop_former (2)
#endif
    :: else ->
       if
       :: good ->
#ifndef NOT_GIVEN_BACK
          taken[ticket[c]] = false; /* ticket_give_back() */
#endif
          assert (R_ticket_pays_for_a_row || !taken[ticket[c]])
       :: else
       fi;
       drop_connection (c)
    fi;
    good = false
  }
}

inline push_out(d)
{
  if
  :: N_PENDING >= MAX_PENDING && conn[d] == IS_PENDING -> drop_connection (d)
  :: else
  fi
}

inline accept_connection()
{
  atomic {
#ifndef PENDING_WITHOUT_END
    push_out (0); push_out (1); push_out (2);
#endif
#ifdef SHUT_WHEN_FULL
    if
    :: n_connections == TABLE ->
       assert (I9_a_free_row_is_given || LIVES);
       conn[c] = SENT_AWAY;
       goto taken_in
    :: else
    fi;
#endif
    n_connections++;
    assert (I15_no_place_beyond_the_table || n_connections <= TABLE);
    conn[c] = IS_PENDING
  }
  if
  :: greeted[c] -> read_greeting ()
  :: else
  fi;
#ifdef SHUT_WHEN_FULL
taken_in:
  skip
#endif
}

#define HEARD(k) \
  :: atomic { conn[k] == KNOCKS -> c = k } accept_connection (); c = 0 \
  :: atomic { conn[k] == IS_PENDING && greeted[k] -> c = k } read_greeting (); c = 0 \
  :: atomic { IN_TABLE (k) && hung[k] -> drop_connection (k) }

proctype server()
{
  byte c;
  bool good;
end:
  do
  HEARD (0)
  HEARD (1)
  HEARD (2)
  od
}

/* Comes with a ticket, its own or one that it saw; says so or not; gives the row
 * back when it likes, and hangs up or not. */
proctype client(byte c)
{
  conn[c] = KNOCKS;
  if
  :: atomic { ticket[c] = 0; greeted[c] = true }
  :: atomic { ticket[c] = c; greeted[c] = true }
  :: true
  fi;
  if
  :: token[c] ->
     atomic {
       token[c] = false;
#ifdef NOTES_END_WITH_ROWS
       taken[ticket[c]] = false
#endif
     }
  :: true
  fi;
  if
  :: hung[c] = true
  :: true
  fi
}

proctype clock()
{
  do
  :: now == 0 -> now = EXPIRY
  :: now == EXPIRY -> now = 0 /* somebody sets it */
  :: break
  od
}

init {
  atomic {
    run server ();
    run client (0);
    run client (1);
    run client (2);
    run clock ()
  }
}
