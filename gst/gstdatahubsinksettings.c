/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of datahubsink, and the options of a producer that they
 * set.
 * Tests: gst-properties, gst-refusals, gst-slot-size */
#include "gstdatahubsinksettings.h"

#include <gst/video/video.h>

#define DEFAULT_MAX_CONSUMERS 128
#define MAX_CONSUMERS 256
#define DEFAULT_BLOCK_TIMEOUT (5 * GST_SECOND)
#define DEFAULT_SHM_MODE "0600"

#define PAGE 4096u
/* A slot has space for a frame with the alignment or padding that upstream
 * adds, and for metas. */
#define VIDEO_ROOM 4096u
/* Raw audio buffers are small and of many sizes. */
#define AUDIO_SLOT (64u << 10)

void
gst_datahub_sink_settings_init (GstDatahubSinkSettings *settings)
{
  *settings = (GstDatahubSinkSettings){ .max_consumers = DEFAULT_MAX_CONSUMERS,
    .block_timeout = DEFAULT_BLOCK_TIMEOUT,
    .shm_mode = g_strdup (DEFAULT_SHM_MODE),
    .events = GST_DATAHUB_EVENTS_ALL };
}

void
gst_datahub_sink_settings_clear (GstDatahubSinkSettings *settings)
{
  g_clear_pointer (&settings->shm_mode, g_free);
}

