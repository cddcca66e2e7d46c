/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The blocks that this process offers and consumes, and its subscriptions. */
#ifndef DATAHUB_HUB_OFFERS_PRIVATE_H
#define DATAHUB_HUB_OFFERS_PRIVATE_H

#include "hub-loop-private.h"

#include <datahub/types.h>

typedef struct
{
  char *name, *uuid, *caps; /* owned; caps may be NULL */
  gboolean has_secret;
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean strict; /* consumers get tickets, not the secret */
  gboolean refused; /* reported already */
  gboolean taken; /* by another client, since it was registered last */
} Offer;

typedef struct
{
  char *name, *uuid, *label, *reason; /* owned */
  guint64 id;
  /* A request about it is open; again: another one is to follow; gone: nothing else
   * refers to it. */
  gboolean telling, again, gone;
} Join;

typedef struct
{
  GHashTable *blocks; /* name -> Offer; owned */
  GPtrArray *joins; /* of Join; owned */
  GHashTable *subscriptions; /* pattern -> number of requests for it */
  GSource *retry_source;
} HubOffers;

void hub_offers_init (HubOffers *offers);
void hub_offers_clear (HubOffers *offers);
void offer_free (gpointer offer);
void join_free (gpointer join);
void hub_offer_add (HubCore *core, Offer *offer);
void hub_offer_remove (HubCore *core, const char *name, const char *uuid);
void hub_join_add (HubCore *core, Join *join);
void hub_join_remove (HubCore *core, const Join *left);
void hub_subscription_set (HubCore *core, const char *pattern, gboolean on);
void hub_offers_connected (HubCore *core);
void hub_offers_lost (HubCore *core);
void hub_offers_taken (HubCore *core, const char *name, const char *uuid);
void hub_offers_block_came (HubCore *core, const char *name);

#endif /* DATAHUB_HUB_OFFERS_PRIVATE_H */
