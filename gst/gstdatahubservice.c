/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signal handlers of applications and event handlers of upstream must not run
 * in the streaming thread, which holds the pad's locks. Consumers also join and
 * leave while no buffer flows. So one thread for each sink sleeps until the
 * block signals a change.
 * Tests: gst-joiners, gst-events, gst-attendance */
#include "gstdatahubservice.h"

#include <string.h>

#define CONSUMERS_MAX 256 /* rows of a block, at most */

typedef struct
{
  guint64 id;
  gboolean evicted;
  gchar name[DATAHUB_CONSUMER_NAME_MAX];
} Known;

struct _GstDatahubService
{
  GstDatahubProducer *block; /* owned */
  DatahubProducer *producer; /* entered by the thread */
  GThread *thread;
  GstDatahubServiceFuncs funcs;
  gpointer user_data;

  /* the thread's own */
  GArray *known; /* of Known */
  guint64 reaped;
};

static const DatahubConsumerInfo *
find_info (const DatahubConsumerInfo *infos, guint n, guint64 id)
{
  for (guint i = 0; i < n; i++)
    if (infos[i].id == id)
      return &infos[i];
  return NULL;
}

static Known *
find_known (GstDatahubService *service, guint64 id)
{
  for (guint i = 0; i < service->known->len; i++)
    if (g_array_index (service->known, Known, i).id == id)
      return &g_array_index (service->known, Known, i);
  return NULL;
}

/* Reports the changes of known consumers. An evicted consumer has left the
 * stream; it is reported as removed only once. */
static void
tell_removed (GstDatahubService *service, const DatahubConsumerInfo *infos,
    guint n, gboolean reaped)
{
  for (guint i = service->known->len; i > 0; i--) {
    Known gone = g_array_index (service->known, Known, i - 1);
    const DatahubConsumerInfo *info = find_info (infos, n, gone.id);
    if (info && info->state != DATAHUB_CONSUMER_EVICTED)
      continue;
    g_array_remove_index_fast (service->known, i - 1);
    service->funcs.consumer_removed (service->user_data, gone.id, gone.name,
        info         ? "evicted"
            : reaped ? "died"
                     : "left");
  }
}

static void
tell_added (GstDatahubService *service, const DatahubConsumerInfo *infos,
    guint n)
{
  for (guint i = 0; i < n; i++) {
    Known added = { .id = infos[i].id };
    if (infos[i].state != DATAHUB_CONSUMER_ACTIVE
        || find_known (service, added.id))
      continue;
    g_strlcpy (added.name, infos[i].name, sizeof added.name);
    if (!g_utf8_validate (added.name, -1, NULL))
      g_strlcpy (added.name, "?", sizeof added.name);
    g_array_append_val (service->known, added);
    service->funcs.consumer_added (service->user_data, added.id, added.name);
  }
}

static gboolean
is_notify_wanted (const DatahubConsumerInfo *infos, guint n)
{
  for (guint i = 0; i < n; i++)
    if (infos[i].notify)
      return TRUE;
  return FALSE;
}

static void
look (GstDatahubService *service, DatahubConsumerInfo *infos)
{
  guint requests = datahub_producer_take_requests (service->producer);
  guint n =
      datahub_producer_list_consumers (service->producer, infos, CONSUMERS_MAX);
  DatahubProducerStats stats;
  datahub_producer_get_stats (service->producer, &stats);
  tell_removed (service, infos, n, stats.reaped > service->reaped);
  service->reaped = stats.reaped;
  tell_added (service, infos, n);
  service->funcs.notify (service->user_data, is_notify_wanted (infos, n));
  if (requests)
    service->funcs.requested (service->user_data, requests);
}

static gpointer
run (gpointer data)
{
  GstDatahubService *service = data;
  g_autofree DatahubConsumerInfo *infos =
      g_new (DatahubConsumerInfo, CONSUMERS_MAX);
  guint32 seen = 0;
  DatahubResult result;
  do {
    look (service, infos);
    result = datahub_producer_wait_attention (service->producer, &seen,
        DATAHUB_FOREVER);
  } while (result == DATAHUB_OK || result == DATAHUB_TIMEOUT);
  look (service, infos);
  return NULL;
}

/**
 * gst_datahub_service_new:
 * @block: a published block
 * @funcs: what to call
 * @user_data: given to @funcs
 *
 * Returns: (transfer full): a running service
 */
GstDatahubService *
gst_datahub_service_new (GstDatahubProducer *block,
    const GstDatahubServiceFuncs *funcs, gpointer user_data)
{
  GstDatahubService *service = g_new0 (GstDatahubService, 1);
  service->block = gst_datahub_producer_ref (block);
  service->producer = gst_datahub_producer_enter (block);
  service->funcs = *funcs;
  service->user_data = user_data;
  service->known = g_array_new (FALSE, FALSE, sizeof (Known));
  service->thread = g_thread_new ("datahub-service", run, service);
  return service;
}

/**
 * gst_datahub_service_stop:
 * @service: (transfer full): a service
 *
 * Ends the thread and waits for it; not from one of its own callbacks.
 */
void
gst_datahub_service_stop (GstDatahubService *service)
{
  datahub_producer_set_interrupted (service->producer, DATAHUB_WAIT_ATTENTION,
      true);
  g_thread_join (service->thread);
  gst_datahub_producer_leave (service->block);
  gst_datahub_producer_unref (service->block);
  g_array_unref (service->known);
  g_free (service);
}
