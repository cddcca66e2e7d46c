/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check of a greeting to a strict block: whether the client may have the
 * access that it requests. Models: tests/model/connections.pml.
 * Tests: core-access, core-tickets, core-connections, fuzz-greeting */
#include "producer-private.h"

#include <sodium.h>
#include <string.h>

static StrictStatus
status_of (TicketVerdict verdict)
{
  switch (verdict) {
    case TICKET_GOOD:
      return STRICT_GRANTED;
    case TICKET_OTHER_BLOCK:
      return STRICT_REFUSED_OTHER_BLOCK;
    case TICKET_FORGED:
      return STRICT_REFUSED_FORGED;
    case TICKET_EXPIRED:
      return STRICT_REFUSED_EXPIRED;
    case TICKET_TOO_LONG:
      return STRICT_REFUSED_TOO_LONG;
    case TICKET_REPLAYED:
      return STRICT_REFUSED_REPLAYED;
    case TICKET_BOOK_FULL:
      return STRICT_REFUSED_BUSY;
    case TICKET_MALFORMED:
      break;
  }
  return STRICT_REFUSED_MALFORMED;
}

static bool
is_zero (const uint8_t *bytes, size_t size)
{
  return sodium_is_zero (bytes, size) == 1;
}

/* Returns %STRICT_GRANTED if the greeting entitles to the access it asks for. */
StrictStatus
strict_judge (const Block *block, TicketBook *book, const uint8_t *secret,
    const StrictHello *hello)
{
  if (hello->magic != STRICT_MAGIC)
    return STRICT_REFUSED_MALFORMED;
  if (hello->version != STRICT_VERSION)
    return STRICT_REFUSED_VERSION;
  if ((hello->kind != STRICT_CONSUME && hello->kind != STRICT_OBSERVE)
      || hello->has_ticket > 1
      || !is_zero (hello->reserved, sizeof hello->reserved)
      || !is_zero (hello->reserved1, sizeof hello->reserved1))
    return STRICT_REFUSED_MALFORMED;
  if (memcmp (hello->uuid, block->uuid.bytes, sizeof hello->uuid) != 0)
    return STRICT_REFUSED_OTHER_BLOCK;
  /* The peer's credentials are enough to observe, which shows no payload. Without
   * a secret they are enough for everything. */
  if (!secret || hello->kind == STRICT_OBSERVE)
    return STRICT_GRANTED;
  if (!hello->has_ticket)
    return STRICT_REFUSED_NO_TICKET;
  TicketTime now = ticket_now (book->machine);
  return status_of (ticket_take (book, &hello->ticket, secret, &block->uuid,
      &now));
}
