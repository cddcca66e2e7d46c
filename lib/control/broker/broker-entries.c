/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of blocks: "register" and "unregister". A name has one owner, and only
 * evidence of the kernel gives it to another one while its owner speaks.
 * Tests: broker-doors, broker-liveness, broker-evidence */
#include "control/wire/control-log-private.h"
#include "broker-handlers-private.h"
#include "evidence-private.h"
#include "control/wire/control-error-private.h"
#include <datahub/hub.h>

#include <string.h>

/* For so long a name stays with the key of a stranger after its connection broke. */
#define STRANGERS_GRACE_US (3 * G_USEC_PER_SEC)

/* What a silent owner leaves to a newcomer. The name of a stranger does not go to
 * another key because a connection broke for a moment. */
static gboolean
is_left (BrokerCall *call, BlockEntry *block)
{
  gint64 now = g_get_monotonic_time ();

  if (!block->owner->stalled)
    return FALSE;
  if (block->owner->local)
    return !*block->uuid
        || evidence_of_block (block->name, block->uuid) != EVIDENCE_ALIVE;
  return call->client->local || strcmp (block->owner->key, call->key) == 0
      || (block->stalled_us != 0
          && now - block->stalled_us > STRANGERS_GRACE_US);
}

/* Whether the newcomer's block @uuid may take the name of @block. Of the own user's
 * clients the lock in shared memory decides. What a stranger writes about a block is no
 * evidence, because each client that may observe the block knows its uuid. */
static gboolean
may_replace (BrokerCall *call, BlockEntry *block, const char *uuid)
{
  if (*uuid && call->client->local
      && evidence_of_block (block->name, uuid) == EVIDENCE_ALIVE)
    return TRUE;
  return is_left (call, block);
}

static gboolean
refuse_busy (const BlockEntry *block, GError **error)
{
  const BrokerClient *owner = block->owner;

  return message_refuse (error, DATAHUB_HUB_ERROR_BUSY,
      "%s (pid %d%s) already produces %s; choose another name, or stop that "
      "process",
      owner->program, owner->pid, owner->local ? "" : ", connected by tcp",
      block->name);
}

static gboolean
make_room (BrokerCall *call, const char *name, const char *uuid, GError **error)
{
  Registry *registry = &call->broker->registry;
  BlockEntry *block = registry_find (registry, name);
  gboolean own = block && block->owner == call->client;
  /* The same block, adopted from a dead producer: its consumers stay. */
  gboolean stays = block && strcmp (block->uuid, uuid) == 0 && (*uuid || own);

  if (block && !own && !may_replace (call, block, uuid))
    return refuse_busy (block, error);
  if (stays && own)
    return TRUE;
  if ((!own && !client_may_register (call->client))
      || (!block && registry_n_blocks (registry) >= MAX_BLOCKS))
    return message_refuse (error, DATAHUB_HUB_ERROR_LIMIT,
        "a client can register at most %d blocks, a key by tcp %d, and all "
        "clients together %d, by tcp %d",
        MAX_BLOCKS_PER_CLIENT, MAX_BLOCKS_PER_KEY, MAX_BLOCKS,
        MAX_BLOCKS_OF_STRANGERS);
  if (block && !own)
    broker_tell_taken (call->broker, block, call->client);
  if (block && !stays)
    broker_remove_block (call->broker, block, "replaced");
  if (stays)
    registry_hand_over (registry, block, call->client);
  return TRUE;
}

/* An optional text of the request: "" if it is absent. NULL: it is invalid. */
static const char *
get_text (BrokerCall *call, const char *field, gsize max, GError **error)
{
  g_autoptr (GError) local = NULL;
  const char *text = message_string (call->message, field, max, FALSE, &local);

  if (local) {
    g_propagate_error (error, g_steal_pointer (&local));
    return NULL;
  }
  return text ? text : "";
}

gboolean
broker_handle_register (BrokerCall *call, GError **error)
{
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean has_secret;
  const char *name = message_name (call->message, error);
  const char *uuid = name ? message_uuid (call->message, error) : NULL;
  const char *caps, *memory;

  if (!name || !uuid || !broker_need (call, RIGHT_PRODUCE, name, error)
      || !(caps = get_text (call, "caps", CAPS_MAX, error))
      || !(memory = get_text (call, "memory", LABEL_MAX, error)))
    return FALSE;
  if (!message_secret (call->message, secret, &has_secret, error)
      || !make_room (call, name, uuid, error))
    return FALSE;

  BlockEntry *block = registry_find (&call->broker->registry, name);
  if (block) {
    g_free (block->caps);
    block->caps = g_strdup (caps);
  } else {
    block =
        registry_add (&call->broker->registry, call->client, name, uuid, caps);
  }
  block->stalled_us = 0;
  broker_note_evidence (block, memory);
  block->has_secret = has_secret;
  block->strict = json_is_true (json_object_get (call->message, "strict"));
  if (has_secret)
    memcpy (block->secret, secret, sizeof secret);
  broker_tell_block (call->broker, "block-added", block, NULL);
  broker_tell_revoked (call->broker, block);
  broker_warn_unbound (call, block);
  return TRUE;
}

/* The block a request is about: of this name, and still the same one. */
BlockEntry *
broker_get_block (BrokerCall *call, GError **error)
{
  const char *name = message_name (call->message, error);
  const char *uuid = name ? message_uuid (call->message, error) : NULL;
  BlockEntry *block;

  if (!uuid)
    return NULL;
  block = registry_find (&call->broker->registry, name);
  if (block && strcmp (block->uuid, uuid) == 0)
    return block;
  message_refuse (error, DATAHUB_HUB_ERROR_NOT_FOUND, "no such block: %s",
      name);
  return NULL;
}

/* By owner and incarnation, never by name alone. */
gboolean
broker_handle_unregister (BrokerCall *call, GError **error)
{
  BlockEntry *block = broker_get_block (call, error);

  if (!block)
    return FALSE;
  if (block->owner != call->client)
    return message_refuse (error, DATAHUB_HUB_ERROR_DENIED,
        "block %s belongs to another client", block->name);
  broker_remove_block (call->broker, block, "closed");
  return TRUE;
}
