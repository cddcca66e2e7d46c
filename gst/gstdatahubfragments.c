/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mp4mux writes fragments without a mark at their beginning, and its caps have no
 * `streamheader`. Only from the boxes it is known where a reader can begin (moof,
 * or what stands in front of it) and which bytes it needs first (ftyp to moov). Other muxers
 * mark both, so only caps of this family are looked at, at 8 or 16 bytes a box.
 * Tests: gst-headers */
#include "gstdatahubfragments.h"

#include <string.h>

/* A longer one is not kept: it is that of a film, and not of a stream. */
#define HEADER_MAX (1u << 20)

void
gst_datahub_fragments_clear (GstDatahubFragments *fragments)
{
  g_clear_pointer (&fragments->header, g_ptr_array_unref);
  *fragments = (GstDatahubFragments){ 0 };
}

static gboolean
is_mp4 (const GstStructure *structure)
{
  static const gchar *const names[] = { "video/quicktime", "audio/x-m4a",
    "application/x-3gp", "video/mj2" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (gst_structure_has_name (structure, names[i]))
      return TRUE;
  return FALSE;
}

/* Caps that have a header keep it, and caps that come again begin nothing. */
void
gst_datahub_fragments_set_caps (GstDatahubFragments *fragments,
    const GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  gboolean watched = is_mp4 (structure);
  if (watched && fragments->watched)
    return;
  gst_datahub_fragments_clear (fragments);
  fragments->watched = watched;
  if (watched && !gst_structure_has_field (structure, "streamheader"))
    fragments->header =
        g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
}

/* What follows begins with a box. */
void
gst_datahub_fragments_flush (GstDatahubFragments *fragments)
{
  fragments->left = 0;
  fragments->head_size = 0;
}

static gboolean
is_box (const GstDatahubFragments *fragments, const gchar *type)
{
  return memcmp (fragments->head + 4, type, 4) == 0;
}

/* Whether the box of the head is one that a reader can begin with. */
static gboolean
begins_fragment (const GstDatahubFragments *fragments)
{
  static const gchar types[][5] = { "ftyp", "styp", "sidx", "moof" };
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    if (is_box (fragments, types[i]))
      return TRUE;
  return FALSE;
}

/* Reads more of the head of a box from @buffer. Returns: how many bytes; fewer than
 * are missing if the buffer ends. */
static gsize
read_head (GstDatahubFragments *fragments, GstBuffer *buffer, gsize at,
    guint wanted)
{
  gsize n;
  if (fragments->head_size >= wanted)
    return 0;
  n = gst_buffer_extract (buffer, at, fragments->head + fragments->head_size,
      wanted - fragments->head_size);
  fragments->head_size += (guint) n;
  return n;
}

static gboolean
is_long (const GstDatahubFragments *fragments)
{
  return fragments->head_size >= 8 && GST_READ_UINT32_BE (fragments->head) == 1;
}

/* The head is complete. Returns: whether it makes sense; a box that goes on to the
 * end of the stream is the last one. */
static gboolean
enter_box (GstDatahubFragments *fragments)
{
  guint head_size = is_long (fragments) ? 16 : 8;
  guint64 size = is_long (fragments) ? GST_READ_UINT64_BE (fragments->head + 8)
                                     : GST_READ_UINT32_BE (fragments->head);
  if (size < head_size)
    return FALSE;
  fragments->left = size - head_size;
  fragments->head_size = 0;
  return TRUE;
}

/* A media box before moov is that of a file without fragments. */
static void
look_at_header (GstDatahubFragments *fragments, gboolean *is_last)
{
  if (is_box (fragments, "moov"))
    *is_last = TRUE;
  else if (is_box (fragments, "mdat") || is_box (fragments, "moof"))
    g_clear_pointer (&fragments->header, g_ptr_array_unref);
}

/* Returns: whether a fragment begins at @at, where a box does; @at is moved into
 * the box, or to the end of the buffer. */
static gboolean
walk_box (GstDatahubFragments *fragments, GstBuffer *buffer, gsize *at,
    gboolean *is_last)
{
  gboolean whole = fragments->head_size == 0, begins;
  *at += read_head (fragments, buffer, *at, 8);
  if (is_long (fragments))
    *at += read_head (fragments, buffer, *at, 16);
  if (fragments->head_size < (is_long (fragments) ? 16u : 8u))
    return FALSE;
  begins = whole && begins_fragment (fragments);
  if (fragments->header)
    look_at_header (fragments, is_last);
  if (!enter_box (fragments))
    gst_datahub_fragments_clear (fragments);
  return begins;
}

static void
keep_header (GstDatahubFragments *fragments, GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);
  if (size > HEADER_MAX - fragments->header_size) {
    g_clear_pointer (&fragments->header, g_ptr_array_unref);
    return;
  }
  fragments->header_size += size;
  /* a copy: the memory may be a slot, which is written again */
  g_ptr_array_add (fragments->header, gst_buffer_copy_deep (buffer));
}

/**
 * gst_datahub_fragments_begin:
 * @fragments: a stream that is watched
 * @buffer: the next buffer
 *
 * Returns: whether a reader can begin with it
 */
gboolean
gst_datahub_fragments_begin (GstDatahubFragments *fragments, GstBuffer *buffer)
{
  gsize size, at = 0;
  gboolean begins = FALSE, is_last = FALSE;
  size = gst_buffer_get_size (buffer);
  while (fragments->watched && at < size) {
    gsize skip = MIN (fragments->left, size - at);
    gboolean first = at == 0 && skip == 0;
    fragments->left -= skip;
    at += skip;
    if (at < size)
      begins |= walk_box (fragments, buffer, &at, &is_last) && first;
  }
  if (fragments->header)
    keep_header (fragments, buffer);
  fragments->complete |= fragments->header && is_last;
  return begins || !fragments->watched;
}

/**
 * gst_datahub_fragments_take_header:
 * @fragments: what is known of the stream
 *
 * Returns: (transfer full) (nullable): all buffers up to the last begin(), once they
 *   are the header
 */
GPtrArray *
gst_datahub_fragments_take_header (GstDatahubFragments *fragments)
{
  if (!fragments->complete || fragments->left > 0)
    return NULL;
  fragments->complete = FALSE;
  return g_steal_pointer (&fragments->header);
}
