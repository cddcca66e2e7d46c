/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of the broker: answers, and events that it sends without a request.
 * Tests: hub-signals, hub-loss, hub-hostile-broker, hub-false-answers */
#include "control/wire/control-log-private.h"
#include "hub-calls-private.h"
#include "hub-core-private.h"
#include "hub-events-private.h"
#include "hub-find-private.h"

#include <string.h>

#define MAX_HOLD_MS 5000

/* A text that is shown. */
static char *
shown (json_t *message, const char *field)
{
  const char *text = message_string (message, field, LABEL_MAX, FALSE, NULL);

  return message_clean (text ? text : "unknown");
}

static void
block_added (HubCore *core, json_t *message)
{
  g_autoptr (DatahubHubBlock) block =
      hub_block_from_json (json_object_get (message, "block"), NULL);

  if (!block)
    return;
  const char *name = datahub_hub_block_get_name (block);
  hub_catalogue_add (core, block);
  hub_offers_block_came (core, name);
  hub_finds_ask (core, name);
}

static void
block_removed (HubCore *core, json_t *message)
{
  g_autoptr (DatahubHubBlock) block =
      hub_block_from_json (json_object_get (message, "block"), NULL);
  g_autofree char *reason = shown (message, "reason");

  if (block)
    hub_catalogue_remove (core, datahub_hub_block_get_name (block),
        datahub_hub_block_get_uuid (block), reason);
}

/* Another client has a name that this hub offers. If the block is still there, it is
 * registered again. */
static void
block_taken (HubCore *core, json_t *message)
{
  const char *name = message_name (message, NULL);
  const char *uuid = message_uuid (message, NULL);

  if (name && uuid)
    hub_offers_taken (core, name, uuid);
}

/* A key lost a right to a block that this hub offers. That it may produce no more is
 * shown by the next register. */
static void
revoked (HubCore *core, json_t *message)
{
  const char *name = message_name (message, NULL);
  const char *uuid = message_uuid (message, NULL);
  const char *right = message_string (message, "right", 32, TRUE, NULL);
  const char *key =
      message_string (message, "key", DATAHUB_KEY_TEXT, TRUE, NULL);

  if (!name || !uuid || !right || !key)
    return;
  if (strcmp (right, "produce") == 0)
    hub_offers_taken (core, name, uuid);
  else
    hub_emit (core, SIGNAL_CONSUMER_REVOKED, name, name, uuid, key);
}

static void
consumer_event (HubCore *core, json_t *message, gboolean added)
{
  guint64 id;
  const char *name = message_name (message, NULL);
  g_autofree char *label = shown (message, "label");
  g_autofree char *reason = shown (message, "reason");

  if (!name || !message_string (message, "label", LABEL_MAX, TRUE, NULL)
      || !message_u64 (message, "consumer", &id, NULL))
    return;
  if (added)
    hub_emit (core, SIGNAL_CONSUMER_ADDED, name, name, id, label);
  else
    hub_emit (core, SIGNAL_CONSUMER_REMOVED, name, name, id, label, reason);
}

static void
consumer_added (HubCore *core, json_t *message)
{
  consumer_event (core, message, TRUE);
}

static void
consumer_removed (HubCore *core, json_t *message)
{
  consumer_event (core, message, FALSE);
}

static void
notification (HubCore *core, json_t *message)
{
  const char *name = message_name (message, NULL);
  const char *topic = message_string (message, "topic", LABEL_MAX, TRUE, NULL);
  json_t *payload = json_object_get (message, "payload");

  if (!name || !topic)
    return;
  char *json =
      payload ? json_dumps (payload, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  hub_emit (core, SIGNAL_NOTIFICATION, name, name, topic, json ? json : "null");
  free (json);
}

static void
closing (HubCore *core, json_t *message)
{
  gint64 ms = 0;

  message_integer (message, "hold-ms", 0, MAX_HOLD_MS, &ms, NULL);
  hub_session_closing (core, ms);
}

/* Sent only to see whether it can be. */
static void
probe (HubCore *core, json_t *message)
{
}

static const struct
{
  const char *event;
  void (*handler) (HubCore *core, json_t *message);
} handlers[] = {
  { "block-added", block_added },
  { "block-removed", block_removed },
  { "block-taken", block_taken },
  { "revoked", revoked },
  { "consumer-added", consumer_added },
  { "consumer-removed", consumer_removed },
  { "notification", notification },
  { "closing", closing },
  { "probe", probe },
};

/* Handles one event. An unknown one is a newer broker's and is ignored. */
static void
handle_event (HubCore *core, json_t *message)
{
  const char *event = message_string (message, "event", 32, TRUE, NULL);

  for (guint i = 0; event && i < G_N_ELEMENTS (handlers); i++)
    if (strcmp (event, handlers[i].event) == 0)
      handlers[i].handler (core, message);
}

/* Handles one message of the broker. */
void
hub_receive (HubCore *core, const void *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (json_t) message = message_parse (data, size, &error);
  const char *type =
      message ? message_string (message, "type", 32, TRUE, &error) : NULL;

  if (!type)
    hub_calls_count_unmatched (core, error->message);
  else if (strcmp (type, "event") == 0)
    handle_event (core, message);
  else if (strcmp (type, "reply") != 0 && strcmp (type, "error") != 0)
    hub_calls_count_unmatched (core, "a message of an unknown type");
  else if (hub_calls_answer (core, message, strcmp (type, "reply") == 0))
    hub_session_down (core, LINK_LOST);
  if (message)
    message_wipe_secret (message);
}
