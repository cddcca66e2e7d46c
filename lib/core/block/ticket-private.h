/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ticket, and the list in which the server of a block stores accepted
 * tickets. docs/protocol.md has its bytes. */
#ifndef DATAHUB_TICKET_PRIVATE_H
#define DATAHUB_TICKET_PRIVATE_H

#include "core/base/names-private.h"

#include <datahub/ticket.h>

#define TICKET_VERSION 1u
#define TICKET_NONCE 16
/* What no two tickets have in common: the nonce and the two fields behind it. A
 * producer that does not know these takes all three as the nonce, and the expiry by
 * CLOCK_REALTIME counts; so the version is the same. */
#define TICKET_UNIQUE 32
/* No ticket is good for longer, so no nonce has to be kept for longer. */
#define TICKET_LIFETIME_MAX_NS (INT64_C (60) * 1000000000)
#define TICKETS_NOTED 1024u

typedef struct
{
  uint32_t version;
  uint32_t reserved;
  uint8_t uuid[16];
  uint8_t nonce[TICKET_NONCE];
  uint64_t machine; /* that of uptime_ns; 0: not known */
  uint64_t uptime_ns; /* the expiry by the CLOCK_BOOTTIME of the machine */
  uint64_t expiry_ns; /* the same by CLOCK_REALTIME */
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

/* A time of both clocks. CLOCK_BOOTTIME goes on while the machine is suspended, and
 * cannot be set. It is the same for two processes with equal @machine: of one boot and
 * one time namespace. */
typedef struct
{
  uint64_t machine; /* 0: not known */
  uint64_t uptime_ns;
  uint64_t real_ns;
} TicketTime;

typedef enum
{
  TICKET_BY_UPTIME,
  TICKET_BY_REAL_TIME,
  TICKET_CLOCKS
} TicketClock;

/* One thread's own. */
typedef struct
{
  uint64_t machine; /* of the process that judges; 0: not known */
  uint64_t
      forgotten_ns[TICKET_CLOCKS]; /* the latest expiry that was forgotten */
  uint32_t n;
  struct
  {
    uint8_t unique[TICKET_UNIQUE];
    TicketClock clock;
    uint64_t expiry_ns;
  } taken[TICKETS_NOTED];
} TicketBook;

uint64_t ticket_machine (void);
TicketTime ticket_now (uint64_t machine);
TicketVerdict ticket_take (TicketBook *book, const Ticket *ticket,
    const uint8_t *secret, const Uuid *uuid, const TicketTime *now);
void ticket_give_back (TicketBook *book, const Ticket *ticket);

#endif /* DATAHUB_TICKET_PRIVATE_H */
