/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Announcements of a program to its hub. They are passed to the hub's thread,
 * which stores them. No function here blocks.
 * Tests: hub-signals, hub-loss */
#include "control/wire/control-log-private.h"
#include "hub-private.h"
#include <datahub/block.h>

#include <string.h>

/* Work for the hub's thread about one name. */
typedef struct
{
  HubCore *core;
  Offer *offer;
  Join *join;
  char *name, *uuid;
  gboolean on;
} Work;

static Work *
work_new (DatahubHub *hub)
{
  Work *work = g_new0 (Work, 1);

  work->core = hub_core_ref (hub->core);
  return work;
}

static void
work_free (gpointer data)
{
  Work *work = data;

  g_clear_pointer (&work->offer, offer_free);
  g_clear_pointer (&work->join, join_free);
  g_free (work->name);
  g_free (work->uuid);
  hub_core_unref (work->core);
  g_free (work);
}

static gboolean
add_offer (gpointer data)
{
  Work *work = data;

  hub_offer_add (work->core, g_steal_pointer (&work->offer));
  return G_SOURCE_REMOVE;
}

static char *
text_of (const char *text, gsize max)
{
  char *valid = g_utf8_make_valid (text ? text : "", -1);

  if (strlen (valid) > max)
    *g_utf8_find_prev_char (valid, valid + max + 1) = '\0';
  return valid;
}

/**
 * datahub_hub_register_block:
 * @hub: a hub
 * @name: the name of the channel
 * @uuid: (nullable): the block, as datahub_producer_get_uuid(); %NULL announces a
 *   name that cannot be attached yet
 * @caps: (nullable): its caps, as text; left out if they are over 8 KiB
 * @secret: (nullable): %DATAHUB_SECRET_SIZE bytes, as in #DatahubProducerOptions
 * @flags: %DATAHUB_REGISTER_STRICT needs @uuid and @secret: the broker keeps the
 *   secret and makes a ticket for each datahub_hub_find() of a client that may
 *   consume the block. Without it, these clients get the secret
 *
 * Offers a block to every broker, now and after each reconnection, until
 * datahub_hub_unregister_block(). The block should be published before. The same
 * name again replaces the offer. If another process has the name,
 * `register-refused` is emitted once, and the hub keeps trying.
 */
void
datahub_hub_register_block (DatahubHub *hub, const char *name, const char *uuid,
    const char *caps, const guint8 *secret, DatahubRegisterFlags flags)
{
  gboolean strict = (flags & DATAHUB_REGISTER_STRICT) != 0;
  Work *work;
  Offer *offer;

  g_return_if_fail (DATAHUB_IS_HUB (hub));
  g_return_if_fail (name && datahub_channel_is_valid (name, NULL));
  g_return_if_fail (!strict || (uuid && secret));
  g_return_if_fail (!((guint) flags & ~(guint) DATAHUB_REGISTER_STRICT));
  work = work_new (hub);
  offer = g_new0 (Offer, 1);
  offer->name = g_strdup (name);
  offer->uuid = g_strdup (uuid ? uuid : "");
  /* Half a caps string would be a wrong one; the block has it whole. */
  if (caps && strlen (caps) <= CAPS_MAX)
    offer->caps = text_of (caps, CAPS_MAX);
  offer->strict = strict;
  offer->has_secret = secret != NULL;
  if (secret)
    memcpy (offer->secret, secret, sizeof offer->secret);
  work->offer = offer;
  hub_core_post (hub->core, add_offer, work, work_free);
}

static gboolean
remove_offer (gpointer data)
{
  Work *work = data;

  hub_offer_remove (work->core, work->name, work->uuid);
  return G_SOURCE_REMOVE;
}

void
datahub_hub_unregister_block (DatahubHub *hub, const char *name,
    const char *uuid)
{
  g_return_if_fail (DATAHUB_IS_HUB (hub) && name);
  Work *work = work_new (hub);

  work->name = g_strdup (name);
  work->uuid = g_strdup (uuid ? uuid : "");
  hub_core_post (hub->core, remove_offer, work, work_free);
}

