/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tickets. A process that knows the secret of a block can admit other processes
 * without giving them the secret, and the block's producer can verify the
 * ticket alone. A ticket is a nonce, an expiry time and a name with a keyed
 * hash; it can be used once.
 * Tests: core-tickets, core-ticket-clocks, fuzz-greeting */
#include "block-private.h"
#include "core/base/result-private.h"
#include "ticket-private.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define DEFAULT_LIFETIME_NS (10 * NS_PER_S)

/* A number for this boot of this machine and for the time namespace of this process.
 * Processes with the same number have the same CLOCK_BOOTTIME. 0: it is not known. */
uint64_t
ticket_machine (void)
{
  uint8_t text[16 + 2 * sizeof (uint64_t)];
  uint64_t space[2];
  uint64_t digest[2]; /* the hash has at least 16 bytes */
  if (!os_boot_id (text))
    return 0;
  os_time_namespace (&space[0], &space[1]);
  memcpy (text + 16, space, sizeof space);
  crypto_generichash ((uint8_t *) &digest, sizeof digest, text, sizeof text,
      NULL, 0);
  return digest[0];
}

TicketTime
ticket_now (uint64_t machine)
{
  return (TicketTime){ .machine = machine,
    .uptime_ns = os_uptime (),
    .real_ns = os_wall_clock () };
}

static void
sign (const Ticket *ticket, const uint8_t *secret, uint8_t mac[32])
{
  crypto_generichash (mac, 32, (const uint8_t *) ticket, offsetof (Ticket, mac),
      secret, DATAHUB_SECRET_SIZE);
}

static void
set_expiry (Ticket *ticket, int64_t lifetime_ns)
{
  TicketTime now = ticket_now (ticket_machine ());
  ticket->machine = now.machine;
  ticket->uptime_ns = now.uptime_ns + (uint64_t) lifetime_ns;
  ticket->expiry_ns = now.real_ns + (uint64_t) lifetime_ns;
}

DatahubResult
datahub_secret_generate (uint8_t *secret, DatahubError *error)
{
  DatahubResult result;
  result_begin (error);
  result = block_init_library (error);
  if (result == DATAHUB_OK)
    randombytes_buf (secret, DATAHUB_SECRET_SIZE);
  return result;
}

/**
 * datahub_ticket_make:
 * @secret: (array fixed-size=32): the secret of the block
 * @uuid: the UUID of the block, 32 hexadecimal digits
 * @client: (nullable) (array fixed-size=32): the name of the client that it is
 * for, chosen by the issuer; %NULL: none
 * @lifetime_ns: how long it is valid, at most 60 s; 0: 10 s
 * @ticket: (out caller-allocates) (array fixed-size=128): the ticket
 * @error: (out) (optional): why it failed
 *
 * Makes a ticket for datahub_consumer_attach(). A producer on the machine of the
 * issuer judges it by CLOCK_BOOTTIME, which cannot be set. On another machine
 * CLOCK_REALTIME counts: the clocks must agree within the lifetime. Any thread; does
 * not block.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_ERROR_INVALID, %DATAHUB_ERROR_SYSTEM
 */
DatahubResult
datahub_ticket_make (const uint8_t *secret, const char *uuid,
    const uint8_t *client, int64_t lifetime_ns, uint8_t *ticket,
    DatahubError *error)
{
  Ticket made = { .version = TICKET_VERSION };
  Uuid block;
  DatahubResult result;
  result_begin (error);
  result = block_init_library (error);
  if (result != DATAHUB_OK)
    return result;
  if (!uuid_from_text (uuid, &block) || uuid[2 * sizeof block.bytes] != 0)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "A ticket needs the UUID of a block, 32 hexadecimal digits.");
  if (lifetime_ns < 0 || lifetime_ns > TICKET_LIFETIME_MAX_NS)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "A ticket can be valid for at most %d s.",
        (int) (TICKET_LIFETIME_MAX_NS / NS_PER_S));
  memcpy (made.uuid, block.bytes, sizeof made.uuid);
  randombytes_buf (made.nonce, sizeof made.nonce);
  set_expiry (&made, lifetime_ns ? lifetime_ns : DEFAULT_LIFETIME_NS);
  if (client)
    memcpy (made.client, client, sizeof made.client);
  sign (&made, secret, made.mac);
  memcpy (ticket, &made, sizeof made);
  return DATAHUB_OK;
}

