/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Converts changes among the consumers to signals and messages for the
 * application and to events for upstream, all in the service's thread.
 * Tests: gst-attendance, gst-joiners, gst-events */
#include "gstdatahubaudience.h"

#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

enum
{
  SIGNAL_CONSUMER_ADDED,
  SIGNAL_CONSUMER_REMOVED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

/**
 * GstDatahubSink::consumer-added:
 * @sink: the element
 * @id: never the same for two consumers of a block
 * @name: as it calls itself
 *
 * A consumer has chosen where it starts. Emitted in a thread of the element; a
 * handler must not change the element's state.
 */
/**
 * GstDatahubSink::consumer-removed:
 * @sink: the element
 * @id: which
 * @reason: "left", "died" or "evicted"
 *
 * A consumer is gone. Emitted in a thread of the element; a handler must not
 * change the element's state.
 */
void
gst_datahub_audience_install_signals (GType type)
{
  signals[SIGNAL_CONSUMER_ADDED] =
      g_signal_new ("consumer-added", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
          NULL, G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_STRING);
  signals[SIGNAL_CONSUMER_REMOVED] =
      g_signal_new ("consumer-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
          NULL, G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_STRING);
}

/* No consumer is known yet. */
void
gst_datahub_audience_init (GstDatahubAudience *audience, GstElement *element,
    const GstDatahubSinkSettings *settings)
{
  *audience = (GstDatahubAudience){ .element = element, .settings = settings };
}

static void
set_num_consumers (GstDatahubAudience *audience, gint change)
{
  GST_OBJECT_LOCK (audience->element);
  audience->num_consumers =
      change ? audience->num_consumers + (guint) change : 0;
  GST_OBJECT_UNLOCK (audience->element);
  g_object_notify (G_OBJECT (audience->element), "num-consumers");
}

/* Service thread. */
static void
on_consumer_added (gpointer user_data, guint64 id, const gchar *name)
{
  GstDatahubAudience *audience = user_data;
  GST_INFO_OBJECT (audience->element,
      "consumer %s (%" G_GUINT64_FORMAT ") came", name, id);
  set_num_consumers (audience, 1);
  g_signal_emit (audience->element, signals[SIGNAL_CONSUMER_ADDED], 0, id,
      name);
  gst_element_post_message (audience->element,
      gst_message_new_element (GST_OBJECT_CAST (audience->element),
          gst_structure_new ("consumer-added", "id", G_TYPE_UINT64, id, "name",
              G_TYPE_STRING, name, NULL)));
}

/* Service thread. */
static void
on_consumer_removed (gpointer user_data, guint64 id, const gchar *name,
    const gchar *reason)
{
  GstDatahubAudience *audience = user_data;
  GST_INFO_OBJECT (audience->element,
      "consumer %s (%" G_GUINT64_FORMAT ") went: %s", name, id, reason);
  set_num_consumers (audience, -1);
  g_signal_emit (audience->element, signals[SIGNAL_CONSUMER_REMOVED], 0, id,
      reason);
  gst_element_post_message (audience->element,
      gst_message_new_element (GST_OBJECT_CAST (audience->element),
          gst_structure_new ("consumer-removed", "id", G_TYPE_UINT64, id,
              "name", G_TYPE_STRING, name, "reason", G_TYPE_STRING, reason,
              NULL)));
}

/* Service thread. */
static void
on_requested (gpointer user_data, guint requests)
{
  GstDatahubAudience *audience = user_data;
  GstPad *pad = GST_BASE_SINK_PAD (audience->element);
  GstDatahubEvents wanted =
      gst_datahub_sink_settings_get_events (audience->element,
          audience->settings);
  if ((requests & DATAHUB_REQUEST_KEYFRAME)
      && (wanted & GST_DATAHUB_EVENTS_FORCE_KEY_UNIT))
    gst_pad_push_event (pad,
        gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, TRUE,
            0));
  if ((requests & DATAHUB_REQUEST_RECONFIGURE)
      && (wanted & GST_DATAHUB_EVENTS_RECONFIGURE))
    gst_pad_push_event (pad, gst_event_new_reconfigure ());
}

/* Service thread. */
static void
on_notify (gpointer user_data, gboolean wanted)
{
  GstDatahubAudience *audience = user_data;
  g_atomic_int_set (&audience->notify, wanted);
}

const GstDatahubServiceFuncs gst_datahub_audience_funcs = {
  .consumer_added = on_consumer_added,
  .consumer_removed = on_consumer_removed,
  .requested = on_requested,
  .notify = on_notify,
};

/* Called when the service has stopped: its list of consumers is no longer
 * valid. */
void
gst_datahub_audience_leave (GstDatahubAudience *audience)
{
  set_num_consumers (audience, 0);
}

/* Whether a consumer wants notifications of new data through the broker. Any
 * thread. */
gboolean
gst_datahub_audience_is_notify_wanted (GstDatahubAudience *audience)
{
  return g_atomic_int_get (&audience->notify);
}
