/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A custom meta, so that applications and other elements can read it without a
 * header of this plugin, and so that it crosses blocks.
 *
 * A buffer that has one keeps it: in a stream that was merged and shared again, it
 * refers to the first block.
 * Tests: gst-merge */
#include "gstdatahuborigin.h"

/* Any thread, any number of times. */
void
gst_datahub_origin_register (void)
{
  static const gchar *const tags[] = { NULL };
  static gsize once;
  if (!g_once_init_enter (&once))
    return;
  if (!gst_meta_get_info (GST_DATAHUB_ORIGIN_META))
    gst_meta_register_custom (GST_DATAHUB_ORIGIN_META, (const gchar **) tags,
        NULL, NULL, NULL);
  g_once_init_leave (&once, 1);
}

/**
 * gst_datahub_origin_begin:
 * @origin: what the meta of the next buffers will be
 * @wanted: whether they get one
 * @datablock: the name of the block; must live as long as it is used
 * @uuid: its identity
 *
 * Streaming thread.
 */
void
gst_datahub_origin_begin (GstDatahubOrigin *origin, gboolean wanted,
    const gchar *datablock, const gchar *uuid)
{
  gst_datahub_origin_register ();
  origin->wanted = wanted;
  origin->datablock = datablock;
  g_strlcpy (origin->uuid, uuid, sizeof origin->uuid);
}

static GstCustomMeta *
get_meta (GstBuffer *buffer)
{
  static gsize api;
  if (g_once_init_enter (&api))
    g_once_init_leave (&api, gst_meta_get_info (GST_DATAHUB_ORIGIN_META)->api);
  return (GstCustomMeta *) gst_buffer_get_meta (buffer, api);
}

/* Takes @buffer, which is writable; @number counts the buffers of the block. */
GstBuffer *
gst_datahub_origin_attach (const GstDatahubOrigin *origin, GstBuffer *buffer,
    guint64 number)
{
  GstCustomMeta *meta;
  if (get_meta (buffer))
    return buffer;
  meta = gst_buffer_add_custom_meta (buffer, GST_DATAHUB_ORIGIN_META);
  gst_structure_set (gst_custom_meta_get_structure (meta), "datablock",
      G_TYPE_STRING, origin->datablock, "uuid", G_TYPE_STRING, origin->uuid,
      "sequence", G_TYPE_UINT64, number, NULL);
  return buffer;
}

/**
 * gst_datahub_origin_add_pad:
 * @buffer: (transfer full): any
 * @pad: the name of the pad where it arrived
 *
 * Completes the meta, if the buffer has one without a pad.
 *
 * Returns: (transfer full): @buffer, or a copy of it on the same memory
 */
GstBuffer *
gst_datahub_origin_add_pad (GstBuffer *buffer, const gchar *pad)
{
  GstCustomMeta *meta = get_meta (buffer);
  if (!meta
      || gst_structure_has_field (gst_custom_meta_get_structure (meta), "pad"))
    return buffer;
  buffer = gst_buffer_make_writable (buffer);
  gst_structure_set (gst_custom_meta_get_structure (get_meta (buffer)), "pad",
      G_TYPE_STRING, pad, NULL);
  return buffer;
}
