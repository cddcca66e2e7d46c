/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clocks that are wrong, are set, or stand behind a suspended machine, and the tickets
 * to a strict block. */
#include "strict.h"

#include "core/block/ticket-private.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HOUR (3600 * CHECK_S)
#define ELSEWHERE 2

static _Atomic int64_t real_ahead, uptime_ahead;

/* Of this program. */
int
clock_gettime (clockid_t id, struct timespec *ts)
{
  int result = (int) syscall (SYS_clock_gettime, id, ts);
  int64_t ns = (int64_t) ts->tv_sec * CHECK_S + ts->tv_nsec;
  if (id == CLOCK_REALTIME)
    ns += real_ahead;
  else if (id == CLOCK_BOOTTIME)
    ns += uptime_ahead;
  ts->tv_sec = ns / CHECK_S;
  ts->tv_nsec = ns % CHECK_S;
  return result;
}

static void
make_for (DatahubProducer *producer, uint8_t *ticket)
{
  CHECK_OK (datahub_ticket_make (strict_secret,
      datahub_producer_get_uuid (producer), NULL, 60 * CHECK_S, ticket, &err));
}

/* The clock is set between the making of a ticket and its use, and set right. */
static void
clock_is_set (void)
{
  static const int64_t wrong[] = { HOUR, -HOUR, 24 * HOUR, -24 * HOUR };
  DatahubProducer *producer = strict_producer (strict_secret);
  uint8_t ticket[DATAHUB_TICKET_SIZE], used[DATAHUB_TICKET_SIZE];
  make_for (producer, used);
  CHECK_OK (strict_attach (used, NULL));
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    make_for (producer, ticket);
    real_ahead = wrong[i];
    CHECK_OK (strict_attach (ticket, NULL));
    CHECK_RESULT (strict_attach (used, NULL), DATAHUB_ERROR_DENIED);
    CHECK_CONTAINS (err.message, "before");
    make_for (producer, ticket);
    real_ahead = 0;
    CHECK_OK (strict_attach (ticket, NULL));
    CHECK_OK (strict_attach (NULL, strict_secret));
  }
  datahub_producer_close (producer);
}

/* A suspended machine counts none of it in CLOCK_MONOTONIC, and its real time may be
 * set back as it wakes up. */
