/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a broker that has a process of its own: without clients. Clients that come
 * in that moment lose their connection, and one of them starts the next broker. If the
 * process is killed instead, the kernel releases its lock, and the next holder removes
 * the socket.
 * Tests: hub-helper */
#include "control/wire/control-log-private.h"
#include "broker-private.h"

/* With two ticks and the end of libzmq less than two seconds. */
#define UNUSED_US (900 * G_TIME_SPAN_MILLISECOND)
/* Until the first client: the process that started the helper may be slow. */
#define FIRST_US (3 * G_USEC_PER_SEC)

/* How the broker runs, for messages. */
const char *
broker_kind (const DatahubBroker *broker)
{
  if (broker->helper)
    return "helper";
  return broker->embedded ? "process" : "standalone";
}

void
broker_helper_begin (DatahubBroker *broker)
{
  broker->unused_end_us = broker->start_us + FIRST_US;
}

static gboolean
has_visible_block (DatahubBroker *broker)
{
  g_autoptr (GPtrArray) blocks = registry_list_blocks (&broker->registry);

  for (guint i = 0; i < blocks->len; i++) {
    const BlockEntry *block = g_ptr_array_index (blocks, i);
    if (block->owner->local && block->visible)
      return TRUE;
  }
  return FALSE;
}

/* A producer that is stopped loses its connection after a while; its block is a client
 * until the kernel shows that the producer is gone. What cannot be examined, and has no
 * connection, is none. */
static gboolean
has_clients (DatahubBroker *broker)
{
  if (g_hash_table_size (broker->registry.clients) == 0)
    return FALSE;
  return ports_count (broker->ports) > 0 || has_visible_block (broker);
}

/* A client spoke. It can be gone before the next look. */
void
broker_helper_heard (DatahubBroker *broker, gint64 now)
{
  broker->unused_end_us = now + UNUSED_US;
}

/* Called periodically. */
void
broker_helper_look (DatahubBroker *broker, gint64 now)
{
  if (broker->closing)
    return;
  if (has_clients (broker))
    broker_helper_heard (broker, now);
  else if (now >= broker->unused_end_us)
    broker_quit_soon (broker, 0);
}
