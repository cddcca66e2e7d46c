/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who stands at the door of a strict block: there is one row, one place in the hall
 * for who has not greeted, and so two places in the door's table. Guests come with
 * a ticket of their own or one that they saw, greet or do not, give the row back
 * when they like, and hang up or stay. lib/core/producer/door.c (take_in, listen_to, let_in,
 * drop_former), ticket.c (ticket_take).
 *
 * One thread does all of it; what it is told in which order is the guests' choice.
 * @covers guests[], the hall, the book of tickets
 * @mutant FORMER_STAYS | door | who had the row before keeps his place at the door
 * @mutant SHUT_WHEN_FULL | door | a full table lets nobody in
 * @mutant HALL_WITHOUT_END | door | who does not greet keeps his place
 * @mutant NOT_NOTED | ticket | a ticket is not noted
 * @mutant NOTES_END_WITH_ROWS | ticket | it is forgotten when the guest leaves
 * @mutant CLOCK_BELIEVED | ticket | a clock that is set back counts
 */
#define HALL 1
#define TABLE (1 + HALL) /* one row */
#define CONNECTIONS 3
#define EXPIRY 1
/* What a connection is. */
#define NOT_YET 0
#define KNOCKS 1
#define IN_HALL 2
#define GRANTED 3
#define SENT_AWAY 4

hidden byte I15_no_place_beyond_the_table, R_ticket_spent_once,
    I9_a_free_row_is_given;

byte conn[CONNECTIONS], ticket[CONNECTIONS];
bool greeted[CONNECTIONS], token[CONNECTIONS], hung[CONNECTIONS];
byte n_guests;
bool taken[CONNECTIONS];
byte spent[CONNECTIONS];
byte now, latest;

#define IN_TABLE(c) (conn[c] == IN_HALL || conn[c] == GRANTED)
#define HAS_ROW(c) (conn[c] == GRANTED && token[c])
#define LIVES (token[0] || token[1] || token[2])
#define IN_THE_HALL(c) (conn[c] == IN_HALL -> 1 : 0)
#define N_HALL ((IN_THE_HALL (0)) + (IN_THE_HALL (1)) + (IN_THE_HALL (2)))

inline drop_guest(c)
{
  conn[c] = SENT_AWAY;
  n_guests--
}

inline drop_former(d)
{
  if
  :: d != c && conn[d] == GRANTED -> drop_guest (d)
  :: else
  fi
}

/* ticket_take(): good is what it says. */
inline judge()
{
#ifdef CLOCK_BELIEVED
  latest = now;
#else
  latest = (now > latest -> now : latest);
#endif
  good = (latest < EXPIRY);
  if
  :: latest >= EXPIRY ->
     taken[0] = false; taken[1] = false; taken[2] = false
  :: else
  fi;
  good = good && !taken[ticket[c]];
  if
  :: good ->
#ifndef NOT_NOTED
     taken[ticket[c]] = true;
#endif
     spent[ticket[c]]++;
     assert (R_ticket_spent_once || spent[ticket[c]] <= 1)
  :: else
  fi
}

inline listen_to()
{
  atomic {
    judge ();
    if
    :: good && !LIVES ->
       conn[c] = GRANTED;
       token[c] = true;
#if !defined (FORMER_STAYS) && !defined (SHUT_WHEN_FULL)
       drop_former (0); drop_former (1); drop_former (2)
#endif
    :: else -> drop_guest (c)
    fi;
    good = false
  }
}

inline push_out(d)
{
  if
  :: N_HALL >= HALL && conn[d] == IN_HALL -> drop_guest (d)
  :: else
  fi
}

inline take_in()
{
  atomic {
#ifndef HALL_WITHOUT_END
    push_out (0); push_out (1); push_out (2);
#endif
#ifdef SHUT_WHEN_FULL
    if
    :: n_guests == TABLE ->
       assert (I9_a_free_row_is_given || LIVES);
       conn[c] = SENT_AWAY;
       goto taken_in
    :: else
    fi;
#endif
    n_guests++;
    assert (I15_no_place_beyond_the_table || n_guests <= TABLE);
    conn[c] = IN_HALL
  }
  if
  :: greeted[c] -> listen_to ()
  :: else
  fi;
#ifdef SHUT_WHEN_FULL
taken_in:
  skip
#endif
}

#define HEARD(k) \
  :: atomic { conn[k] == KNOCKS -> c = k } take_in (); c = 0 \
  :: atomic { conn[k] == IN_HALL && greeted[k] -> c = k } listen_to (); c = 0 \
  :: atomic { IN_TABLE (k) && hung[k] -> drop_guest (k) }

proctype door()
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
    run door ();
    run client (0);
    run client (1);
    run client (2);
    run clock ()
  }
}
