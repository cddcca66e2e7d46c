/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of datahubsink, and the options of a producer that they
 * set.
 * Tests: gst-properties, gst-refusals, gst-slot-size */
#include "gstdatahubsinksettings.h"
#include "gstdatahubsettings.h"

#include <gst/video/video.h>

#define DEFAULT_MAX_CONSUMERS 128
#define DEFAULT_BLOCK_TIMEOUT (5 * GST_SECOND)
#define DEFAULT_SHM_MODE "0600"
#define DEFAULT_ON_DEMAND_LINGER (2 * GST_SECOND)

#define PAGE 4096u
/* The ring of a block that exists before its pictures. Their size is not known. */
#define PICTURES 16u
#define UPSTREAM_SLOTS 4u
/* A slot has space for a frame with the alignment or padding that upstream
 * adds, and for metas. */
#define VIDEO_ROOM 4096u
/* Raw audio buffers are small and of many sizes. */
#define AUDIO_SLOT (64u << 10)
/* Slots up to that size have headroom, for buffers of a format of unknown size that
 * are bigger than the first one. Of bigger ones it would be many bytes, which the
 * block takes when they are needed. */
#define ROOMY_SLOT (G_GUINT64_CONSTANT (8) << 20)

#define SETTING(id, field, type)                                               \
  GST_DATAHUB_SETTING (GST_DATAHUB_SINK_##id, GstDatahubSinkSettings, field,   \
      type)

static const GstDatahubSetting table[] = {
  SETTING (SLOTS, slots, G_TYPE_UINT),
  SETTING (SLOT_SIZE, slot_size, G_TYPE_UINT64),
  SETTING (MAX_BYTES, max_bytes, G_TYPE_UINT64),
  SETTING (MAX_CONSUMERS, max_consumers, G_TYPE_UINT),
  SETTING (WAIT_FOR_CONSUMERS, wait_for_consumers, G_TYPE_UINT),
  SETTING (BLOCK_TIMEOUT, block_timeout, G_TYPE_UINT64),
  SETTING (CHECKSUM, checksum, G_TYPE_ENUM),
  SETTING (SHM_MODE, shm_mode, G_TYPE_STRING),
  SETTING (EVENT_TYPES, events, G_TYPE_FLAGS),
  SETTING (STRICT, strict, G_TYPE_BOOLEAN),
  SETTING (HUGEPAGES, hugepages, G_TYPE_ENUM),
  SETTING (RESTRICT_CAPS, restrict_caps, G_TYPE_ENUM),
  SETTING (ON_DEMAND, on_demand, G_TYPE_BOOLEAN),
  SETTING (ON_DEMAND_LINGER, on_demand_linger, G_TYPE_UINT64),
  { 0 },
};

void
gst_datahub_sink_settings_init (GstDatahubSinkSettings *settings)
{
  *settings = (GstDatahubSinkSettings){ .max_consumers = DEFAULT_MAX_CONSUMERS,
    .block_timeout = DEFAULT_BLOCK_TIMEOUT,
    .shm_mode = g_strdup (DEFAULT_SHM_MODE),
    .events = GST_DATAHUB_EVENTS_ALL,
    .on_demand_linger = DEFAULT_ON_DEMAND_LINGER };
}

void
gst_datahub_sink_settings_clear (GstDatahubSinkSettings *settings)
{
  g_clear_pointer (&settings->shm_mode, g_free);
}

static void
install_read_only (GObjectClass *klass)
{
  const GParamFlags read = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  g_object_class_install_property (klass, GST_DATAHUB_SINK_NUM_CONSUMERS,
      g_param_spec_uint ("num-consumers", "Number of consumers",
          "Number of attached consumers", 0, G_MAXUINT, 0, read));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_DEMANDED,
      g_param_spec_boolean ("demanded", "Demanded",
          "Whether a sink with on-demand=true has a consumer, or had one within "
          "on-demand-linger",
          FALSE, read));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Counters of the sink and of the block", GST_TYPE_STRUCTURE, read));
}

static void
install_on_demand (GObjectClass *klass)
{
  const GParamFlags any = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
  g_object_class_install_property (klass, GST_DATAHUB_SINK_ON_DEMAND,
      g_param_spec_boolean ("on-demand", "On demand",
          "Keep the sources of this sink off while it has no consumer. The block "
          "exists from the start, without caps; implies async=false",
          FALSE, any | GST_PARAM_MUTABLE_READY));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_ON_DEMAND_LINGER,
      g_param_spec_uint64 ("on-demand-linger", "On-demand linger",
          "How long the sources stay on after the last consumer left, in "
          "nanoseconds (-1 = for good)",
          0, G_MAXUINT64, DEFAULT_ON_DEMAND_LINGER,
          any | GST_PARAM_MUTABLE_PLAYING));
}

