/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tickets. A process that knows the secret of a block can admit other processes
 * without giving them the secret, and the block's producer can verify the
 * ticket alone. A ticket is a nonce, an expiry time and a name with a keyed
 * hash; it can be used once.
 * Tests: core-tickets */
#include "block-private.h"
#include "core/base/result-private.h"
#include "ticket-private.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define DEFAULT_LIFETIME_NS (10 * NS_PER_S)

static void
sign (const Ticket *ticket, const uint8_t *secret, uint8_t mac[32])
{
  crypto_generichash (mac, 32, (const uint8_t *) ticket, offsetof (Ticket, mac),
      secret, DATAHUB_SECRET_SIZE);
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
 * Makes a ticket for datahub_consumer_attach(). Times are of CLOCK_REALTIME, so
 * issuer and producer can be on different machines if their clocks agree within
 * the lifetime. Any thread; does not block.
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
  made.expiry_ns = os_wall_clock ()
      + (uint64_t) (lifetime_ns ? lifetime_ns : DEFAULT_LIFETIME_NS);
  if (client)
    memcpy (made.client, client, sizeof made.client);
  sign (&made, secret, made.mac);
  memcpy (ticket, &made, sizeof made);
  return DATAHUB_OK;
}

static void
forget_expired (TicketBook *book)
{
  for (uint32_t i = 0; i < book->n;)
    if (book->taken[i].expiry_ns <= book->latest_ns)
      book->taken[i] = book->taken[--book->n];
    else
      i++;
}

static bool
was_taken (const TicketBook *book, const Ticket *ticket)
{
  for (uint32_t i = 0; i < book->n; i++)
    if (sodium_memcmp (book->taken[i].nonce, ticket->nonce, TICKET_NONCE) == 0)
      return true;
  return false;
}

/* Verifies @ticket and, if it is valid, marks it as used. A ticket that was not
 * made with the secret is not stored, so only issuers that know the secret can
 * fill the list. */
TicketVerdict
ticket_take (TicketBook *book, const Ticket *ticket, const uint8_t *secret,
    const Uuid *uuid, uint64_t now_ns)
{
  uint8_t mac[32];
  if (ticket->version != TICKET_VERSION || ticket->reserved != 0)
    return TICKET_MALFORMED;
  if (memcmp (ticket->uuid, uuid->bytes, sizeof ticket->uuid) != 0)
    return TICKET_OTHER_BLOCK;
  sign (ticket, secret, mac);
  if (sodium_memcmp (mac, ticket->mac, sizeof mac) != 0)
    return TICKET_FORGED;
  if (now_ns > book->latest_ns)
    book->latest_ns = now_ns;
  if (ticket->expiry_ns <= book->latest_ns)
    return TICKET_EXPIRED;
  if (ticket->expiry_ns - book->latest_ns > (uint64_t) TICKET_LIFETIME_MAX_NS)
    return TICKET_TOO_LONG;
  forget_expired (book);
  if (was_taken (book, ticket))
    return TICKET_REPLAYED;
  if (book->n == TICKETS_NOTED)
    return TICKET_BOOK_FULL;
  memcpy (book->taken[book->n].nonce, ticket->nonce, TICKET_NONCE);
  book->taken[book->n++].expiry_ns = ticket->expiry_ns;
  return TICKET_GOOD;
}
