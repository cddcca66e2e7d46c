/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of datahubsrc, and the options of a consumer that they set.
 * Tests: gst-properties, gst-delivery */
#include "gstdatahubsrcsettings.h"
#include "gstdatahubsettings.h"

#define DEFAULT_MAX_PINNED 8
#define DEFAULT_POLL_INTERVAL GST_MSECOND

#define SETTING(id, field, type)                                               \
  GST_DATAHUB_SETTING (GST_DATAHUB_SRC_##id, GstDatahubSrcSettings, field, type)

static const GstDatahubSetting table[] = {
  SETTING (DELIVERY, delivery, G_TYPE_ENUM),
  SETTING (START_AT, start_at, G_TYPE_ENUM),
  SETTING (ON_DISCONNECT, on_disconnect, G_TYPE_ENUM),
  SETTING (TIMEOUT, timeout, G_TYPE_UINT64),
  SETTING (MAX_AGE, max_age, G_TYPE_UINT64),
  SETTING (MAX_PINNED, max_pinned, G_TYPE_UINT),
  SETTING (WAKE, wake, G_TYPE_ENUM),
  SETTING (POLL_INTERVAL, poll_interval, G_TYPE_UINT64),
  SETTING (TIMESTAMPS, timestamps, G_TYPE_ENUM),
  SETTING (CONSUMER_NAME, consumer_name, G_TYPE_STRING),
  SETTING (ORIGIN_META, origin_meta, G_TYPE_BOOLEAN),
  SETTING (KEEPALIVE_TIME, keepalive_time, G_TYPE_UINT),
  { 0 },
};

void
gst_datahub_src_settings_init (GstDatahubSrcSettings *settings)
{
  *settings = (GstDatahubSrcSettings){ .start_at = DATAHUB_START_KEYFRAME,
    .timeout = GST_CLOCK_TIME_NONE,
    .max_pinned = DEFAULT_MAX_PINNED,
    .max_age = GST_CLOCK_TIME_NONE,
    .poll_interval = DEFAULT_POLL_INTERVAL };
}

void
gst_datahub_src_settings_clear (GstDatahubSrcSettings *settings)
{
  g_clear_pointer (&settings->consumer_name, g_free);
}

/* What is attached to buffers, and what is made here. */
static void
install_additions (GObjectClass *klass, GParamFlags ready)
{
  g_object_class_install_property (klass, GST_DATAHUB_SRC_ORIGIN_META,
      g_param_spec_boolean ("origin-meta", "Origin meta",
          "Attach the custom meta datahub-origin to each buffer: the block, its "
          "uuid and the number of the buffer in it",
          FALSE, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_KEEPALIVE_TIME,
      g_param_spec_uint ("keepalive-time", "Keepalive time",
          "Repeat the last buffer when none came for so long, in milliseconds as "
          "in pipewiresrc (0 = never). Streams with delta units are not repeated",
          0, G_MAXINT, 0, ready));
}

static void
mark_types (void)
{
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_DELIVERY, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_START_AT, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_ON_DISCONNECT, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_WAKE, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DATAHUB_TIMESTAMPS, 0);
}

void
gst_datahub_src_settings_install_properties (GObjectClass *klass)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags any =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  g_object_class_install_property (klass, GST_DATAHUB_SRC_DELIVERY,
      g_param_spec_enum ("delivery", "Delivery",
          "Whether the producer waits for this consumer",
          GST_TYPE_DATAHUB_DELIVERY, GST_DATAHUB_DELIVERY_LIVE, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_START_AT,
      g_param_spec_enum ("start-at", "Start at",
          "Position in the stream at which this consumer starts",
          GST_TYPE_DATAHUB_START_AT, DATAHUB_START_KEYFRAME, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_ON_DISCONNECT,
      g_param_spec_enum ("on-disconnect", "On disconnect",
          "Action when the producer dies, or leaves without EOS. The messages "
          "datahub-producer-lost, -found and datahub-waiting report it",
          GST_TYPE_DATAHUB_ON_DISCONNECT, GST_DATAHUB_ON_DISCONNECT_WAIT, any));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_TIMEOUT,
      g_param_spec_uint64 ("timeout", "Timeout",
          "Time to wait for a producer, at the start and after its loss, in "
          "nanoseconds (-1 = no limit)",
          0, G_MAXUINT64, GST_CLOCK_TIME_NONE, any));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_MAX_AGE,
      g_param_spec_uint64 ("max-age", "Max age",
          "Skip buffers that were committed longer ago than this, in "
          "nanoseconds (-1 = skip none)",
          0, G_MAXUINT64, GST_CLOCK_TIME_NONE, any));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_MAX_PINNED,
      g_param_spec_uint ("max-pinned", "Max pinned",
          "Maximum number of buffers held without a copy; further buffers are "
          "copied. The share of each consumer can be smaller (0 = 8)",
          0, G_MAXUINT16, DEFAULT_MAX_PINNED, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_WAKE,
      g_param_spec_enum ("wake", "Wake", "How to wait for buffers",
          GST_TYPE_DATAHUB_WAKE, GST_DATAHUB_WAKE_ADAPTIVE, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_POLL_INTERVAL,
      g_param_spec_uint64 ("poll-interval", "Poll interval",
          "Interval of wake=poll, in nanoseconds", GST_USECOND, G_MAXINT64,
          DEFAULT_POLL_INTERVAL, any));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_TIMESTAMPS,
      g_param_spec_enum ("timestamps", "Timestamps",
          "How the producer's timestamps are converted to this pipeline's",
          GST_TYPE_DATAHUB_TIMESTAMPS, GST_DATAHUB_TIMESTAMPS_AUTO, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_CONSUMER_NAME,
      g_param_spec_string ("consumer-name", "Consumer name",
          "Name of this consumer for the producer and in tools (none = the "
          "program's name)",
          NULL, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_IS_LIVE,
      g_param_spec_boolean ("is-live", "Is live",
          "Whether this is a live source: no preroll, data in PLAYING only",
          TRUE, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SRC_STATS,
      g_param_spec_boxed ("stats", "Statistics", "Counters of this consumer",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  install_additions (klass, ready);
  mark_types ();
}

/* Returns FALSE where @id is not one of these properties. */
gboolean
gst_datahub_src_settings_set (GstElement *element,
    GstDatahubSrcSettings *settings, guint id, const GValue *value)
{
  return gst_datahub_settings_set (element, settings, table, id, value);
}

/* Returns FALSE where @id is not one of these properties. */
gboolean
gst_datahub_src_settings_get (GstElement *element,
    GstDatahubSrcSettings *settings, guint id, GValue *value)
{
  return gst_datahub_settings_get (element, settings, table, id, value);
}

/* A copy to work with, without the name, which may change meanwhile. */
GstDatahubSrcSettings
gst_datahub_src_settings_read (GstElement *element,
    const GstDatahubSrcSettings *settings)
{
  GstDatahubSrcSettings copy;
  GST_OBJECT_LOCK (element);
  copy = *settings;
  GST_OBJECT_UNLOCK (element);
  copy.consumer_name = NULL;
  return copy;
}

/* The library's word for it: 0 is no limit there, but an impossible one here. */
gint64
gst_datahub_src_settings_max_age (GstClockTime max_age)
{
  if (max_age > (guint64) G_MAXINT64)
    return 0;
  return max_age ? (gint64) max_age : 1;
}

/**
 * gst_datahub_src_settings_fill:
 * @element: the element
 * @settings: its settings
 * @options: (out): how to attach
 *
 * Returns: (transfer full) (nullable): the memory that @options refer to; must
 * be freed after their use
 */
gchar *
gst_datahub_src_settings_fill (GstElement *element,
    const GstDatahubSrcSettings *settings, DatahubConsumerOptions *options)
{
  gchar *name;
  datahub_consumer_options_init (options);
  GST_OBJECT_LOCK (element);
  name = g_strdup (settings->consumer_name);
  options->reliable = settings->delivery == GST_DATAHUB_DELIVERY_RELIABLE;
  options->start = settings->start_at;
  options->max_pinned = settings->max_pinned;
  options->notify = settings->wake == GST_DATAHUB_WAKE_NOTIFY;
  options->max_age_ns = gst_datahub_src_settings_max_age (settings->max_age);
  GST_OBJECT_UNLOCK (element);
  options->name = name && *name ? name : NULL;
  return name;
}
