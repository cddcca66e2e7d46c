/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tickets to a strict block: who has a good one, or the secret, is let in, and
 * each bad one is refused as what it is. */
#include "strict.h"
#include "strict-requests.h"

#include "core/producer/producer-private.h"

#include <string.h>

static uint32_t
show_ticket (const char *uuid, const uint8_t *ticket)
{
  StrictHello hello = strict_request_greeting (uuid);
  hello.has_ticket = ticket != NULL;
  if (ticket)
    memcpy (&hello.ticket, ticket, sizeof hello.ticket);
  return strict_request_status (uuid, &hello, sizeof hello);
}

static void
good_tickets (void)
{
  DatahubProducer *producer = strict_producer (strict_secret);
  const char *uuid = datahub_producer_get_uuid (producer);
  uint8_t ticket[DATAHUB_TICKET_SIZE];
  uint8_t client[DATAHUB_TICKET_CLIENT_SIZE] = "somebody";
  for (int i = 0; i < 3; i++) {
    CHECK_OK (datahub_ticket_make (strict_secret, uuid, client, 0, ticket,
        &err));
    CHECK_OK (strict_attach (ticket, NULL));
  }
  CHECK_OK (strict_attach (NULL, strict_secret));
  CHECK_RESULT (strict_attach (NULL, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "ticket");
  datahub_producer_close (producer);
}

static void
bad_tickets (void)
{
  DatahubProducer *producer = strict_producer (strict_secret);
  const char *uuid = datahub_producer_get_uuid (producer);
  uint8_t ticket[DATAHUB_TICKET_SIZE], twisted[DATAHUB_TICKET_SIZE];
  CHECK_INT (show_ticket (uuid, NULL), ==, STRICT_REFUSED_NO_TICKET);

  CHECK_OK (datahub_ticket_make (strict_other_secret, uuid, NULL, 0, ticket,
      &err));
  CHECK_INT (show_ticket (uuid, ticket), ==, STRICT_REFUSED_FORGED);
  CHECK_RESULT (strict_attach (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "forged");
  CHECK_RESULT (strict_attach (NULL, strict_other_secret),
      DATAHUB_ERROR_DENIED);

  CHECK_OK (datahub_ticket_make (strict_secret, uuid, NULL, 1, ticket, &err));
  CHECK_INT (show_ticket (uuid, ticket), ==, STRICT_REFUSED_EXPIRED);
  CHECK_RESULT (strict_attach (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "expired");

  CHECK_OK (datahub_ticket_make (strict_secret,
      "00112233445566778899aabbccddeeff", NULL, 0, ticket, &err));
  CHECK_INT (show_ticket (uuid, ticket), ==, STRICT_REFUSED_OTHER_BLOCK);
  CHECK_RESULT (strict_attach (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "another block");

  CHECK_OK (datahub_ticket_make (strict_secret, uuid, NULL, 0, ticket, &err));
  CHECK_INT (show_ticket (uuid, ticket), ==, STRICT_GRANTED);
  CHECK_INT (show_ticket (uuid, ticket), ==, STRICT_REFUSED_REPLAYED);
  CHECK_RESULT (strict_attach (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "before");

  /* not one bit of it may differ */
  CHECK_OK (datahub_ticket_make (strict_secret, uuid, NULL, 0, ticket, &err));
  for (size_t bit = 0; bit < 8 * sizeof ticket; bit += 7) {
    memcpy (twisted, ticket, sizeof ticket);
    twisted[bit / 8] ^= (uint8_t) (1u << bit % 8);
    uint32_t status = show_ticket (uuid, twisted);
    uint32_t wanted = bit / 8 < offsetof (Ticket, uuid)
        ? STRICT_REFUSED_MALFORMED
        : bit / 8 < offsetof (Ticket, nonce) ? STRICT_REFUSED_OTHER_BLOCK
                                             : STRICT_REFUSED_FORGED;
    CHECK_INT (status, ==, wanted);
  }
  CHECK_INT (show_ticket (uuid, ticket), ==, STRICT_GRANTED);

  CHECK_RESULT (datahub_ticket_make (strict_secret, uuid, NULL, 61 * CHECK_S,
                    ticket, &err),
      DATAHUB_ERROR_INVALID);
  CHECK_RESULT (datahub_ticket_make (strict_secret, "cam0", NULL, 0, ticket,
                    &err),
      DATAHUB_ERROR_INVALID);
  datahub_producer_close (producer);
}

/* The book's own rules, with a clock of the test. */
static void
ticket_book (void)
{
  static TicketBook book;
  Ticket ticket;
  Uuid uuid;
  char text[DATAHUB_UUID_TEXT];
  uuid_generate (&uuid);
  uuid_to_text (&uuid, text);
  CHECK_OK (datahub_ticket_make (strict_secret, text, NULL, 0,
      (uint8_t *) &ticket, &err));
  uint64_t made = ticket.expiry_ns - 10 * CHECK_S;
  /* a clock that is set back revives nothing */
  CHECK_INT (ticket_take (&book, &ticket, strict_secret, &uuid, made), ==,
      TICKET_GOOD);
  CHECK_INT (ticket_take (&book, &ticket, strict_secret, &uuid, made), ==,
      TICKET_REPLAYED);
  CHECK_INT (ticket_take (&book, &ticket, strict_secret, &uuid,
                 ticket.expiry_ns),
      ==, TICKET_EXPIRED);
  CHECK_INT (ticket_take (&book, &ticket, strict_secret, &uuid, made), ==,
      TICKET_EXPIRED);
  /* one made by a clock far ahead is good for too long */
  memset (&book, 0, sizeof book);
  CHECK_INT (ticket_take (&book, &ticket, strict_secret, &uuid,
                 made - 55 * CHECK_S),
      ==, TICKET_TOO_LONG);
  /* a full book takes no more, and forgets what has expired */
  memset (&book, 0, sizeof book);
  for (uint32_t i = 0; i < TICKETS_NOTED; i++) {
    CHECK_OK (datahub_ticket_make (strict_secret, text, NULL, 0,
        (uint8_t *) &ticket, &err));
    CHECK_INT (ticket_take (&book, &ticket, strict_secret, &uuid, made), ==,
        TICKET_GOOD);
  }
  CHECK_OK (datahub_ticket_make (strict_secret, text, NULL, 60 * CHECK_S,
      (uint8_t *) &ticket, &err));
  CHECK_INT (ticket_take (&book, &ticket, strict_secret, &uuid, made + CHECK_S),
      ==, TICKET_BOOK_FULL);
  CHECK_INT (ticket_take (&book, &ticket, strict_secret, &uuid,
                 ticket.expiry_ns - CHECK_S),
      ==, TICKET_GOOD);
  CHECK_INT (book.n, ==, 1);
}

static const CheckTest tests[] = {
  { "a ticket, or the secret, lets in; nothing does not", good_tickets },
  { "forged, expired, replayed and other blocks' tickets are refused, each as "
    "such",
      bad_tickets },
  { "a clock set back revives no ticket; a full book refuses", ticket_book },
};
CHECK_MAIN (tests)