static Work *
join_work (DatahubHub *hub, const char *name, const char *uuid, guint64 id)
{
  Work *work = work_new (hub);

  work->join = g_new0 (Join, 1);
  work->join->name = g_strdup (name);
  work->join->uuid = g_strdup (uuid ? uuid : "");
  work->join->id = id;
  return work;
}

static gboolean
add_join (gpointer data)
{
  Work *work = data;

  hub_join_add (work->core, g_steal_pointer (&work->join));
  return G_SOURCE_REMOVE;
}

/**
 * datahub_hub_consumer_joined:
 * @hub: a hub
 * @name: a block's name
 * @uuid: the incarnation that was joined
 * @id: the consumer's, as in its row
 * @consumer_name: its name
 *
 * Notifies the block's producer and subscribers, through this broker and later
 * ones. A producer can call it for consumers that do not; datahubsink does. Any
 * thread; returns at once.
 */
void
datahub_hub_consumer_joined (DatahubHub *hub, const char *name,
    const char *uuid, guint64 id, const char *consumer_name)
{
  g_return_if_fail (DATAHUB_IS_HUB (hub) && name);
  Work *work = join_work (hub, name, uuid, id);

  work->join->label = text_of (consumer_name, LABEL_MAX);
  hub_core_post (hub->core, add_join, work, work_free);
}

static gboolean
remove_join (gpointer data)
{
  Work *work = data;

  hub_join_remove (work->core, work->join);
  return G_SOURCE_REMOVE;
}

/**
 * datahub_hub_consumer_left:
 * @hub: a hub
 * @name: a block's name
 * @uuid: which incarnation of it
 * @id: the consumer's
 * @reason: (nullable): why, in a word: `left`, `evicted`, …
 *
 * Announces that a consumer of this process left, or that a consumer of a block
 * of this process was evicted. Any thread; returns at once.
 */
void
datahub_hub_consumer_left (DatahubHub *hub, const char *name, const char *uuid,
    guint64 id, const char *reason)
{
  g_return_if_fail (DATAHUB_IS_HUB (hub) && name);
  Work *work = join_work (hub, name, uuid, id);

  work->join->reason = text_of (reason ? reason : "left", LABEL_MAX);
  hub_core_post (hub->core, remove_join, work, work_free);
}

static gboolean
set_subscription (gpointer data)
{
  Work *work = data;

  hub_subscription_set (work->core, work->name, work->on);
  return G_SOURCE_REMOVE;
}

static void
post_subscription (DatahubHub *hub, const char *pattern, gboolean on)
{
  Work *work = work_new (hub);

  work->name = g_strdup (pattern);
  work->on = on;
  hub_core_post (hub->core, set_subscription, work, work_free);
}

void
datahub_hub_subscribe (DatahubHub *hub, const char *pattern)
{
  g_return_if_fail (DATAHUB_IS_HUB (hub));
  g_return_if_fail (pattern && pattern_is_valid (pattern));
  post_subscription (hub, pattern, TRUE);
}

void
datahub_hub_unsubscribe (DatahubHub *hub, const char *pattern)
{
  g_return_if_fail (DATAHUB_IS_HUB (hub));
  g_return_if_fail (pattern && pattern_is_valid (pattern));
  post_subscription (hub, pattern, FALSE);
}

/**
 * datahub_hub_send_notification:
 * @hub: a hub
 * @name: a block's name
 * @topic: its topic; `data-ready` can be sent for every buffer; only the
 * newest is passed on, every few milliseconds
 * @json: (nullable): its content, any JSON text
 *
 * From the block's producer to its listeners, or from a consumer to the
 * producer. Dropped if there is no broker. Any thread; returns at once.
 */
void
datahub_hub_send_notification (DatahubHub *hub, const char *name,
    const char *topic, const char *json)
{
  g_return_if_fail (DATAHUB_IS_HUB (hub) && name && topic);
  hub_notify (hub->core, name, topic, json);
}
