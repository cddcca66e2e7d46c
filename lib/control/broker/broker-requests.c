/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The requests, one handler each, in one table. A handler receives a strictly
 * parsed message of a known key, and must check the rights of that key.
 * Tests: broker-hostile, broker-access, hub-questions */
#include "control/wire/control-log-private.h"
#include "broker-handlers-private.h"
#include "control/wire/control-error-private.h"
#include <datahub/keys.h>

#include <string.h>
#include <unistd.h>
#include <zmq.h>

/* Limits of a page of "list": entries, and bytes as sent (text of a producer
 * can grow sixfold by escaping). */
#define PAGE_BLOCKS 64
#define PAGE_BYTES (MESSAGE_MAX - 4096)
/* How long clients leave the lock to the broker that asked for it: more than twice the
 * longest end of this one, which waits half a second for a client that does not read.
 * Without a successor any of them is to host the next. */
#define YIELD_HOLD_MS 1500
#define CLOSING_HOLD_MS 500
/* Time for the last messages to reach all clients before the connections
 * end. */
#define YIELD_LINGER_MS 60

/* A client with the right to consume a strict block gets its own ticket: valid
 * once, for a limited time, and of no use to admit other clients. */
static void
introduce (BrokerCall *call, const BlockEntry *block)
{
  guint8 key[DATAHUB_TICKET_CLIENT_SIZE];
  guint8 ticket[DATAHUB_TICKET_SIZE];

  G_STATIC_ASSERT (DATAHUB_KEY_SIZE == DATAHUB_TICKET_CLIENT_SIZE);
  if (!block->strict)
    message_set_secret (call->reply, block->secret);
  else if (zmq_z85_decode (key, call->client->key)
      && datahub_ticket_make (block->secret, block->uuid, key, 0, ticket, NULL)
          == DATAHUB_OK)
    message_set_ticket (call->reply, ticket);
}

static gboolean
handle_find (BrokerCall *call, GError **error)
{
  const char *name = message_name (call->message, error);
  const char *state = "ready";
  BlockEntry *block;

  if (!name || !broker_need (call, RIGHT_OBSERVE, name, error))
    return FALSE;
  block = registry_find (&call->broker->registry, name);
  if (!block)
    state = "not-found";
  else if (!*block->uuid)
    state = "pending";
  else if (broker_block_is_absent (block))
    state = "unknown";
  json_object_set_new (call->reply, "state", json_string (state));
  if (!block)
    return TRUE;
  json_object_set_new (call->reply, "block", block_entry_to_json (block));
  if (block->has_secret && *block->uuid
      && broker_may (call, RIGHT_CONSUME, name)) {
    introduce (call, block);
    broker_note_introduced (block, call->key);
  } else if (block->has_secret && *block->uuid)
    broker_log_denied (call, RIGHT_CONSUME, name);
  return TRUE;
}

/* A page of the blocks that this key may observe, from the name after
 * "after". */
static gboolean
handle_list (BrokerCall *call, GError **error)
{
  g_autoptr (GError) local = NULL;
  const char *after = message_string (call->message, "after",
      DATAHUB_CHANNEL_MAX, FALSE, &local);
  json_t *page = json_array ();
  gsize bytes = 0;

  json_object_set_new (call->reply, "blocks", page);
  if (local) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  GTreeNode *node =
      g_tree_upper_bound (call->broker->registry.blocks, after ? after : "");
  for (; node; node = g_tree_node_next (node)) {
    BlockEntry *block = g_tree_node_value (node);
    if (!broker_may (call, RIGHT_OBSERVE, block->name))
      continue;
    broker_block_is_absent (block);
    g_autoptr (json_t) entry = block_entry_to_json (block);
    bytes += json_dumpb (entry, NULL, 0, JSON_COMPACT) + 1;
    if (json_array_size (page) >= PAGE_BLOCKS || bytes > PAGE_BYTES)
      break;
    json_array_append (page, entry);
  }
  json_object_set_new (call->reply, "more", json_boolean (node != NULL));
  return TRUE;
}

static const char *
get_pattern (BrokerCall *call, GError **error)
{
  const char *pattern =
      message_string (call->message, "pattern", PATTERN_MAX, TRUE, error);

  if (pattern && !pattern_is_valid (pattern)) {
    message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "a pattern can only contain the characters of names, '*' and '?'");
    return NULL;
  }
  return pattern;
}

