/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ticket, and the list in which the server of a block stores accepted
 * tickets. docs/protocol.md has its bytes. */
#ifndef DATAHUB_TICKET_PRIVATE_H
#define DATAHUB_TICKET_PRIVATE_H

#include "core/base/names-private.h"

#include <datahub/ticket.h>

#define TICKET_VERSION 1u
#define TICKET_NONCE 32
/* No ticket is good for longer, so no nonce has to be kept for longer. */
#define TICKET_LIFETIME_MAX_NS (INT64_C (60) * 1000000000)
#define TICKETS_NOTED 1024u

typedef struct
{
  uint32_t version;
  uint32_t reserved;
  uint8_t uuid[16];
  uint8_t nonce[TICKET_NONCE];
  uint64_t expiry_ns; /* CLOCK_REALTIME */
  uint8_t client[DATAHUB_TICKET_CLIENT_SIZE];
  uint8_t mac[32]; /* BLAKE2b-256 of the fields above, keyed with the secret */
} Ticket;
_Static_assert(sizeof (Ticket) == DATAHUB_TICKET_SIZE, "ticket");

typedef enum
{
  TICKET_GOOD = 0,
  TICKET_MALFORMED, /* of another version */
  TICKET_OTHER_BLOCK,
  TICKET_FORGED,
  TICKET_EXPIRED,
  TICKET_TOO_LONG, /* promises more than any ticket may */
  TICKET_REPLAYED,
  TICKET_BOOK_FULL
} TicketVerdict;

/* One thread's own. */
typedef struct
{
  uint64_t latest_ns; /* a clock set back does not revive a ticket */
  uint32_t n;
  struct
  {
    uint8_t nonce[TICKET_NONCE];
    uint64_t expiry_ns;
  } taken[TICKETS_NOTED];
} TicketBook;

TicketVerdict ticket_take (TicketBook *book, const Ticket *ticket,
    const uint8_t *secret, const Uuid *uuid, uint64_t now_ns);

#endif /* DATAHUB_TICKET_PRIVATE_H */
