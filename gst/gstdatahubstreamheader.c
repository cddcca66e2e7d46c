/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Muxers and some encoders begin with buffers that describe the stream. The field
 * `streamheader` of the caps repeats them for receivers that join later. Muxers set
 * it before or after they push these buffers. So a consumer that finds the caps in
 * force has the header only if it begins with the first buffer of the stream, and
 * one that reads the caps in their place has it unless it missed the buffer behind
 * them. Others get the header in front of the buffer they begin with.
 *
 * A loss needs no header: whatever was decoded before it had the header already.
 * Only if the loss reaches back to the caps, the header is among what was lost.
 *
 * Caps that have no such field get none added, as downstream would see other caps
 * than in one process. The sink writes the header as a sticky event instead, which
 * ends here.
 *
 * The stream of a block that replaces one that lost its names began in that one. So
 * its sink writes the event there in any case, marked as repeated: the first buffer of
 * that block does not follow the header, unless the consumer comes from the block
 * before.
 * Tests: gst-headers */
#include "gstdatahubstreamheader.h"

#include <datahub/core.h>

#define FIELD "streamheader"
#define EVENT "DatahubStreamHeader"
#define REPEATED "repeated"
#define MEDIA_TYPE "media-type"

static void
add_buffer (GPtrArray *buffers, const GValue *value)
{
  GstBuffer *buffer =
      GST_VALUE_HOLDS_BUFFER (value) ? gst_value_get_buffer (value) : NULL;
  if (buffer)
    g_ptr_array_add (buffers, gst_buffer_ref (buffer));
}

static GPtrArray *
new_buffers (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
}

/* Returns: (transfer full) (nullable): the header in @structure, which another
 * process wrote */
static GPtrArray *
buffers_of (const GstStructure *structure)
{
  const GValue *value = gst_structure_get_value (structure, FIELD);
  GPtrArray *buffers;
  if (!value)
    return NULL;
  buffers = new_buffers ();
  if (GST_VALUE_HOLDS_ARRAY (value))
    for (guint i = 0; i < gst_value_array_get_size (value); i++)
      add_buffer (buffers, gst_value_array_get_value (value, i));
  else
    add_buffer (buffers, value);
  if (buffers->len == 0)
    g_clear_pointer (&buffers, g_ptr_array_unref);
  return buffers;
}

static gboolean
has_bytes_of (GstBuffer *a, GstBuffer *b)
{
  GstMapInfo map;
  gboolean same = FALSE;
  if (gst_buffer_get_size (a) != gst_buffer_get_size (b)
      || !gst_buffer_map (b, &map, GST_MAP_READ))
    return FALSE;
  same = gst_buffer_memcmp (a, 0, map.data, map.size) == 0;
  gst_buffer_unmap (b, &map);
  return same;
}

static gboolean
is_same (const GPtrArray *a, const GPtrArray *b)
{
  if (!a || !b || a->len != b->len)
    return a == b;
  for (guint i = 0; i < a->len; i++)
    if (!has_bytes_of (g_ptr_array_index (a, i), g_ptr_array_index (b, i)))
      return FALSE;
  return TRUE;
}

/* The buffers that next() would return have lost their place. */
void
gst_datahub_stream_header_drop_ready (GstDatahubStreamHeader *header)
{
  g_queue_clear_full (&header->ready, (GDestroyNotify) gst_buffer_unref);
}

/* What is ready belongs in front of all that follows, and stays. */
void
gst_datahub_stream_header_clear (GstDatahubStreamHeader *header)
{
  g_clear_pointer (&header->buffers, g_ptr_array_unref);
  header->pending = header->passed = header->follows = FALSE;
}

/**
 * gst_datahub_stream_header_begin:
 * @header: a header
 * @follows: whether the producer goes on in another block, which is read from its
 *   first record
 */
void
gst_datahub_stream_header_begin (GstDatahubStreamHeader *header,
    gboolean follows)
{
  gboolean had = follows && header->passed;
  gst_datahub_stream_header_clear (header);
  header->follows = had;
}

/* In these formats the first bytes describe all others. Producers that keep them for later
 * receivers mark that in the caps. */
