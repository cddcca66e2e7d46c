/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The blocks that this process offers and consumes. They are stored here so
 * that they can be registered with each new broker.
 * Tests: hub-signals, hub-loss */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "control/broker/evidence-private.h"

#include <sodium.h>
#include <string.h>

#define ANSWER_US (2 * G_USEC_PER_SEC)
/* A name that another holds is asked for again: that one may have died. */
#define RETRY_MS 300

void
offer_free (gpointer data)
{
  Offer *offer = data;

  sodium_memzero (offer->secret, sizeof offer->secret);
  g_free (offer->name);
  g_free (offer->uuid);
  g_free (offer->caps);
  g_free (offer);
}

void
join_free (gpointer data)
{
  Join *join = data;

  if (join->telling) {
    join->gone = TRUE; /* join_told() frees it */
    return;
  }
  g_free (join->name);
  g_free (join->uuid);
  g_free (join->label);
  g_free (join->reason);
  g_free (join);
}

static void
add_uuid (json_t *message, const char *uuid)
{
  if (uuid && *uuid)
    json_object_set_new (message, "uuid", json_string (uuid));
}

static void
ignore (json_t *reply, const GError *error, gpointer user_data)
{
  if (error)
    control_log (G_LOG_LEVEL_DEBUG, "refused", "the broker refused: %s",
        error->message);
}

/* Data that cannot be sent to the broker now is sent when it is connected. */
static void
tell (HubCore *core, json_t *message)
{
  if (core->session.state == HUB_CONNECTED)
    hub_call (core, message, ANSWER_US, NULL, ignore, NULL);
  else
    json_decref (message);
}

/* --- blocks --- */

static void offer_tell (HubCore *core, Offer *offer);

static gboolean
retry_offers (gpointer user_data)
{
  HubCore *core = user_data;
  g_autoptr (GList) offers = g_hash_table_get_values (core->offers.blocks);

  hub_clear_source (&core->offers.retry_source);
  for (GList *l = offers; l; l = l->next)
    if (((Offer *) l->data)->refused || ((Offer *) l->data)->taken)
      offer_tell (core, l->data);
  return G_SOURCE_REMOVE;
}

typedef struct
{
  HubCore *core;
  char *name, *uuid;
} Answer;

static void
retry_later (HubCore *core)
{
  if (!core->offers.retry_source && core->session.state == HUB_CONNECTED)
    core->offers.retry_source =
        hub_core_after (core, RETRY_MS, retry_offers, core);
}

static void
offer_refused (HubCore *core, Offer *offer, const GError *error)
{
  if (g_error_matches (error, DATAHUB_HUB_ERROR,
          DATAHUB_HUB_ERROR_DISCONNECTED))
    return;
  if (!offer->refused)
    hub_emit (core, SIGNAL_REGISTER_REFUSED, offer->name, offer->name, error);
  offer->refused = TRUE;
  retry_later (core);
}

static void
offer_answered (json_t *reply, const GError *error, gpointer user_data)
{
  Answer *answer = user_data;
  Offer *offer =
      g_hash_table_lookup (answer->core->offers.blocks, answer->name);

  /* It may be another one by now, or none. */
  if (offer && strcmp (offer->uuid, answer->uuid) == 0) {
    if (error)
      offer_refused (answer->core, offer, error);
    else
      offer->refused = FALSE;
  }
  g_free (answer->name);
  g_free (answer->uuid);
  hub_core_unref (answer->core);
  g_free (answer);
}

/* With it the broker can look for the block, if it has the same shared memory. */
static void
add_memory (json_t *message)
{
  g_autofree char *memory = evidence_memory ();

  if (memory)
    json_object_set_new (message, "memory", json_string (memory));
}

static void
offer_tell (HubCore *core, Offer *offer)
{
  if (core->session.state != HUB_CONNECTED)
    return;
  offer->taken = FALSE;
  json_t *message =
      json_pack ("{s:s, s:s}", "type", "register", "name", offer->name);
  add_uuid (message, offer->uuid);
  if (offer->caps)
    json_object_set_new (message, "caps", json_string (offer->caps));
  if (offer->has_secret)
    message_set_secret (message, offer->secret);
  if (offer->strict)
    json_object_set_new (message, "strict", json_true ());
  add_memory (message);
  Answer *answer = g_new0 (Answer, 1);
  answer->core = hub_core_ref (core);
  answer->name = g_strdup (offer->name);
  answer->uuid = g_strdup (offer->uuid);
  hub_call (core, message, ANSWER_US, NULL, offer_answered, answer);
}

/* The broker gave the name of the block to another client. The pause is the one after a
 * refusal, so that two that take it from each other cost little. */
void
hub_offers_taken (HubCore *core, const char *name, const char *uuid)
{
  Offer *offer = g_hash_table_lookup (core->offers.blocks, name);

  if (!offer || strcmp (offer->uuid, uuid) != 0)
    return;
  offer->taken = TRUE;
  retry_later (core);
}

/* Remembers @offer (taken) in place of an older one of its name. */
void
hub_offer_add (HubCore *core, Offer *offer)
{
  g_hash_table_replace (core->offers.blocks, offer->name, offer);
  offer_tell (core, offer);
}

/* A block that is gone takes its consumers along, in the broker too. */
static void
forget_joins (HubCore *core, const char *name, const char *uuid)
{
  for (guint i = core->offers.joins->len; i > 0; i--) {
    Join *join = g_ptr_array_index (core->offers.joins, i - 1);
    if (strcmp (join->name, name) == 0 && strcmp (join->uuid, uuid) == 0)
      g_ptr_array_remove_index (core->offers.joins, i - 1);
  }
}