static void
suspended (void)
{
  DatahubProducer *producer = strict_producer (strict_secret);
  uint8_t ticket[DATAHUB_TICKET_SIZE];
  make_for (producer, ticket);
  uptime_ahead = HOUR;
  CHECK_RESULT (strict_attach (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "expired");
  real_ahead = -HOUR;
  CHECK_RESULT (strict_attach (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "expired");
  CHECK_OK (strict_attach (NULL, strict_secret));
  datahub_producer_close (producer);
}

/* A block and the times that it gives to its list. */
typedef struct
{
  TicketBook book;
  Uuid uuid;
  char text[DATAHUB_UUID_TEXT];
} Door;

static Door door;

static void
open_door (void)
{
  memset (&door, 0, sizeof door);
  uuid_generate (&door.uuid);
  uuid_to_text (&door.uuid, door.text);
}

static TicketTime
now_at (uint64_t machine)
{
  return ticket_now (machine);
}

static Ticket
make_here (int64_t lifetime_ns)
{
  Ticket ticket;
  CHECK_OK (datahub_ticket_make (strict_secret, door.text, NULL, lifetime_ns,
      (uint8_t *) &ticket, &err));
  return ticket;
}

static TicketVerdict
take (const Ticket *ticket, const TicketTime *now)
{
  return ticket_take (&door.book, ticket, strict_secret, &door.uuid, now);
}

static uint64_t
here (void)
{
  uint64_t machine = ticket_machine ();
  if (machine == 0)
    check_skip ("this system has no boot id");
  return machine;
}

/* Each clock by itself: the other one has any value. */
static void
one_clock_counts (void)
{
  TicketTime now = now_at (here ()), then;
  open_door ();
  Ticket ticket = make_here (10 * CHECK_S);
  then = (TicketTime){ now.machine, ticket.uptime_ns, 0 };
  CHECK_INT (take (&ticket, &then), ==, TICKET_EXPIRED);
  then.uptime_ns = ticket.uptime_ns - 61 * CHECK_S;
  CHECK_INT (take (&ticket, &then), ==, TICKET_TOO_LONG);
  then = (TicketTime){ now.machine, now.uptime_ns, UINT64_MAX };
  CHECK_INT (take (&ticket, &then), ==, TICKET_GOOD);
  CHECK_INT (take (&ticket, &then), ==, TICKET_REPLAYED);

  for (uint64_t machine = 0; machine < 2; machine++) {
    ticket = make_here (10 * CHECK_S);
    then = (TicketTime){ machine, 0, ticket.expiry_ns };
    CHECK_INT (take (&ticket, &then), ==, TICKET_EXPIRED);
    then.real_ns = ticket.expiry_ns - 61 * CHECK_S;
    CHECK_INT (take (&ticket, &then), ==, TICKET_TOO_LONG);
    then = (TicketTime){ machine, UINT64_MAX, now.real_ns };
    CHECK_INT (take (&ticket, &then), ==, TICKET_GOOD);
    CHECK_INT (take (&ticket, &then), ==, TICKET_REPLAYED);
  }
}

/* The clock of another machine, or of this one, is ahead for a time. Nothing that was
 * taken is taken again. */
static void
foreign_clock_is_set (void)
{
  TicketTime now = now_at (ELSEWHERE), ahead = now, behind = now;
  open_door ();
  Ticket first = make_here (10 * CHECK_S);
  Ticket second = make_here (10 * CHECK_S);
  ahead.real_ns += HOUR;
  behind.real_ns -= HOUR;
  CHECK_INT (take (&first, &now), ==, TICKET_GOOD);
  CHECK_INT (take (&second, &ahead), ==, TICKET_EXPIRED);
  CHECK_INT (take (&second, &behind), ==, TICKET_TOO_LONG);
  CHECK_INT (take (&first, &now), ==, TICKET_REPLAYED);
  CHECK_INT (take (&second, &now), ==, TICKET_GOOD);
  CHECK_INT (take (&second, &now), ==, TICKET_REPLAYED);
}

static void
fill (const TicketTime *now)
{
  while (door.book.n < TICKETS_NOTED) {
    Ticket ticket = make_here (10 * CHECK_S);
    CHECK_INT (take (&ticket, now), ==, TICKET_GOOD);
  }
}

/* A full list forgets what has expired, and none of it is good again when the clock
 * is set back. */
static void
full_list (void)
{
  TicketTime now = now_at (ELSEWHERE), ahead = now;
  open_door ();
  Ticket first = make_here (10 * CHECK_S);
  CHECK_INT (take (&first, &now), ==, TICKET_GOOD);
  fill (&now);
  Ticket one = make_here (50 * CHECK_S);
  CHECK_INT (take (&one, &now), ==, TICKET_BOOK_FULL);
  ahead.real_ns = one.expiry_ns - CHECK_S;
  CHECK_INT (take (&one, &ahead), ==, TICKET_GOOD);
  CHECK_INT (door.book.n, ==, 1);
  CHECK_INT (take (&first, &now), ==, TICKET_EXPIRED);
  CHECK_INT (take (&one, &now), ==, TICKET_REPLAYED);
  Ticket later = make_here (50 * CHECK_S);
  CHECK_INT (take (&later, &now), ==, TICKET_GOOD);
}

static void
sign (Ticket *ticket)
{
  CHECK (sodium_init () >= 0);
  crypto_generichash (ticket->mac, sizeof ticket->mac, (const uint8_t *) ticket,
      offsetof (Ticket, mac), strict_secret, DATAHUB_SECRET_SIZE);
}

/* Two processes that do not know their machine need not have the same uptime. */
static void
unknown_machines (void)
{
  TicketTime now = now_at (0);
  open_door ();
  Ticket ticket = make_here (10 * CHECK_S);
  ticket.machine = 0;
  sign (&ticket);
  now.uptime_ns = ticket.uptime_ns;
  CHECK_INT (take (&ticket, &now), ==, TICKET_GOOD);
  CHECK_INT (take (&ticket, &now), ==, TICKET_REPLAYED);
}

/* Of a build that does not know the clock in it: all of that is random. */
static void
older_ticket (void)
{
  TicketTime now = now_at (here ()), ahead = now;
  open_door ();
  Ticket ticket = make_here (10 * CHECK_S);
  memset (&ticket.machine, 0xa5, sizeof ticket.machine);
  memset (&ticket.uptime_ns, 0x5a, sizeof ticket.uptime_ns);
  CHECK_INT (take (&ticket, &now), ==, TICKET_FORGED);
  sign (&ticket);
  ahead.real_ns += HOUR;
  CHECK_INT (take (&ticket, &ahead), ==, TICKET_EXPIRED);
  CHECK_INT (take (&ticket, &now), ==, TICKET_GOOD);
  CHECK_INT (take (&ticket, &now), ==, TICKET_REPLAYED);
}

static void
given_back (void)
{
  TicketTime now = now_at (ELSEWHERE);
  open_door ();
  Ticket ticket = make_here (10 * CHECK_S), other = make_here (10 * CHECK_S);
  CHECK_INT (take (&ticket, &now), ==, TICKET_GOOD);
  ticket_give_back (&door.book, &other);
  CHECK_INT (take (&ticket, &now), ==, TICKET_REPLAYED);
  ticket_give_back (&door.book, &ticket);
  CHECK_INT (take (&ticket, &now), ==, TICKET_GOOD);
  CHECK_INT (take (&ticket, &now), ==, TICKET_REPLAYED);
}

static const CheckTest tests[] = {
  { "a clock that was set wrong closes no block, and opens none",
      clock_is_set },
  { "a ticket expires while the machine is suspended", suspended },
  { "the uptime counts on one machine, real time between two",
      one_clock_counts },
  { "a real-time clock that was wrong for a time is forgiven",
      foreign_clock_is_set },
  { "a full list refuses, and what it forgot is not good again", full_list },
  { "a ticket without an uptime is judged by real time", older_ticket },
  { "an unknown machine is no machine", unknown_machines },
  { "only a ticket that was given back can be used again", given_back },
};
CHECK_MAIN (tests)
