/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The watch over clients. A client that misses heartbeats, or is a stopped process,
 * is only marked as stalled: its blocks and consumers stay until the kernel
 * shows that they are gone (broker-looks.c).
 * Tests: broker-liveness, hub-election, hub-rest */
#include "control/wire/control-log-private.h"
#include "broker-private.h"
#include "evidence-private.h"
#include "control/wire/even-source-private.h"
#include "control/wire/process-private.h"
#include "control/wire/zmq-source-private.h"
#include <datahub/block.h>

/* While no client can become silent, nor is one stopped. With STOPPED_LOOKS, of which the
 * second follows a fast tick later, a process that is stopped is noticed as late as a
 * silent one. */
#define SLOW_TICK_MS 1200
#define STOPPED_LOOKS 2
/* A turn this late means that the broker itself was stopped, not its
 * clients. */
#define OWN_PAUSE_US (G_USEC_PER_SEC)
/* After a connection broke: its route is gone once libzmq has noticed too. */
#define PROBE_MS 10
#define PROBE_PAUSE_US (100 * G_TIME_SPAN_MILLISECOND)

static void
drop_silent_clients (DatahubBroker *broker)
{
  GHashTableIter iter;
  BrokerClient *client;
  g_autoptr (GPtrArray) silent = g_ptr_array_new ();

  g_hash_table_iter_init (&iter, broker->registry.clients);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &client))
    if (client->stalled)
      g_ptr_array_add (silent, client);
  for (guint i = 0; i < silent->len; i++)
    registry_drop_idle (&broker->registry, g_ptr_array_index (silent, i));
}

guint
broker_heartbeat_ms (const BrokerClient *client)
{
  return client->examined ? PROTOCOL_SLOW_HEARTBEAT_MS : PROTOCOL_HEARTBEAT_MS;
}

static gint64
silent_us (const BrokerClient *client)
{
  return (gint64) broker_heartbeat_ms (client) * PROTOCOL_HEARTBEATS_MISSED
      * G_TIME_SPAN_MILLISECOND;
}

/* A process that was stopped for a moment is not reported. One that goes on is heard: it
 * need not speak. */
static void
examine (DatahubBroker *broker, BrokerClient *client)
{
  gboolean was_stopped = client->stopped_looks >= STOPPED_LOOKS;

  if (!client->examined || !client->routing)
    return;
  if (process_look (client->pid) != PROCESS_STOPPED) {
    client->stopped_looks = 0;
    if (was_stopped)
      broker_heard (broker, client);
    return;
  }
  client->stopped_looks = MIN (client->stopped_looks + 1, STOPPED_LOOKS);
  if (client->stopped_looks == STOPPED_LOOKS)
    client->stalled = TRUE;
}

/* Marks stalled clients. Returns whether there are any. @soon becomes TRUE if one can
 * become so within a slow tick. */
static gboolean
mark_silent_clients (DatahubBroker *broker, gint64 now, gboolean *soon)
{
  GHashTableIter iter;
  BrokerClient *client;
  gint64 period_us =
      broker->ticks_fast ? 0 : SLOW_TICK_MS * G_TIME_SPAN_MILLISECOND;
  gboolean paused = now - broker->ticked_us > OWN_PAUSE_US + period_us;
  gboolean any = FALSE;

  g_hash_table_iter_init (&iter, broker->registry.clients);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &client)) {
    examine (broker, client);
    if (paused && !client->stalled)
      client->seen_us = now;
    if (now - client->seen_us > silent_us (client))
      client->stalled = TRUE;
    any |= client->stalled;
    *soon |= !client->examined || client->stopped_looks > 0;
  }
  broker->ticked_us = now;
  return any;
}

/* Looks for a block that was not seen yet. A block of another shared memory, as in a
 * container, is not absent: nothing is known of it. */
gboolean
broker_block_is_absent (BlockEntry *block)
{
  if (block->absent && evidence_is_visible (block->name, block->uuid)) {
    block->visible = TRUE;
    block->absent = FALSE;
  }
  return block->absent;
}

/* @memory is what its owner wrote about its shared memory; may be empty. */
void
broker_note_evidence (BlockEntry *block, const char *memory)
{
  g_autofree char *own = evidence_memory ();

  block->visible = evidence_is_visible (block->name, block->uuid);
  block->absent = *block->uuid && !block->visible && block->owner->local
      && *memory && g_strcmp0 (memory, own) == 0;
  if (block->absent)
    control_log (G_LOG_LEVEL_INFO, "absent",
        "block %s of %s (pid %d) is registered, and is not in %s: it must be "
        "published first",
        block->name, block->owner->program, block->owner->pid,
        datahub_shm_directory ());
}

static void
log_lost (DatahubBroker *broker, const char *lost, const char *result)
{
  if (!broker->told_lost)
    control_log (G_LOG_LEVEL_MESSAGE, "files-lost",
        "another program removed %s%s", lost, result);
  broker->told_lost = TRUE;
}

