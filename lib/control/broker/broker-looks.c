/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The blocks and consumers of silent clients: the kernel is asked about them, in a thread
 * of its own, and an entry that is gone is removed. A look takes a while, so its result
 * counts only for an entry that is still the same, of a client that is still silent.
 * Tests: broker-stopped, broker-liveness, broker-evidence */
#include "control/wire/control-log-private.h"
#include "broker-private.h"

#include <string.h>

/* Blocks and consumers that cannot be examined (of another machine or user) are
 * removed after this time. */
#define REMOTE_PATIENCE_US (30 * G_USEC_PER_SEC)
/* After a producer did not answer, its consumers are looked at again. */
#define AGAIN_US (2 * G_USEC_PER_SEC)

/* That a block or row is there does not show that it is a stranger's. */
static gboolean
is_gone (const BrokerClient *client, Evidence evidence, gint64 silent_us)
{
  if (evidence == EVIDENCE_GONE)
    return TRUE;
  if (evidence == EVIDENCE_ALIVE && client->local)
    return FALSE;
  return silent_us > REMOTE_PATIENCE_US;
}

static void
judge_block (DatahubBroker *broker, BlockEntry *block, Evidence evidence)
{
  BrokerClient *owner = block->owner;
  gint64 silent_us = g_get_monotonic_time () - block->stalled_us;

  if (!owner->stalled || block->stalled_us == 0
      || !is_gone (owner, evidence, silent_us))
    return;
  broker_remove_block (broker, block, "lost");
  registry_drop_idle (&broker->registry, owner);
}

/* @all NULL: they cannot be examined. */
static void
judge_consumers (DatahubBroker *broker, BlockEntry *block,
    const ConsumersEvidence *all)
{
  gint64 now = g_get_monotonic_time ();

  for (guint i = block->joined->len; i > 0; i--) {
    Joined *joined = g_ptr_array_index (block->joined, i - 1);
    BrokerClient *client = joined->client;
    Evidence evidence =
        all ? consumers_evidence_of (all, joined->id) : EVIDENCE_UNKNOWN;
    if (!client->stalled || !is_gone (client, evidence, now - client->seen_us))
      continue;
    broker_remove_joined (broker, block, joined, "lost");
    registry_drop_idle (&broker->registry, client);
  }
}

void
broker_looked (const Look *look, gpointer user_data)
{
  DatahubBroker *broker = user_data;
  BlockEntry *block = registry_find (&broker->registry, look->name);

  broker->stats.looks++;
  if (!block || block->serial != look->serial)
    return;
  if (look->kind == LOOK_BLOCK) {
    block->asked = FALSE;
    judge_block (broker, block, look->block);
    return;
  }
  block->asked_consumers = FALSE;
  block->again_us = look->consumers.evidence == EVIDENCE_UNKNOWN
      ? g_get_monotonic_time () + AGAIN_US
      : 0;
  judge_consumers (broker, block, &look->consumers);
}

static gboolean
has_silent_consumer (const BlockEntry *block)
{
  for (guint i = 0; i < block->joined->len; i++)
    if (((Joined *) g_ptr_array_index (block->joined, i))->client->stalled)
      return TRUE;
  return FALSE;
}

static void
watch_consumers (DatahubBroker *broker, BlockEntry *block, gint64 now)
{
  if (block->asked_consumers || now < block->again_us
      || !has_silent_consumer (block))
    return;
  if (block->visible)
    block->asked_consumers = looker_ask (broker->looker,
        block->again_us ? LOOK_AGAIN : LOOK_CONSUMERS, block->name, block->uuid,
        block->serial);
  else
    judge_consumers (broker, block, NULL);
}

static void
note_silence (BlockEntry *block, gint64 now)
{
  if (block->stalled_us != 0)
    return;
  block->stalled_us = now;
  control_log (G_LOG_LEVEL_INFO, "stalled",
      "the owner of block %s (pid %d) does not answer", block->name,
      block->owner->pid);
}

/* Called periodically. @block can be removed here. */
void
broker_watch_block (DatahubBroker *broker, BlockEntry *block, gint64 now)
{
  watch_consumers (broker, block, now);
  if (!block->owner->stalled) {
    block->stalled_us = 0;
    return;
  }
  note_silence (block, now);
  if (block->asked)
    return;
  if (block->visible)
    block->asked = looker_ask (broker->looker, LOOK_BLOCK, block->name,
        block->uuid, block->serial);
  else
    judge_block (broker, block,
        block->owner->local && !*block->uuid ? EVIDENCE_GONE
                                             : EVIDENCE_UNKNOWN);
}
