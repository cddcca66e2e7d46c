/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The notices that the broker sends to clients when a block or a consumer is
 * added or removed.
 * Tests: hub-signals, broker-liveness */
#include "control/wire/control-log-private.h"
#include "broker-private.h"

/* Sends to all clients that subscribed to blocks of this name. */
void
broker_tell_block (DatahubBroker *broker, const char *event, BlockEntry *block,
    const char *reason)
{
  json_t *message = broker_event_new (event);

  json_object_set_new (message, "block", block_entry_to_json (block));
  if (reason)
    json_object_set_new (message, "reason", json_string (reason));
  control_log (G_LOG_LEVEL_INFO, event, "%s: block %s of %s (pid %d)%s%s",
      event, block->name, block->owner->program, block->owner->pid,
      reason ? ": " : "", reason ? reason : "");
  broker_publish (broker, block->name, FALSE, NULL, message);
}

/* Sends to the block's owner, and to the subscribers of its notifications. */
void
broker_tell_consumer (DatahubBroker *broker, const char *event,
    BlockEntry *block, Joined *joined, const char *reason)
{
  json_t *message = broker_event_new (event);

  json_object_set_new (message, "name", json_string (block->name));
  json_object_set_new (message, "uuid", json_string (block->uuid));
  json_object_set_new (message, "label", json_string (joined->label));
  message_set_u64 (message, "consumer", joined->id);
  if (reason)
    json_object_set_new (message, "reason", json_string (reason));
  control_log (G_LOG_LEVEL_INFO, event, "%s: %s of block %s%s%s", event,
      joined->label, block->name, reason ? ": " : "", reason ? reason : "");
  broker_publish (broker, block->name, TRUE, block->owner, message);
}

/* To the owner of @block: @taker gets the name. The owner registers again if it still has the
 * block. */
void
broker_tell_taken (DatahubBroker *broker, BlockEntry *block,
    const BrokerClient *taker)
{
  g_autoptr (json_t) message = broker_event_new ("block-taken");

  json_object_set_new (message, "name", json_string (block->name));
  if (*block->uuid)
    json_object_set_new (message, "uuid", json_string (block->uuid));
  json_object_set_new (message, "program", json_string (taker->program));
  json_object_set_new (message, "pid", json_integer (taker->pid));
  control_log (G_LOG_LEVEL_INFO, "block-taken",
      "the entry of block %s goes from %s (pid %d) to %s (pid %d)", block->name,
      block->owner->program, block->owner->pid, taker->program, taker->pid);
  broker_send (broker, block->owner, message);
}

void
broker_remove_block (DatahubBroker *broker, BlockEntry *block,
    const char *reason)
{
  broker_tell_block (broker, "block-removed", block, reason);
  registry_remove (&broker->registry, block);
}

void
broker_remove_joined (DatahubBroker *broker, BlockEntry *block, Joined *joined,
    const char *reason)
{
  broker_tell_consumer (broker, "consumer-removed", block, joined, reason);
  block_entry_leave (block, joined);
}