static gboolean
needs_header (const GstStructure *structure)
{
  static const gchar *const names[] = { "audio/x-wav", "audio/x-aiff",
    "audio/x-au", "audio/x-w64", "audio/x-m4a", "audio/x-matroska",
    "audio/webm", "audio/ogg", "application/ogg", "application/mxf",
    "application/x-3gp", "application/x-yuv4mpeg", "video/ogg", "video/mj2",
    "video/quicktime", "video/webm", "video/x-flv", "video/x-ivf",
    "video/x-matroska", "video/x-ms-asf", "video/x-msvideo" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (gst_structure_has_name (structure, names[i]))
      return TRUE;
  return FALSE;
}

/**
 * gst_datahub_stream_header_set_caps:
 * @header: a header
 * @caps: the caps in force from now on
 * @ordinal: a consumer that gets this buffer next has missed none
 *
 * Caps with the header of those before do not begin anything.
 */
void
gst_datahub_stream_header_set_caps (GstDatahubStreamHeader *header,
    const GstCaps *caps, guint64 ordinal)
{
  GPtrArray *buffers = buffers_of (gst_caps_get_structure (caps, 0));
  if (buffers && is_same (buffers, header->buffers)) {
    g_ptr_array_unref (buffers);
    return;
  }
  g_clear_pointer (&header->buffers, g_ptr_array_unref);
  header->buffers = buffers;
  header->from_caps = buffers != NULL;
  header->needed = needs_header (gst_caps_get_structure (caps, 0));
  header->media_type =
      gst_structure_get_name_id (gst_caps_get_structure (caps, 0));
  header->ordinal = ordinal;
  header->pending = TRUE;
}

/**
 * gst_datahub_stream_header_is_missing:
 * @header: a header
 * @ordinal: the number of the next buffer
 *
 * Returns: whether that buffer cannot be understood, as the producer did not keep
 *   what the stream begins with
 */
gboolean
gst_datahub_stream_header_is_missing (const GstDatahubStreamHeader *header,
    guint64 ordinal)
{
  return header->pending && header->needed && !header->buffers
      && ordinal != header->ordinal;
}

/* Whether the header in @structure belongs to the caps in force. Others may follow
 * before the event is replaced. */
static gboolean
is_of_caps (const GstDatahubStreamHeader *header, const GstStructure *structure,
    const GPtrArray *buffers)
{
  const gchar *type = gst_structure_get_string (structure, MEDIA_TYPE);
  if (type && g_quark_try_string (type) != header->media_type)
    return FALSE;
  return !header->from_caps || is_same (buffers, header->buffers);
}

static void
use_event (GstDatahubStreamHeader *header, const GstStructure *structure)
{
  GPtrArray *buffers = buffers_of (structure);
  gboolean repeated = FALSE;
  if (!is_of_caps (header, structure, buffers)) {
    g_clear_pointer (&buffers, g_ptr_array_unref);
    return;
  }
  g_clear_pointer (&header->buffers, g_ptr_array_unref);
  header->buffers = buffers;
  gst_structure_get_boolean (structure, REPEATED, &repeated);
  if (repeated && !header->follows)
    header->ordinal = DATAHUB_NONE;
}

/**
 * gst_datahub_stream_header_take_event:
 * @header: a header
 * @event: an event of the producer
 *
 * Returns: whether it was the header for caps that have none, which is not for
 *   downstream
 */
gboolean
gst_datahub_stream_header_take_event (GstDatahubStreamHeader *header,
    GstEvent *event)
{
  if (GST_EVENT_TYPE (event) != GST_EVENT_CUSTOM_DOWNSTREAM_STICKY
      || !gst_event_has_name (event, EVENT))
    return FALSE;
  use_event (header, gst_event_get_structure (event));
  return TRUE;
}

static GstStructure *
new_structure (const GstCaps *caps)
{
  const GstStructure *media = gst_caps_get_structure (caps, 0);
  return gst_structure_new (EVENT, MEDIA_TYPE, G_TYPE_STRING,
      gst_structure_get_name (media), NULL);
}

/**
 * gst_datahub_stream_header_make_event:
 * @caps: the caps in force
 * @buffers: (element-type GstBuffer): a header
 *
 * Returns: (transfer full): what take_event() takes
 */
GstEvent *
gst_datahub_stream_header_make_event (const GstCaps *caps, GPtrArray *buffers)
{
  GstStructure *structure = new_structure (caps);
  GValue array = G_VALUE_INIT;
  g_value_init (&array, GST_TYPE_ARRAY);
  for (guint i = 0; i < buffers->len; i++) {
    GValue value = G_VALUE_INIT;
    g_value_init (&value, GST_TYPE_BUFFER);
    gst_value_set_buffer (&value, g_ptr_array_index (buffers, i));
    gst_value_array_append_and_take_value (&array, &value);
  }
  gst_structure_take_value (structure, FIELD, &array);
  return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, structure);
}