static void
forget_subscription (BrokerClient *client, const char *pattern)
{
  for (guint i = client->subscriptions->len; i > 0; i--) {
    Subscription *s = g_ptr_array_index (client->subscriptions, i - 1);
    if (strcmp (s->pattern, pattern) == 0)
      g_ptr_array_remove_index (client->subscriptions, i - 1);
  }
}

/* Notices are filtered by the rights of the client when they are sent, so a
 * pattern that is wider than these is harmless. */
static gboolean
handle_subscribe (BrokerCall *call, GError **error)
{
  const char *pattern = get_pattern (call, error);

  if (!pattern)
    return FALSE;
  forget_subscription (call->client, pattern);
  if (call->client->subscriptions->len >= MAX_SUBSCRIPTIONS)
    return message_refuse (error, DATAHUB_HUB_ERROR_LIMIT,
        "a client can subscribe to at most %d patterns", MAX_SUBSCRIPTIONS);
  Subscription *subscription = g_new0 (Subscription, 1);
  subscription->pattern = g_strdup (pattern);
  subscription->notifications =
      json_is_true (json_object_get (call->message, "notifications"));
  g_ptr_array_add (call->client->subscriptions, subscription);
  return TRUE;
}

static gboolean
handle_unsubscribe (BrokerCall *call, GError **error)
{
  const char *pattern = get_pattern (call, error);

  if (!pattern)
    return FALSE;
  forget_subscription (call->client, pattern);
  return TRUE;
}

/* Sent by the consumer itself, or by the producer that detects it. */
static gboolean
handle_consumer_joined (BrokerCall *call, GError **error)
{
  guint64 id;
  BlockEntry *block = broker_get_block (call, error);
  gboolean is_owner = block && block->owner == call->client;
  const char *label;

  if (!block
      || (!is_owner && !broker_need (call, RIGHT_CONSUME, block->name, error))
      || !message_u64 (call->message, "consumer", &id, error)
      || !(label =
               message_string (call->message, "label", LABEL_MAX, TRUE, error)))
    return FALSE;
  Joined *joined = block_entry_find_joined (block, id);
  if (joined && (joined->client == call->client || is_owner))
    return TRUE;
  if (joined)
    return message_refuse (error, DATAHUB_HUB_ERROR_DENIED,
        "this consumer of %s belongs to another client", block->name);
  if (is_owner || block_entry_has_room (block, call->client))
    joined = block_entry_join (block, call->client, id, label);
  if (!joined)
    return message_refuse (error, DATAHUB_HUB_ERROR_LIMIT,
        "block %s has as many consumers as it may (%u, by tcp %u)", block->name,
        DATAHUB_MAX_CONSUMERS, MAX_JOINED_STRANGERS);
  broker_tell_consumer (call->broker, "consumer-added", block, joined, NULL);
  return TRUE;
}

/* Sent by the consumer itself, or by the producer that evicted it. */
static gboolean
handle_consumer_left (BrokerCall *call, GError **error)
{
  guint64 id;
  BlockEntry *block = broker_get_block (call, error);
  const char *reason;

  if (!block || !message_u64 (call->message, "consumer", &id, error)
      || !(reason = message_string (call->message, "reason", LABEL_MAX, TRUE,
               error)))
    return FALSE;
  Joined *joined = block_entry_find_joined (block, id);
  if (!joined)
    return message_refuse (error, DATAHUB_HUB_ERROR_NOT_FOUND,
        "no such consumer of %s", block->name);
  if (joined->client != call->client && block->owner != call->client)
    return message_refuse (error, DATAHUB_HUB_ERROR_DENIED,
        "this consumer of %s belongs to another client", block->name);
  g_autofree char *clean = message_clean (reason);
  broker_remove_joined (call->broker, block, joined, clean);
  return TRUE;
}