/* Ends a broker that clients cannot find any more, so that one begins that they can
 * find. If that is not possible, the connected clients are served. */
static void
check_files (DatahubBroker *broker)
{
  g_autofree char *lost = g_strdup (broker_files_find_lost (broker->files));

  if (broker->closing)
    return;
  if (!lost) {
    broker->told_lost = FALSE;
    return;
  }
  if (!broker_files_prepare (broker->files)) {
    log_lost (broker, lost,
        ", which cannot be made again here: new clients do not find this broker");
    return;
  }
  broker->told_lost = FALSE;
  if (broker_files_find_lost (broker->files)) {
    log_lost (broker, lost,
        ": the broker ends, and one begins that new clients find");
    broker_make_way (broker);
  } else {
    log_lost (broker, lost, ": it was made again");
  }
}

static void
set_ticks (DatahubBroker *broker, gboolean fast)
{
  if (broker->tick_source && broker->ticks_fast == fast)
    return;
  wire_source_clear (&broker->tick_source);
  broker->ticks_fast = fast;
  broker->tick_source = fast ? g_timeout_source_new (PROTOCOL_HEARTBEAT_MS)
                             : wire_even_source_new (SLOW_TICK_MS);
  g_source_set_callback (broker->tick_source, broker_tick, broker, NULL);
  g_source_attach (broker->tick_source, broker->context);
}

void
broker_begin_ticks (DatahubBroker *broker)
{
  set_ticks (broker, TRUE);
}

/* A helper without a client ends soon. */
static gboolean
is_unused_helper (DatahubBroker *broker)
{
  return broker->helper && g_hash_table_size (broker->registry.clients) == 0;
}

/* The periodic check of files and of all clients. */
gboolean
broker_tick (gpointer user_data)
{
  DatahubBroker *broker = user_data;
  gint64 now = g_get_monotonic_time ();
  gboolean soon = is_unused_helper (broker);

  check_files (broker);
  accounts_tidy (&broker->connections, now);
  accounts_tidy (&broker->keys, now);
  if (broker->helper)
    broker_helper_look (broker, now);
  gboolean any = mark_silent_clients (broker, now, &soon);
  set_ticks (broker, any || soon);
  if (!any)
    return G_SOURCE_CONTINUE;
  g_autoptr (GPtrArray) blocks = registry_list_blocks (&broker->registry);
  for (guint i = 0; i < blocks->len; i++)
    broker_watch_block (broker, g_ptr_array_index (blocks, i), now);
  drop_silent_clients (broker);
  return G_SOURCE_CONTINUE;
}

/* One check of all clients, outside of the period. */
gboolean
broker_check_once (gpointer user_data)
{
  DatahubBroker *broker = user_data;

  g_clear_pointer (&broker->watch_source, g_source_unref);
  broker_tick (broker);
  return G_SOURCE_REMOVE;
}

/* @client spoke: it is not silent, and neither are its blocks. */
void
broker_heard (DatahubBroker *broker, BrokerClient *client)
{
  client->seen_us = g_get_monotonic_time ();
  broker_helper_heard (broker, client->seen_us);
  if (!client->stalled)
    return;
  client->stalled = FALSE;
  g_autoptr (GPtrArray) blocks = registry_list_blocks (&broker->registry);
  for (guint i = 0; i < blocks->len; i++) {
    BlockEntry *block = g_ptr_array_index (blocks, i);
    if (block->owner == client)
      block->stalled_us = 0;
  }
}

static gboolean
is_of_port (const BrokerClient *client, gconstpointer port)
{
  return client->local == (((const BrokerPort *) port)->number == PORT_OWN);
}

static gboolean
probe (gpointer user_data)
{
  BrokerPort *port = user_data;
  g_autoptr (json_t) message = broker_event_new ("probe");

  g_clear_pointer (&port->probe_source, g_source_unref);
  port->probed_us = g_get_monotonic_time ();
  broker_send_each (port->broker, message, is_of_port, port);
  return G_SOURCE_REMOVE;
}

/* A connection broke; libzmq does not report which. So a message is sent to
 * every client of the port: it fails for a route that is gone. Many that break one
 * after the other cost a message in PROBE_PAUSE_US. */
void
broker_probe_soon (BrokerPort *port)
{
  gint64 since = g_get_monotonic_time () - port->probed_us;
  guint ms = PROBE_MS;

  if (port->probe_source)
    return;
  if (port->probed_us && since < PROBE_PAUSE_US)
    ms += (guint) ((PROBE_PAUSE_US - since) / 1000);
  port->probe_source = g_timeout_source_new (ms);
  g_source_set_callback (port->probe_source, probe, port, NULL);
  g_source_attach (port->probe_source, port->broker->context);
}
