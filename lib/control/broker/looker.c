/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at blocks in a thread of its own. The consumers of a strict block are asked of
 * its producer, for 0.1 s if that is stopped: the broker's thread, which serves all
 * clients, must not wait for it. The thread starts with the first look. What can wait
 * comes behind what cannot, so that many stopped producers do not hold up the look at
 * one that was killed.
 * Tests: broker-stopped, broker-liveness */
#include "control/wire/control-log-private.h"
#include "looker-private.h"
#include "control/wire/resources-private.h"

struct _Looker
{
  GMainContext *context;
  LookDone done;
  gpointer user_data;
  GAsyncQueue *queue; /* of Look; owned */
  GThread *thread; /* NULL: not started yet */
  int ending; /* atomic */
};

typedef struct
{
  Looker *looker;
  Look *look; /* owned */
} Report;

static void
look_free (gpointer data)
{
  Look *look = data;

  consumers_evidence_clear (&look->consumers);
  g_free (look->name);
  g_free (look->uuid);
  g_free (look);
}

static void
report_free (gpointer data)
{
  Report *report = data;

  look_free (report->look);
  g_free (report);
}

static gboolean
deliver (gpointer data)
{
  Report *report = data;

  report->looker->done (report->look, report->looker->user_data);
  return G_SOURCE_REMOVE;
}

/* A context that is not iterated any more frees @look. */
static void
report (Looker *looker, Look *look)
{
  GSource *source = g_idle_source_new ();
  Report *data = g_new0 (Report, 1);

  data->looker = looker;
  data->look = look;
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, deliver, data, report_free);
  g_source_attach (source, looker->context);
  g_source_unref (source);
}

/* In the order of kinds, and of those in the order in which they were asked. */
static gint
compare (gconstpointer a, gconstpointer b, gpointer user_data)
{
  return (gint) ((const Look *) a)->kind - (gint) ((const Look *) b)->kind;
}

static gpointer
run (gpointer data)
{
  Looker *looker = data;

  for (;;) {
    Look *look = g_async_queue_pop (looker->queue);
    if (g_atomic_int_get (&looker->ending)) {
      look_free (look);
      return NULL;
    }
    if (look->kind == LOOK_BLOCK)
      look->block = evidence_of_block (look->name, look->uuid);
    else
      consumers_evidence_ask (&look->consumers, look->name, look->uuid);
    report (looker, look);
  }
}

/* @done is called in @context, and not after that one is iterated for the last time. */
Looker *
looker_new (GMainContext *context, LookDone done, gpointer user_data)
{
  Looker *looker = g_new0 (Looker, 1);

  looker->context = context;
  looker->done = done;
  looker->user_data = user_data;
  looker->queue = g_async_queue_new_full (look_free);
  return looker;
}

/* Waits for the look that is under way. */
void
looker_free (Looker *looker)
{
  g_atomic_int_set (&looker->ending, TRUE);
  if (looker->thread) {
    g_async_queue_push (looker->queue, g_new0 (Look, 1));
    g_thread_join (looker->thread);
  }
  g_async_queue_unref (looker->queue);
  g_free (looker);
}

/* Returns FALSE if the system has no thread for it now. */
gboolean
looker_ask (Looker *looker, LookKind kind, const char *name, const char *uuid,
    guint serial)
{
  Look *look;

  if (!looker->thread)
    looker->thread = wire_start_thread ("datahub-looker", run, looker, NULL);
  if (!looker->thread)
    return FALSE;
  look = g_new0 (Look, 1);
  look->kind = kind;
  look->name = g_strdup (name);
  look->uuid = g_strdup (uuid);
  look->serial = serial;
  g_async_queue_push_sorted (looker->queue, look, compare, NULL);
  return TRUE;
}
