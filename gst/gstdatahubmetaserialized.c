/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas that have an encoding of their own since GStreamer 1.24, as those of
 * plugins can. On the wire: name, u32 version, the bytes that the meta wrote. Its
 * own reader must check them; what the table of codecs knows never gets there.
 * Tests: gst-metas, fuzz-meta */
#include "gstdatahubmetacodec.h"

#if GST_CHECK_VERSION(1, 24, 0)
typedef struct
{
  GstByteArrayInterface parent;
  GByteArray *bytes; /* not owned */
  guint start; /* of the bytes of this meta */
} Output;

static gboolean
resize (GstByteArrayInterface *parent, gsize length)
{
  Output *output = (Output *) parent;
  if (length > GST_DATAHUB_METAS_MAX)
    return FALSE;
  g_byte_array_set_size (output->bytes, output->start + (guint) length);
  parent->data = output->bytes->data + output->start;
  return TRUE;
}

static gboolean
encode_serialized (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  Output output = { .bytes = bytes };
  guint8 version = 0;
  guint version_at;
  if (!meta->info->serialize_func)
    return FALSE;
  gst_datahub_put_text (bytes, g_type_name (meta->info->type));
  version_at = bytes->len;
  gst_datahub_put_u32 (bytes, 0);
  output.start = bytes->len;
  gst_byte_array_interface_init (&output.parent);
  output.parent.resize = resize;
  output.parent.data = bytes->data + output.start;
  if (!meta->info->serialize_func (meta, &output.parent, &version))
    return FALSE;
  bytes->data[version_at] = version;
  g_byte_array_set_size (bytes, output.start + (guint) output.parent.len);
  return TRUE;
}

static gboolean
decode_serialized (GstBuffer *buffer, GstDatahubBytes in)
{
  g_autofree gchar *name = NULL;
  g_autofree guint8 *copy = NULL;
  const GstMetaInfo *info;
  guint32 version;
  if (!gst_datahub_get_text (&in, &name) || !name
      || !gst_datahub_get_u32 (&in, &version) || version > G_MAXUINT8)
    return FALSE;
  info = gst_meta_get_info (name);
  if (!info || !info->deserialize_func || gst_datahub_meta_has_codec (info))
    return FALSE;
  copy = g_memdup2 (in.data, in.size);
  return info->deserialize_func (info, buffer, copy, in.size, (guint8) version)
      != NULL;
}

const GstDatahubMetaCodec gst_datahub_meta_serialized = {
  GST_DATAHUB_META_SERIALIZED, NULL, NULL, encode_serialized, decode_serialized
};
#else
const GstDatahubMetaCodec gst_datahub_meta_serialized = {
  GST_DATAHUB_META_SERIALIZED, NULL, NULL, NULL, NULL
};
#endif