void
gst_datahub_sink_settings_install_properties (GObjectClass *klass)
{
  const GParamFlags any = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
  const GParamFlags ready = any | GST_PARAM_MUTABLE_READY;
  g_object_class_install_property (klass, GST_DATAHUB_SINK_SLOTS,
      g_param_spec_uint ("slots", "Slots",
          "Number of payload slots (0 = automatic: 32, fewer if slots are big)",
          0, G_MAXUINT16, 0, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_SLOT_SIZE,
      g_param_spec_uint64 ("slot-size", "Slot size",
          "Size of a slot in bytes (0 = automatic: from the caps or the first "
          "buffer). If a buffer is bigger, the block grows",
          0, G_MAXUINT64, 0, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_MAX_BYTES,
      g_param_spec_uint64 ("max-bytes", "Max bytes",
          "Limit of the shared memory of this block, in bytes (0 or -1 = "
          "automatic: half of the file system)",
          0, G_MAXUINT64, 0, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_MAX_CONSUMERS,
      g_param_spec_uint ("max-consumers", "Max consumers",
          "Maximum number of consumers that are attached at the same time", 1,
          MAX_CONSUMERS, DEFAULT_MAX_CONSUMERS, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_WAIT_FOR_CONSUMERS,
      g_param_spec_uint ("wait-for-consumers", "Wait for consumers",
          "Hold the first buffer until this many consumers are attached, so "
          "that they miss nothing",
          0, MAX_CONSUMERS, 0, any));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_BLOCK_TIMEOUT,
      g_param_spec_uint64 ("block-timeout", "Block timeout",
          "Time that a reliable consumer may block this pipeline before it is "
          "evicted, in nanoseconds (-1 = no limit)",
          0, G_MAXUINT64, DEFAULT_BLOCK_TIMEOUT, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_CHECKSUM,
      g_param_spec_enum ("checksum", "Checksum",
          "Checksum in each record, verified by consumers before they use the "
          "record; each side reads every byte once",
          GST_TYPE_DATAHUB_CHECKSUM, DATAHUB_CHECKSUM_NONE, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_SHM_MODE,
      g_param_spec_string ("shm-mode", "Shared memory mode",
          "Permissions of the block, in octal digits", DEFAULT_SHM_MODE,
          ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_EVENT_TYPES,
      g_param_spec_flags ("event-types", "Event types",
          "Events that cross to other processes in addition to stream-start, "
          "caps, segment and EOS",
          GST_TYPE_DATAHUB_EVENTS, GST_DATAHUB_EVENTS_ALL, any));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_STRICT,
      g_param_spec_boolean ("strict", "Strict",
          "Seal the memory so that only this producer writes to it, and pass "
          "it only to consumers that the broker introduces (broker=none: to "
          "consumers of the same user)",
          FALSE, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_HUGEPAGES,
      g_param_spec_enum ("hugepages", "Huge pages",
          "Page size of the payload; page-size in stats is the size in use",
          GST_TYPE_DATAHUB_HUGEPAGES, DATAHUB_HUGEPAGES_ADVISE, ready));
}

static void
set_locked (GstDatahubSinkSettings *settings, guint id, const GValue *value)
{
  switch (id) {
    case GST_DATAHUB_SINK_SLOTS:
      settings->slots = g_value_get_uint (value);
      break;
    case GST_DATAHUB_SINK_SLOT_SIZE:
      settings->slot_size = g_value_get_uint64 (value);
      break;
    case GST_DATAHUB_SINK_MAX_BYTES:
      settings->max_bytes = g_value_get_uint64 (value);
      break;
    case GST_DATAHUB_SINK_MAX_CONSUMERS:
      settings->max_consumers = g_value_get_uint (value);
      break;
    case GST_DATAHUB_SINK_WAIT_FOR_CONSUMERS:
      settings->wait_for_consumers = g_value_get_uint (value);
      break;
    case GST_DATAHUB_SINK_BLOCK_TIMEOUT:
      settings->block_timeout = g_value_get_uint64 (value);
      break;
    case GST_DATAHUB_SINK_CHECKSUM:
      settings->checksum = (DatahubChecksum) g_value_get_enum (value);
      break;
    case GST_DATAHUB_SINK_SHM_MODE:
      g_free (settings->shm_mode);
      settings->shm_mode = g_value_dup_string (value);
      break;
    case GST_DATAHUB_SINK_EVENT_TYPES:
      settings->events = (GstDatahubEvents) g_value_get_flags (value);
      break;
    case GST_DATAHUB_SINK_STRICT:
      settings->strict = g_value_get_boolean (value);
      break;
    case GST_DATAHUB_SINK_HUGEPAGES:
      settings->hugepages = (DatahubHugePages) g_value_get_enum (value);
      break;
  }
}

/* Returns FALSE where @id is not one of these properties. */
gboolean
gst_datahub_sink_settings_set (GstElement *element,
    GstDatahubSinkSettings *settings, guint id, const GValue *value)
{
  if (id < GST_DATAHUB_SINK_SLOTS || id >= GST_DATAHUB_SINK_LAST)
    return FALSE;
  GST_OBJECT_LOCK (element);
  set_locked (settings, id, value);
  GST_OBJECT_UNLOCK (element);
  return TRUE;
}

static void
get_locked (const GstDatahubSinkSettings *settings, guint id, GValue *value)
{
  switch (id) {
    case GST_DATAHUB_SINK_SLOTS:
      g_value_set_uint (value, settings->slots);
      break;
    case GST_DATAHUB_SINK_SLOT_SIZE:
      g_value_set_uint64 (value, settings->slot_size);
      break;
    case GST_DATAHUB_SINK_MAX_BYTES:
      g_value_set_uint64 (value, settings->max_bytes);
      break;
    case GST_DATAHUB_SINK_MAX_CONSUMERS:
      g_value_set_uint (value, settings->max_consumers);
      break;
    case GST_DATAHUB_SINK_WAIT_FOR_CONSUMERS:
      g_value_set_uint (value, settings->wait_for_consumers);
      break;
    case GST_DATAHUB_SINK_BLOCK_TIMEOUT:
      g_value_set_uint64 (value, settings->block_timeout);
      break;
    case GST_DATAHUB_SINK_CHECKSUM:
      g_value_set_enum (value, (gint) settings->checksum);
      break;
    case GST_DATAHUB_SINK_SHM_MODE:
      g_value_set_string (value, settings->shm_mode);
      break;
    case GST_DATAHUB_SINK_EVENT_TYPES:
      g_value_set_flags (value, settings->events);
      break;
    case GST_DATAHUB_SINK_STRICT:
      g_value_set_boolean (value, settings->strict);
      break;
    case GST_DATAHUB_SINK_HUGEPAGES:
      g_value_set_enum (value, (gint) settings->hugepages);
      break;
  }
}

/* Returns FALSE where @id is not one of these properties. */
gboolean
gst_datahub_sink_settings_get (GstElement *element,
    GstDatahubSinkSettings *settings, guint id, GValue *value)
{
  if (id < GST_DATAHUB_SINK_SLOTS || id >= GST_DATAHUB_SINK_LAST)
    return FALSE;
  GST_OBJECT_LOCK (element);
  get_locked (settings, id, value);
  GST_OBJECT_UNLOCK (element);
  return TRUE;
}

static gboolean
parse_mode (const gchar *text, guint32 *mode)
{
  gchar *end = NULL;
  guint64 value = text ? g_ascii_strtoull (text, &end, 8) : 0;
  *mode = (guint32) value;
  return end && end != text && *end == '\0' && value > 0 && value <= 0666
      && (value & ~UINT64_C (0666)) == 0;
}

/**
 * gst_datahub_sink_settings_check:
 * @element: the element
 * @settings: its settings
 *
 * Posts an error for an invalid setting. Called in start.
 *
 * Returns: whether all are valid
 */
gboolean
gst_datahub_sink_settings_check (GstElement *element,
    GstDatahubSinkSettings *settings)
{
  g_autofree gchar *text = NULL;
  guint32 mode;
  GST_OBJECT_LOCK (element);
  text = g_strdup (settings->shm_mode);
  GST_OBJECT_UNLOCK (element);
  if (parse_mode (text, &mode))
    return TRUE;
  GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS,
      ("shm-mode=%s is not a file mode such as 0600 or 0660.",
          text ? text : "(none)"),
      ("octal digits, at most 0666"));
  return FALSE;
}

/* A copy without the mode, which another thread may replace. Any thread. */
GstDatahubSinkSettings
gst_datahub_sink_settings_read (GstElement *element,
    const GstDatahubSinkSettings *settings)
{
  GstDatahubSinkSettings copy;
  GST_OBJECT_LOCK (element);
  copy = *settings;
  GST_OBJECT_UNLOCK (element);
  copy.shm_mode = NULL;
  return copy;
}

static guint64
round_to_page (guint64 size)
{
  return (size + PAGE - 1) / PAGE * PAGE;
}

/**
 * gst_datahub_slot_size_from_caps:
 * @caps: (nullable): caps of the stream
 *
 * Returns: the slots for it
 */
GstDatahubSlotSize
gst_datahub_slot_size_from_caps (const GstCaps *caps)
{
  const GstStructure *s = caps && gst_caps_get_size (caps) > 0
      ? gst_caps_get_structure (caps, 0)
      : NULL;
  GstVideoInfo info;
  if (s && gst_structure_has_name (s, "audio/x-raw"))
    return (GstDatahubSlotSize){ AUDIO_SLOT, TRUE };
  if (s && gst_structure_has_name (s, "video/x-raw")
      && gst_video_info_from_caps (&info, caps) && info.size > 0)
    return (GstDatahubSlotSize){ round_to_page (info.size + VIDEO_ROOM),
      FALSE };
  return (GstDatahubSlotSize){ 0, FALSE };
}

/**
 * gst_datahub_slot_size_from_buffer:
 * @buffer: (nullable): the first buffer
 *
 * Returns: slots in which it, and others up to twice its size, fit
 */
GstDatahubSlotSize
gst_datahub_slot_size_from_buffer (GstBuffer *buffer)
{
  guint64 size = buffer ? gst_buffer_get_size (buffer) : 0;
  return (GstDatahubSlotSize){ round_to_page (MAX (2 * size, 1)), FALSE };
}

/**
 * gst_datahub_sink_settings_fill:
 * @element: the element
 * @settings: its settings, checked
 * @size: the slots that the stream needs
 * @options: (out): what to create
 */
void
gst_datahub_sink_settings_fill (GstElement *element,
    GstDatahubSinkSettings *settings, GstDatahubSlotSize size,
    DatahubProducerOptions *options)
{
  datahub_producer_options_init (options);
  options->pack = size.pack;
  GST_OBJECT_LOCK (element);
  options->slots = settings->slots;
  options->slot_size =
      settings->slot_size ? settings->slot_size : size.slot_size;
  options->max_bytes =
      settings->max_bytes == G_MAXUINT64 ? 0 : settings->max_bytes;
  options->max_consumers = settings->max_consumers;
  options->block_timeout_ns = settings->block_timeout <= (guint64) G_MAXINT64
      ? (gint64) settings->block_timeout
      : DATAHUB_FOREVER;
  options->checksum = settings->checksum;
  parse_mode (settings->shm_mode, &options->mode);
  options->strict = settings->strict;
  options->hugepages = settings->hugepages;
  GST_OBJECT_UNLOCK (element);
}
