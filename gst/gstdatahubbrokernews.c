/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data of a default block flows without a broker, so a refusal of the broker would
 * show nowhere. It becomes one warning on the bus; of a strict sink, which no consumer
 * can read then, an error.
 *
 * The signals come in the hub's thread. The hub is shared: an element that starts
 * later asks for what was reported before.
 * Tests: gst-refused */
#include "gstdatahubbrokernews.h"

struct _GstDatahubBrokerNews
{
  gatomicrefcount refs; /* the owner's, and one for each signal */
  GWeakRef element;
  GstDatahubOutbox *outbox; /* the element's */
  DatahubHub *hub; /* owned; only the owner uses it */
  gchar *channel; /* owned */
  gulong handlers[2];

  GMutex lock; /* guards the rest; innermost */
  gchar *last; /* owned; what was posted last */
};

static void
news_unref (gpointer data)
{
  GstDatahubBrokerNews *news = data;
  if (!g_atomic_ref_count_dec (&news->refs))
    return;
  g_weak_ref_clear (&news->element);
  g_mutex_clear (&news->lock);
  g_free (news->channel);
  g_free (news->last);
  g_free (news);
}

static void
news_closed (gpointer data, GClosure *closure)
{
  news_unref (data);
}

static gboolean
is_new (GstDatahubBrokerNews *news, const gchar *text)
{
  gboolean another;
  g_mutex_lock (&news->lock);
  another = g_strcmp0 (news->last, text) != 0;
  if (another) {
    g_free (news->last);
    news->last = g_strdup (text);
  }
  g_mutex_unlock (&news->lock);
  return another;
}

static gboolean
is_strict_sink (GstElement *element)
{
  gboolean strict = FALSE;
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (element), "strict"))
    g_object_get (element, "strict", &strict, NULL);
  return strict;
}

static gboolean
is_lasting (const GError *error)
{
  return error->domain == DATAHUB_HUB_ERROR
      && (error->code == DATAHUB_HUB_ERROR_DENIED
          || error->code == DATAHUB_HUB_ERROR_KEY
          || error->code == DATAHUB_HUB_ERROR_RUNTIME_DIR
          || error->code == DATAHUB_HUB_ERROR_SETTINGS);
}

static GError *
describe (GstDatahubBrokerNews *news, const GError *why, gboolean fatal)
{
  gint code = is_lasting (why) ? GST_RESOURCE_ERROR_NOT_AUTHORIZED
                               : GST_RESOURCE_ERROR_BUSY;
  return fatal
      ? g_error_new (GST_RESOURCE_ERROR, code,
          "No consumer can attach to the strict DataBlock \"%s\": the broker "
          "does not introduce any. The reason: %s",
          news->channel, why->message)
      : g_error_new (GST_RESOURCE_ERROR, code,
          "The broker does not serve the DataBlock \"%s\"; on this "
          "machine it can still be read by name, unless it is strict. "
          "The reason: %s",
          news->channel, why->message);
}

static void
post (GstDatahubBrokerNews *news, const GError *why)
{
  g_autoptr (GstElement) element = g_weak_ref_get (&news->element);
  g_autoptr (GError) error = NULL;
  GstObject *source = (GstObject *) element;
  gboolean fatal;
  if (!element || !is_new (news, why->message))
    return;
  fatal = is_lasting (why) && is_strict_sink (element);
  error = describe (news, why, fatal);
  gst_datahub_outbox_push (news->outbox, element,
      fatal ? gst_message_new_error (source, error, "refused by the broker")
            : gst_message_new_warning (source, error, "refused by the broker"),
      NULL);
}

/* The hub's thread. A broker that is only lost is found again: what lasts is known to
 * the hub. */
static void
on_broker_lost (DatahubHub *hub, const GError *lost, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  if (!datahub_hub_check_broker (hub, &error))
    post (user_data, error);
}

/* The hub's thread. */
static void
on_refused (DatahubHub *hub, const gchar *name, const GError *error,
    gpointer user_data)
{
  post (user_data, error);
}

static gulong
hear (GstDatahubBrokerNews *news, const gchar *signal, GCallback callback)
{
  g_atomic_ref_count_inc (&news->refs);
  return g_signal_connect_data (news->hub, signal, callback, news, news_closed,
      (GConnectFlags) 0);
}

/**
 * gst_datahub_broker_news_new:
 * @element: posts the messages
 * @outbox: its outbox
 * @hub: a hub with signals in its own thread
 * @channel: the block's name
 *
 * Returns: (transfer full): reports refusals of the broker until it is freed
 */
GstDatahubBrokerNews *
gst_datahub_broker_news_new (GstElement *element, GstDatahubOutbox *outbox,
    DatahubHub *hub, const gchar *channel)
{
  GstDatahubBrokerNews *news = g_new0 (GstDatahubBrokerNews, 1);
  g_autofree gchar *refused = g_strconcat ("register-refused::", channel, NULL);
  g_atomic_ref_count_init (&news->refs);
  g_weak_ref_init (&news->element, element);
  g_mutex_init (&news->lock);
  news->outbox = outbox;
  news->hub = g_object_ref (hub);
  news->channel = g_strdup (channel);
  news->handlers[0] = hear (news, "broker-lost", G_CALLBACK (on_broker_lost));
  news->handlers[1] = hear (news, refused, G_CALLBACK (on_refused));
  on_broker_lost (hub, NULL, news);
  return news;
}

/**
 * gst_datahub_broker_news_free:
 * @news: (transfer full) (nullable): news
 *
 * A handler that runs meanwhile finishes.
 */
void
gst_datahub_broker_news_free (GstDatahubBrokerNews *news)
{
  if (!news)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (news->handlers); i++)
    g_signal_handler_disconnect (news->hub, news->handlers[i]);
  g_clear_object (&news->hub);
  news_unref (news);
}