/**
 * gst_datahub_stream_header_make_repeated:
 * @caps: the caps in force
 * @found: (nullable): an event of make_event() that is in force with them
 *
 * Returns: (transfer full) (nullable): what take_event() takes in a block that
 *   replaces the one in which the stream began; %NULL: these caps need no header
 */
GstEvent *
gst_datahub_stream_header_make_repeated (const GstCaps *caps, GstEvent *found)
{
  const GstStructure *media = gst_caps_get_structure (caps, 0);
  const GstStructure *source = found ? gst_event_get_structure (found) : media;
  const GValue *value = gst_structure_get_value (source, FIELD);
  GstStructure *structure;
  if (!value && !needs_header (media))
    return NULL;
  structure = new_structure (caps);
  gst_structure_set (structure, REPEATED, G_TYPE_BOOLEAN, TRUE, NULL);
  if (value)
    gst_structure_set_value (structure, FIELD, value);
  return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, structure);
}

/* Without times: it belongs to the whole stream. */
static GstBuffer *
copy_of (GstBuffer *buffer, gboolean first)
{
  GstBuffer *copy =
      gst_buffer_copy_region (buffer, GST_BUFFER_COPY_MEMORY, 0, -1);
  GST_BUFFER_FLAG_SET (copy, GST_BUFFER_FLAG_HEADER);
  if (first)
    GST_BUFFER_FLAG_SET (copy, GST_BUFFER_FLAG_DISCONT);
  return copy;
}

/* Returns: how many buffers of the header are missing in front of @buffer. A stream
 * that was joined inside of its header brings the rest itself. */
static guint
count_missing (const GstDatahubStreamHeader *header, GstBuffer *buffer)
{
  guint missing = 0;
  while (missing < header->buffers->len
      && !has_bytes_of (buffer, g_ptr_array_index (header->buffers, missing)))
    missing++;
  return missing;
}

/**
 * gst_datahub_stream_header_put_first:
 * @header: a header
 * @buffer: (transfer full): the next buffer of the stream
 * @ordinal: its number
 * @inside: whether it is inside of a unit, so that nothing can begin with it
 *
 * Returns: (transfer full) (nullable): what to push now: @buffer, or the first of the
 *   header that is missing in front of it; next() has the rest. %NULL: @buffer was
 *   dropped, because the stream is joined at a unit behind it
 */
GstBuffer *
gst_datahub_stream_header_put_first (GstDatahubStreamHeader *header,
    GstBuffer *buffer, guint64 ordinal, gboolean inside)
{
  gboolean there = !header->buffers || ordinal == header->ordinal;
  guint missing = there ? 0 : count_missing (header, buffer);
  if (!there && inside && missing == header->buffers->len) {
    gst_buffer_unref (buffer);
    return NULL;
  }
  header->pending = FALSE;
  header->passed = TRUE;
  for (guint i = 0; i < missing; i++)
    g_queue_push_tail (&header->ready,
        copy_of (g_ptr_array_index (header->buffers, i), i == 0));
  g_queue_push_tail (&header->ready, buffer);
  return gst_datahub_stream_header_next (header);
}

/* Returns: (transfer full) (nullable): what to push before anything is read */
GstBuffer *
gst_datahub_stream_header_next (GstDatahubStreamHeader *header)
{
  return g_queue_pop_head (&header->ready);
}