void
hub_offer_remove (HubCore *core, const char *name, const char *uuid)
{
  Offer *offer = g_hash_table_lookup (core->offers.blocks, name);

  if (!offer || strcmp (offer->uuid, uuid) != 0)
    return;
  json_t *message =
      json_pack ("{s:s, s:s}", "type", "unregister", "name", name);
  add_uuid (message, uuid);
  tell (core, message);
  g_hash_table_remove (core->offers.blocks, name);
  forget_joins (core, name, uuid);
}

/* --- consumers --- */

static json_t *
join_message (const char *type, const Join *join)
{
  json_t *message = json_pack ("{s:s, s:s}", "type", type, "name", join->name);

  add_uuid (message, join->uuid);
  message_set_u64 (message, "consumer", join->id);
  if (join->label)
    json_object_set_new (message, "label", json_string (join->label));
  if (join->reason)
    json_object_set_new (message, "reason", json_string (join->reason));
  return message;
}

static void join_tell (HubCore *core, Join *join);

typedef struct
{
  HubCore *core;
  Join *join;
} Telling;

static void
join_told (json_t *reply, const GError *error, gpointer user_data)
{
  Telling *telling = user_data;
  HubCore *core = telling->core;
  Join *join = telling->join;

  ignore (reply, error, NULL);
  join->telling = FALSE;
  if (join->gone)
    join_free (join);
  else if (join->again)
    join_tell (core, join);
  hub_core_unref (core);
  g_free (telling);
}

/* One request at a time: a broker that announces a block without end, and does not
 * answer, gets no more of them. */
static void
join_tell (HubCore *core, Join *join)
{
  join->again = join->telling && core->session.state == HUB_CONNECTED;
  if (join->telling || core->session.state != HUB_CONNECTED)
    return;
  Telling *telling = g_new0 (Telling, 1);
  telling->core = hub_core_ref (core);
  telling->join = join;
  join->telling = TRUE;
  hub_call (core, join_message ("consumer-joined", join), ANSWER_US, NULL,
      join_told, telling);
}

static gboolean
same_consumer (const Join *a, const Join *b)
{
  return a->id == b->id && strcmp (a->name, b->name) == 0
      && strcmp (a->uuid, b->uuid) == 0;
}

/* Remembers @join (taken). */
void
hub_join_add (HubCore *core, Join *join)
{
  g_ptr_array_add (core->offers.joins, join);
  join_tell (core, join);
}

/* Removes the consumer and announces why it left. It can belong to another
 * process if its producer evicted it. */
void
hub_join_remove (HubCore *core, const Join *left)
{
  for (guint i = core->offers.joins->len; i > 0; i--)
    if (same_consumer (g_ptr_array_index (core->offers.joins, i - 1), left))
      g_ptr_array_remove_index (core->offers.joins, i - 1);
  tell (core, join_message ("consumer-left", left));
}

/* --- subscriptions --- */

/* Every hub receives notices of all blocks through its own subscription to "*".
 * So a "*" of the user only adds the notifications. */
static void
subscription_tell (HubCore *core, const char *pattern, gboolean on)
{
  if (on || strcmp (pattern, "*") == 0)
    tell (core,
        json_pack ("{s:s, s:s, s:b}", "type", "subscribe", "pattern", pattern,
            "notifications", on));
  else
    tell (core,
        json_pack ("{s:s, s:s}", "type", "unsubscribe", "pattern", pattern));
}

void
hub_subscription_set (HubCore *core, const char *pattern, gboolean on)
{
  guint n = GPOINTER_TO_UINT (g_hash_table_lookup (core->offers.subscriptions,
      pattern));

  if (!on && n == 0)
    return;
  n = on ? n + 1 : n - 1;
  if (n > 0)
    g_hash_table_insert (core->offers.subscriptions, g_strdup (pattern),
        GUINT_TO_POINTER (n));
  else
    g_hash_table_remove (core->offers.subscriptions, pattern);
  /* only the first subscription and the last unsubscription are sent */
  if (n == (on ? 1 : 0))
    subscription_tell (core, pattern, on);
}

/* --- a new broker --- */

/* Registers all blocks, consumers and subscriptions with a broker. */
void
hub_offers_connected (HubCore *core)
{
  GHashTableIter iter;
  gpointer pattern;
  g_autoptr (GList) offers = g_hash_table_get_values (core->offers.blocks);

  if (!g_hash_table_contains (core->offers.subscriptions, "*"))
    subscription_tell (core, "*", FALSE);
  g_hash_table_iter_init (&iter, core->offers.subscriptions);
  while (g_hash_table_iter_next (&iter, &pattern, NULL))
    subscription_tell (core, pattern, TRUE);
  for (GList *l = offers; l; l = l->next)
    offer_tell (core, l->data);
  hub_offers_block_came (core, NULL);
}

void
hub_offers_lost (HubCore *core)
{
  hub_clear_source (&core->offers.retry_source);
}

/* Announces the consumers of @name, or of all blocks (NULL), again: the broker
 * accepts them only when it knows the block. */
void
hub_offers_block_came (HubCore *core, const char *name)
{
  for (guint i = 0; i < core->offers.joins->len; i++) {
    Join *join = g_ptr_array_index (core->offers.joins, i);
    if (!name || strcmp (join->name, name) == 0)
      join_tell (core, join);
  }
}

void
hub_offers_init (HubOffers *offers)
{
  offers->blocks =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, offer_free);
  offers->joins = g_ptr_array_new_with_free_func (join_free);
  offers->subscriptions =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

void
hub_offers_clear (HubOffers *offers)
{
  g_hash_table_unref (offers->blocks);
  g_ptr_array_unref (offers->joins);
  g_hash_table_unref (offers->subscriptions);
}
