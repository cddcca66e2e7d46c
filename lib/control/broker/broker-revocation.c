/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a new allow-list takes from the clients that are there. The rights of a key are
 * looked up for each message, so nothing new is granted; here is what was granted before.
 * A secret or a ticket cannot be taken back: the owner gets an event, and goes on in a
 * block with another secret.
 * Tests: broker-revocation, gst-revocation */
#include "control/wire/control-log-private.h"
#include "broker-handlers-private.h"

#include <string.h>

/* To the owner of @block: @key lost @right to it. Returns whether it was sent. */
static gboolean
send_revoked (DatahubBroker *broker, BlockEntry *block, Right right,
    const char *key)
{
  g_autoptr (json_t) message = broker_event_new ("revoked");

  json_object_set_new (message, "name", json_string (block->name));
  if (*block->uuid)
    json_object_set_new (message, "uuid", json_string (block->uuid));
  json_object_set_new (message, "right", json_string (right_word (right)));
  json_object_set_new (message, "key", json_string (key));
  control_log (G_LOG_LEVEL_MESSAGE, "revoked",
      "key %s has no right to %s %s any more", key, right_word (right),
      block->name);
  return broker_send (broker, block->owner, message);
}

/* Sends to the owner of @block which keys with its secret or a ticket have no right to it
 * any more: once by each connection, because what was sent may be lost with one. Called when
 * there is another list, and when the owner registers. */
void
broker_tell_revoked (DatahubBroker *broker, BlockEntry *block)
{
  const BrokerClient *owner = block->owner;
  GHashTableIter iter;
  gpointer key, told;

  g_hash_table_iter_init (&iter, block->introduced);
  while (g_hash_table_iter_next (&iter, &key, &told))
    if (!rights_allow (broker->rights, key, RIGHT_CONSUME, block->name)
        && strcmp (told, owner->epoch) != 0
        && send_revoked (broker, block, RIGHT_CONSUME, key))
      g_hash_table_iter_replace (&iter, g_strdup (owner->epoch));
}

/* The owner reports the consumers of its block too, with its own rights. */
static void
revoke_joined (DatahubBroker *broker, BlockEntry *block)
{
  for (guint i = block->joined->len; i > 0; i--) {
    Joined *joined = g_ptr_array_index (block->joined, i - 1);
    if (joined->client != block->owner
        && !rights_allow (broker->rights, joined->client->key, RIGHT_CONSUME,
            block->name))
      broker_remove_joined (broker, block, joined, "revoked");
  }
}

/* Called when there is another list. */
void
broker_rights_changed (DatahubBroker *broker)
{
  g_autoptr (GPtrArray) blocks = registry_list_blocks (&broker->registry);

  for (guint i = 0; i < blocks->len; i++) {
    BlockEntry *block = g_ptr_array_index (blocks, i);
    if (rights_allow (broker->rights, block->owner->key, RIGHT_PRODUCE,
            block->name)) {
      broker_tell_revoked (broker, block);
      revoke_joined (broker, block);
      continue;
    }
    send_revoked (broker, block, RIGHT_PRODUCE, block->owner->key);
    broker_remove_block (broker, block, "revoked");
  }
}

/* @key got the secret of @block, or a ticket. */
void
broker_note_introduced (BlockEntry *block, const char *key)
{
  g_hash_table_insert (block->introduced, g_strdup (key), g_strdup (""));
}