void
gst_datahub_sink_settings_install_properties (GObjectClass *klass)
{
  const GParamFlags any = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
  const GParamFlags ready = any | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing = any | GST_PARAM_MUTABLE_PLAYING;
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
          "automatic: half of the file system or of the control group's memory "
          "limit)",
          0, G_MAXUINT64, 0, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_MAX_CONSUMERS,
      g_param_spec_uint ("max-consumers", "Max consumers",
          "Maximum number of consumers that are attached at the same time", 1,
          DATAHUB_MAX_CONSUMERS, DEFAULT_MAX_CONSUMERS, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_WAIT_FOR_CONSUMERS,
      g_param_spec_uint ("wait-for-consumers", "Wait for consumers",
          "Hold the first buffer until this many consumers are attached, so "
          "that they miss nothing. A change applies while it is held",
          0, DATAHUB_MAX_CONSUMERS, 0, playing));
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
          "Permissions of the block, in octal digits; more than 0600, for other "
          "users, only with strict=true",
          DEFAULT_SHM_MODE, ready));
  g_object_class_install_property (klass, GST_DATAHUB_SINK_EVENT_TYPES,
      g_param_spec_flags ("event-types", "Event types",
          "Events that cross to other processes in addition to stream-start, "
          "caps, segment and EOS",
          GST_TYPE_DATAHUB_EVENTS, GST_DATAHUB_EVENTS_ALL, playing));
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
  g_object_class_install_property (klass, GST_DATAHUB_SINK_RESTRICT_CAPS,
      g_param_spec_enum ("restrict-caps", "Restrict caps",
          "Whether upstream negotiates what consumers can read",
          GST_TYPE_DATAHUB_RESTRICT_CAPS, GST_DATAHUB_RESTRICT_CAPS_UNSHARED,
          ready));
  install_on_demand (klass);
  install_read_only (klass);
}

/* Returns FALSE where @id is not one of these properties. */
gboolean
gst_datahub_sink_settings_set (GstElement *element,
    GstDatahubSinkSettings *settings, guint id, const GValue *value)
{
  return gst_datahub_settings_set (element, settings, table, id, value);
}

/* Returns FALSE where @id is not one of these properties. */
gboolean
gst_datahub_sink_settings_get (GstElement *element,
    GstDatahubSinkSettings *settings, guint id, GValue *value)
{
  return gst_datahub_settings_get (element, settings, table, id, value);
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

/* Consumers attach before the first buffer anyway, and it may never come. */
static gboolean
check_on_demand (GstElement *element, const GstDatahubSinkSettings *settings)
{
  GstDatahubSinkSettings copy =
      gst_datahub_sink_settings_read (element, settings);
  if (!copy.on_demand || copy.wait_for_consumers == 0)
    return TRUE;
  GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS,
      ("on-demand=true and wait-for-consumers=%u exclude each other. With "
       "on-demand=true the source starts for the first consumer, which misses "
       "nothing: use wait-for-consumers=0.",
          copy.wait_for_consumers),
      (NULL));
  return FALSE;
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
  gboolean strict, known;
  guint32 mode;
  GST_OBJECT_LOCK (element);
  text = g_strdup (settings->shm_mode);
  strict = settings->strict;
  GST_OBJECT_UNLOCK (element);
  known = parse_mode (text, &mode);
  if (known && (strict || (mode & 0077) == 0))
    return check_on_demand (element, settings);
  if (known)
    GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS,
        ("shm-mode=%s admits other users, and they could write to the files of "
         "this block. Set strict=true too, or use shm-mode=0600.",
            text),
        ("SECURITY.md has the settings for several users"));
  else
    GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS,
        ("shm-mode=%s is not a file mode such as 0600 or, with strict=true, "
         "0660.",
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
    return (GstDatahubSlotSize){ AUDIO_SLOT, TRUE, 0 };
  if (s && gst_structure_has_name (s, "video/x-raw")
      && gst_video_info_from_caps (&info, caps) && info.size > 0)
    return (GstDatahubSlotSize){ round_to_page (info.size + VIDEO_ROOM), FALSE,
      0 };
  return (GstDatahubSlotSize){ 0, FALSE, 0 };
}

/**
 * gst_datahub_slot_size_from_buffer:
 * @buffer: (nullable): the first buffer
 *
 * Returns: slots in which it fits, and others up to twice its size as far as these
 *     fit in ROOMY_SLOT: the block grows for bigger ones
 */
GstDatahubSlotSize
gst_datahub_slot_size_from_buffer (GstBuffer *buffer)
{
  guint64 size = buffer ? gst_buffer_get_size (buffer) : 0;
  guint64 roomy = MIN (2 * size, ROOMY_SLOT);
  return (GstDatahubSlotSize){ round_to_page (MAX (MAX (size, roomy), 1)),
    FALSE, 0 };
}

/**
 * gst_datahub_slot_size_before_caps:
 * @possible: (nullable): what upstream may produce
 *
 * Returns: the slots of a block that exists before its stream. They are small: they
 *     may never be used, and the block grows with the first buffer
 */
GstDatahubSlotSize
gst_datahub_slot_size_before_caps (const GstCaps *possible)
{
  const GstStructure *s = possible && gst_caps_get_size (possible) > 0
          && !gst_caps_is_any (possible)
      ? gst_caps_get_structure (possible, 0)
      : NULL;
  if (s && gst_structure_has_name (s, "audio/x-raw"))
    return (GstDatahubSlotSize){ AUDIO_SLOT, TRUE, 0 };
  if (s && gst_structure_has_name (s, "video/x-raw"))
    return (GstDatahubSlotSize){ PAGE, FALSE, PICTURES };
  return (GstDatahubSlotSize){ PAGE, FALSE, 0 };
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
  if (!settings->slots && size.ring_size) {
    options->ring_size = size.ring_size;
    options->slots = size.ring_size + UPSTREAM_SLOTS;
  }
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
