/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Outgoing notifications. "data-ready" can be requested for every buffer, but
 * only the newest counts: the first is sent at once, further ones at most every
 * few milliseconds.
 * Tests: hub-signals */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"

#include <string.h>

#define DATA_READY "data-ready"
#define DATA_READY_MS 20

/* Notifications are of the moment: with no broker they are dropped. */
static void
send_now (HubCore *core, const char *name, const char *topic, const char *json)
{
  if (core->session.state != HUB_CONNECTED)
    return;
  json_t *message = json_pack ("{s:s, s:s, s:s}", "type", "notify", "name",
      name, "topic", topic);
  if (json)
    json_object_set_new (message, "payload",
        json_loads (json, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL));
  hub_send_quiet (core, message);
}

typedef struct
{
  HubCore *core;
  char *name, *topic, *json;
} Notice;

static void
notice_free (gpointer data)
{
  Notice *notice = data;

  hub_core_unref (notice->core);
  g_free (notice->name);
  g_free (notice->topic);
  g_free (notice->json);
  g_free (notice);
}

static gboolean
send_notice (gpointer data)
{
  Notice *notice = data;

  send_now (notice->core, notice->name, notice->topic, notice->json);
  return G_SOURCE_REMOVE;
}

static GHashTable *
ready_table (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

static gboolean
send_ready (gpointer data)
{
  HubCore *core = data;
  GHashTableIter iter;
  gpointer name, json;

  hub_clear_source (&core->notices.source);
  core->notices.sent_us = g_get_monotonic_time ();
  g_mutex_lock (&core->notices.lock);
  g_autoptr (GHashTable) ready = core->notices.ready;
  core->notices.ready = ready_table ();
  g_mutex_unlock (&core->notices.lock);

  g_hash_table_iter_init (&iter, ready);
  while (g_hash_table_iter_next (&iter, &name, &json))
    send_now (core, name, DATA_READY, json);
  return G_SOURCE_REMOVE;
}

static gboolean
arm_ready (gpointer data)
{
  HubCore *core = data;

  gint64 passed = (g_get_monotonic_time () - core->notices.sent_us) / 1000;

  if (core->notices.source)
    return G_SOURCE_REMOVE;
  if (passed >= DATA_READY_MS)
    return send_ready (core);
  core->notices.source =
      hub_core_after (core, (guint) (DATA_READY_MS - passed), send_ready, core);
  return G_SOURCE_REMOVE;
}

/* Keeps the newest; the first one since the last flush arms the next. */
static void
notify_ready (HubCore *core, const char *name, const char *json)
{
  g_mutex_lock (&core->notices.lock);
  gboolean first = g_hash_table_size (core->notices.ready) == 0;
  g_hash_table_insert (core->notices.ready, g_strdup (name), g_strdup (json));
  g_mutex_unlock (&core->notices.lock);
  if (first)
    hub_core_post (core, arm_ready, hub_core_ref (core),
        (GDestroyNotify) hub_core_unref);
}

/* Any thread; returns at once. */
void
hub_notify (HubCore *core, const char *name, const char *topic,
    const char *json)
{
  if (strcmp (topic, DATA_READY) == 0) {
    notify_ready (core, name, json);
    return;
  }
  Notice *notice = g_new0 (Notice, 1);
  notice->core = hub_core_ref (core);
  notice->name = g_strdup (name);
  notice->topic = g_strdup (topic);
  notice->json = g_strdup (json);
  hub_core_post (core, send_notice, notice, notice_free);
}

void
hub_notices_init (HubNotices *notices)
{
  g_mutex_init (&notices->lock);
  notices->ready = ready_table ();
}

void
hub_notices_clear (HubNotices *notices)
{
  g_hash_table_unref (notices->ready);
  g_mutex_clear (&notices->lock);
}
