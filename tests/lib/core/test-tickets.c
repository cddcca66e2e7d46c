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

/* A ticket for which nothing was given can be used later. */
static void
full_block (void)
{
  DatahubProducerOptions options = strict_options (strict_secret);
  DatahubConsumerOptions first;
  DatahubConsumer *consumer;
  uint8_t ticket[DATAHUB_TICKET_SIZE];
  options.max_consumers = 1;
  DatahubProducer *producer = producer_new ("cam0", &options);
  datahub_consumer_options_init (&first);
  first.secret = strict_secret;
  CHECK_OK (datahub_consumer_attach ("cam0", &first, &consumer, &err));
  CHECK_OK (datahub_ticket_make (strict_secret,
      datahub_producer_get_uuid (producer), NULL, 60 * CHECK_S, ticket, &err));
  CHECK_RESULT (strict_attach (ticket, NULL), DATAHUB_ERROR_FULL);
  datahub_consumer_close (consumer);
  CHECK_OK (strict_attach (ticket, NULL));
  CHECK_RESULT (strict_attach (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "before");
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a ticket, or the secret, lets in; nothing does not", good_tickets },
  { "forged, expired, replayed and other blocks' tickets are refused, each as "
    "such",
      bad_tickets },
  { "a ticket that a full block refused is good when there is room",
      full_block },
};
CHECK_MAIN (tests)