static uint64_t
time_of (const TicketTime *now, TicketClock clock)
{
  return clock == TICKET_BY_UPTIME ? now->uptime_ns : now->real_ns;
}

/* CLOCK_REALTIME can be set back. A ticket that was taken and forgotten, because it
 * had expired, must not be good again then: what expires no later than a forgotten one
 * has expired. Otherwise the clock of the moment counts, so that one that was ahead for
 * a time closes nothing when it is right again, unless the list was full in that time:
 * then what expires no later than the latest that was forgotten stays closed. */
static void
forget_expired (TicketBook *book, const TicketTime *now)
{
  for (uint32_t i = 0; i < book->n;) {
    TicketClock clock = book->taken[i].clock;
    uint64_t expiry = book->taken[i].expiry_ns;
    if (expiry > time_of (now, clock)) {
      i++;
      continue;
    }
    if (expiry > book->forgotten_ns[clock])
      book->forgotten_ns[clock] = expiry;
    book->taken[i] = book->taken[--book->n];
  }
}

static const uint8_t *
unique_of (const Ticket *ticket)
{
  return ticket->nonce;
}

/* Where it is in the list; -1: it was not taken. */
static int
find_taken (const TicketBook *book, const Ticket *ticket)
{
  for (uint32_t i = 0; i < book->n; i++)
    if (sodium_memcmp (book->taken[i].unique, unique_of (ticket), TICKET_UNIQUE)
        == 0)
      return (int) i;
  return -1;
}

static TicketVerdict
judge_time (const TicketBook *book, uint64_t expiry_ns, TicketClock clock,
    const TicketTime *now)
{
  uint64_t time = time_of (now, clock);
  if (expiry_ns <= time || expiry_ns <= book->forgotten_ns[clock])
    return TICKET_EXPIRED;
  if (expiry_ns - time > (uint64_t) TICKET_LIFETIME_MAX_NS)
    return TICKET_TOO_LONG;
  return TICKET_GOOD;
}

static TicketVerdict
note (TicketBook *book, const Ticket *ticket, uint64_t expiry_ns,
    TicketClock clock, const TicketTime *now)
{
  if (find_taken (book, ticket) >= 0)
    return TICKET_REPLAYED;
  if (book->n == TICKETS_NOTED)
    forget_expired (book, now);
  if (book->n == TICKETS_NOTED)
    return TICKET_BOOK_FULL;
  memcpy (book->taken[book->n].unique, unique_of (ticket), TICKET_UNIQUE);
  book->taken[book->n].clock = clock;
  book->taken[book->n++].expiry_ns = expiry_ns;
  return TICKET_GOOD;
}

/* Verifies @ticket and, if it is valid, marks it as used. A ticket that was not
 * made with the secret is not stored, so only issuers that know the secret can
 * fill the list. */
TicketVerdict
ticket_take (TicketBook *book, const Ticket *ticket, const uint8_t *secret,
    const Uuid *uuid, const TicketTime *now)
{
  uint8_t mac[32];
  if (ticket->version != TICKET_VERSION || ticket->reserved != 0)
    return TICKET_MALFORMED;
  if (memcmp (ticket->uuid, uuid->bytes, sizeof ticket->uuid) != 0)
    return TICKET_OTHER_BLOCK;
  sign (ticket, secret, mac);
  if (sodium_memcmp (mac, ticket->mac, sizeof mac) != 0)
    return TICKET_FORGED;
  bool here = now->machine != 0 && ticket->machine == now->machine;
  TicketClock clock = here ? TICKET_BY_UPTIME : TICKET_BY_REAL_TIME;
  uint64_t expiry = here ? ticket->uptime_ns : ticket->expiry_ns;
  TicketVerdict verdict = judge_time (book, expiry, clock, now);
  return verdict == TICKET_GOOD ? note (book, ticket, expiry, clock, now)
                                : verdict;
}

/* Nothing was given for @ticket, which was good: it can be used again. */
void
ticket_give_back (TicketBook *book, const Ticket *ticket)
{
  int i = find_taken (book, ticket);
  if (i >= 0)
    book->taken[i] = book->taken[--book->n];
}
