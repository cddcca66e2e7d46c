/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A greeting to the server of a strict block, with a ticket. The first byte of an input
 * is what is put right in it, so that the checks behind the signature are reached. */
#include "fuzz.h"

#include "core/producer/producer-private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RIGHT_HEAD 1u
#define RIGHT_SIGNATURE 2u
#define RIGHT_TIME 4u
#define NO_SECRET 8u

static const uint8_t secret[DATAHUB_SECRET_SIZE] = { 7 };
static Block block;

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  if (sodium_init () < 0)
    abort ();
  memset (block.uuid.bytes, 0x5a, sizeof block.uuid.bytes);
  return 0;
}

static void
sign (const Ticket *ticket, uint8_t mac[32])
{
  crypto_generichash (mac, 32, (const uint8_t *) ticket, offsetof (Ticket, mac),
      secret, sizeof secret);
}

static void
put_right (StrictHello *hello, uint8_t what)
{
  if (what & RIGHT_HEAD) {
    hello->magic = STRICT_MAGIC;
    hello->version = STRICT_VERSION;
    hello->kind = STRICT_CONSUME;
    hello->has_ticket = 1;
    memset (hello->reserved, 0, sizeof hello->reserved);
    memset (hello->reserved1, 0, sizeof hello->reserved1);
    memcpy (hello->uuid, block.uuid.bytes, sizeof hello->uuid);
    memcpy (hello->ticket.uuid, block.uuid.bytes, sizeof hello->ticket.uuid);
    hello->ticket.version = TICKET_VERSION;
    hello->ticket.reserved = 0;
  }
  if (what & RIGHT_TIME) {
    TicketTime now = ticket_now (ticket_machine ());
    hello->ticket.machine = now.machine;
    hello->ticket.uptime_ns = now.uptime_ns + TICKET_LIFETIME_MAX_NS / 2;
    hello->ticket.expiry_ns = now.real_ns + TICKET_LIFETIME_MAX_NS / 2;
  }
  if (what & RIGHT_SIGNATURE)
    sign (&hello->ticket, hello->ticket.mac);
}

/* What must be true of each greeting that is let in to consume. */
static void
check_granted (const StrictHello *hello, const TicketTime *before)
{
  const Ticket *ticket = &hello->ticket;
  uint8_t mac[32];
  sign (ticket, mac);
  bool here = before->machine && ticket->machine == before->machine;
  uint64_t expiry = here ? ticket->uptime_ns : ticket->expiry_ns;
  uint64_t now = here ? before->uptime_ns : before->real_ns;
  if (memcmp (mac, ticket->mac, sizeof mac) != 0
      || memcmp (ticket->uuid, block.uuid.bytes, sizeof ticket->uuid) != 0
      || expiry < now)
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static TicketBook book;
  StrictHello hello = { 0 };
  if (size == 0)
    return 0;
  size_t n = size - 1 < sizeof hello ? size - 1 : sizeof hello;
  memcpy (&hello, data + 1, n);
  put_right (&hello, data[0]);
  memset (&book, 0, sizeof book);
  book.machine = ticket_machine ();
  TicketTime before = ticket_now (book.machine);
  const uint8_t *key = data[0] & NO_SECRET ? NULL : secret;
  StrictStatus first = strict_judge (&block, &book, key, &hello);
  if (first == STRICT_REFUSED_FULL || first == STRICT_REFUSED_BUSY)
    abort (); /* nothing is full */
  if (first != STRICT_GRANTED || !key || hello.kind == STRICT_OBSERVE) {
    if (book.n != 0)
      abort ();
    return 0;
  }
  check_granted (&hello, &before);
  if (strict_judge (&block, &book, key, &hello) == STRICT_GRANTED)
    abort (); /* once */
  ticket_give_back (&book, &hello.ticket);
  if (book.n != 0)
    abort ();
  return 0;
}