/* From the producer to its subscribers, or from a consumer to the producer. */
static gboolean
handle_notify (BrokerCall *call, GError **error)
{
  const char *name = message_name (call->message, error);
  const char *topic = name
      ? message_string (call->message, "topic", LABEL_MAX, TRUE, error)
      : NULL;
  json_t *payload = json_object_get (call->message, "payload");
  BlockEntry *block;

  if (!topic)
    return FALSE;
  block = registry_find (&call->broker->registry, name);
  gboolean is_owner = block && block->owner == call->client;
  if (!is_owner && !broker_need (call, RIGHT_CONSUME, name, error))
    return FALSE;
  if (!block)
    return message_refuse (error, DATAHUB_HUB_ERROR_NOT_FOUND,
        "no such block: %s", name);

  json_t *event = broker_event_new ("notification");
  json_object_set_new (event, "name", json_string (name));
  json_object_set_new (event, "topic", json_string (topic));
  if (payload)
    json_object_set (event, "payload", payload);
  if (is_owner) {
    broker_publish (call->broker, name, TRUE, NULL, event);
  } else {
    broker_send (call->broker, block->owner, event);
    json_decref (event);
  }
  return TRUE;
}

static gboolean
handle_stats (BrokerCall *call, GError **error)
{
  BrokerStats *stats = &call->broker->stats;
  Registry *registry = &call->broker->registry;

  if (!broker_need (call, RIGHT_ADMIN, "*", error))
    return FALSE;
  const struct
  {
    const char *name;
    guint64 value;
  } numbers[] = {
    { "requests", stats->requests },
    { "malformed", stats->malformed },
    { "replayed", stats->replayed },
    { "throttled", stats->throttled },
    { "impersonated", stats->impersonated },
    { "unsent", stats->unsent },
    { "looks", stats->looks },
    { "clients", g_hash_table_size (registry->clients) },
    { "blocks", registry_n_blocks (registry) },
    { "uptime-ms",
        (guint64) (g_get_monotonic_time () - call->broker->start_us) / 1000 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    json_object_set_new (call->reply, numbers[i].name,
        json_integer ((json_int_t) numbers[i].value));
  return TRUE;
}

static gboolean
is_another (const BrokerClient *client, gconstpointer successor)
{
  return client != successor;
}

/* Ends an embedded broker, so that another process serves. All clients but
 * @successor, which may be NULL, are notified, so that they leave the lock to
 * that process for a moment. */
static void
make_way (DatahubBroker *broker, const BrokerClient *successor)
{
  g_autoptr (json_t) event = broker_event_new ("closing");

  json_object_set_new (event, "hold-ms",
      json_integer (successor ? YIELD_HOLD_MS : CLOSING_HOLD_MS));
  broker_send_each (broker, event, is_another, successor);
  broker_quit_soon (broker, YIELD_LINGER_MS);
}

/* The broker's own thread. */
gboolean
broker_make_way (gpointer user_data)
{
  DatahubBroker *broker = user_data;

  if (!broker->closing)
    make_way (broker, NULL);
  return G_SOURCE_REMOVE;
}

/* An embedded broker stops for a standalone one that requests it. */
static gboolean
handle_yield (BrokerCall *call, GError **error)
{
  if (!broker_need (call, RIGHT_ADMIN, "*", error))
    return FALSE;
  if (!call->broker->embedded)
    return message_refuse (error, DATAHUB_HUB_ERROR_BUSY,
        "a standalone broker (pid %d) serves this endpoint and does not stop "
        "for another",
        (int) getpid ());
  make_way (call->broker, call->client);
  return TRUE;
}

static const BrokerRequest requests[] = {
  { "hello", broker_handle_hello, FALSE },
  { "ping", broker_handle_ping, FALSE },
  { "register", broker_handle_register, TRUE },
  { "unregister", broker_handle_unregister, FALSE },
  { "find", handle_find, FALSE },
  { "list", handle_list, TRUE },
  { "subscribe", handle_subscribe, FALSE },
  { "unsubscribe", handle_unsubscribe, FALSE },
  { "consumer-joined", handle_consumer_joined, TRUE },
  { "consumer-left", handle_consumer_left, FALSE },
  { "notify", handle_notify, TRUE },
  { "bye", broker_handle_bye, FALSE },
  { "stats", handle_stats, FALSE },
  { "yield", handle_yield, FALSE },
};

/* NULL for a type that there is not. */
const BrokerRequest *
broker_find_request (const char *type)
{
  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    if (strcmp (type, requests[i].type) == 0)
      return &requests[i];
  return NULL;
}
