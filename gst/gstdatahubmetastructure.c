/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas with a structure, which crosses as its text.
 * Tests: gst-metas, gst-text, fuzz-meta */
#include "gstdatahubmetacodec.h"
#include "gstdatahubtext.h"

#include <gst/video/video.h>

#define TEXT_MAX GST_DATAHUB_METAS_MAX

/* @text may be %NULL. */
void
gst_datahub_put_text (GByteArray *bytes, const gchar *text)
{
  gsize size = text ? strlen (text) + 1 : 0;
  gst_datahub_put_u32 (bytes, (guint32) size);
  if (size)
    gst_datahub_put (bytes, text, size);
}

/* A copy of the text; *text is %NULL where there is none. */
gboolean
gst_datahub_get_text (GstDatahubBytes *in, gchar **text)
{
  const guint8 *data;
  guint32 size = 0;
  *text = NULL;
  if (!gst_datahub_get_u32 (in, &size) || !gst_datahub_take (in, &data, size))
    return FALSE;
  if (size == 0)
    return TRUE;
  *text = gst_datahub_text_copy (data, size, TEXT_MAX);
  return *text != NULL;
}

static gboolean
put_structure (GByteArray *bytes, const GstStructure *structure)
{
  g_autofree gchar *text =
      structure ? gst_datahub_text_from_structure (structure, TEXT_MAX) : NULL;
  if (text)
    gst_datahub_put_text (bytes, text);
  return text != NULL;
}

static GstStructure *
get_structure (GstDatahubBytes *in)
{
  g_autofree gchar *text = NULL;
  return gst_datahub_get_text (in, &text) ? gst_datahub_text_to_structure (text)
                                          : NULL;
}

static gboolean
encode_reference_time (GstMeta *meta, GByteArray *bytes,
    GstDatahubLeftOut *left)
{
  GstReferenceTimestampMeta *time = (GstReferenceTimestampMeta *) meta;
  g_autofree gchar *reference =
      gst_caps_serialize (time->reference, GST_SERIALIZE_FLAG_NONE);
  if (!reference || !gst_datahub_text_crosses (reference, TEXT_MAX))
    return FALSE;
  gst_datahub_put_u64 (bytes, time->timestamp);
  gst_datahub_put_u64 (bytes, time->duration);
  gst_datahub_put_text (bytes, reference);
  return TRUE;
}

static gboolean
decode_reference_time (GstBuffer *buffer, GstDatahubBytes in)
{
  guint64 timestamp, duration;
  g_autofree gchar *text = NULL;
  g_autoptr (GstCaps) reference = NULL;
  if (!gst_datahub_get_u64 (&in, &timestamp)
      || !gst_datahub_get_u64 (&in, &duration)
      || !gst_datahub_get_text (&in, &text) || !text
      || timestamp == GST_CLOCK_TIME_NONE)
    return FALSE;
  reference = gst_caps_from_string (text);
  if (!reference)
    return FALSE;
  gst_buffer_add_reference_timestamp_meta (buffer, reference, timestamp,
      duration);
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_reference_time = {
  GST_DATAHUB_META_REFERENCE_TIME, "GstReferenceTimestampMeta",
  gst_reference_timestamp_meta_api_get_type, encode_reference_time,
  decode_reference_time
};

static gboolean
encode_custom (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  return put_structure (bytes,
      gst_custom_meta_get_structure ((GstCustomMeta *) meta));
}

/* Only where this process registered the meta too. */
static gboolean
decode_custom (GstBuffer *buffer, GstDatahubBytes in)
{
  g_autoptr (GstStructure) structure = get_structure (&in);
  const GstMetaInfo *info =
      structure ? gst_meta_get_info (gst_structure_get_name (structure)) : NULL;
  GstCustomMeta *meta;
  if (!info || !gst_meta_info_is_custom (info))
    return FALSE;
  meta =
      gst_buffer_add_custom_meta (buffer, gst_structure_get_name (structure));
  if (!meta)
    return FALSE;
  for (gint i = 0; i < gst_structure_n_fields (structure); i++) {
    const gchar *name = gst_structure_nth_field_name (structure, (guint) i);
    gst_structure_set_value (gst_custom_meta_get_structure (meta), name,
        gst_structure_get_value (structure, name));
  }
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_custom = { GST_DATAHUB_META_CUSTOM,
  NULL, NULL, encode_custom, decode_custom };

static gboolean
encode_protection (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  return put_structure (bytes, ((GstProtectionMeta *) meta)->info);
}

static gboolean
decode_protection (GstBuffer *buffer, GstDatahubBytes in)
{
  GstStructure *structure = get_structure (&in);
  if (!structure)
    return FALSE;
  gst_buffer_add_protection_meta (buffer, structure);
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_protection = {
  GST_DATAHUB_META_PROTECTION, "GstProtectionMeta",
  gst_protection_meta_api_get_type, encode_protection, decode_protection
};

/* Parameters of a region. One that cannot cross is left out alone. */
static void
put_params (GByteArray *bytes, GList *params, GstDatahubLeftOut *left)
{
  for (guint n = 0; params; params = params->next) {
    guint before = bytes->len;
    if (n < GST_DATAHUB_PARAMS_MAX && put_structure (bytes, params->data)
        && bytes->len - before <= GST_DATAHUB_METAS_MAX / 2) {
      n++;
      continue;
    }
    g_byte_array_set_size (bytes, before);
    gst_datahub_left_out_note (left,
        "A parameter of GstVideoRegionOfInterestMeta", 0,
        "has no text that fits, or is one too many");
  }
}

/* Earlier versions wrote none. */
static gboolean
get_params (GstDatahubBytes *in, GstVideoRegionOfInterestMeta *region)
{
  for (guint n = 0; in->size > 0 && n < GST_DATAHUB_PARAMS_MAX; n++) {
    GstStructure *param = get_structure (in);
    if (!param)
      return FALSE;
    gst_video_region_of_interest_meta_add_param (region, param);
  }
  return TRUE;
}

static gboolean
encode_region (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstVideoRegionOfInterestMeta *region = (GstVideoRegionOfInterestMeta *) meta;
  const gchar *type = g_quark_to_string (region->roi_type);
  if (!type || !gst_datahub_text_crosses (type, TEXT_MAX))
    return FALSE;
  gst_datahub_put_u32 (bytes, (guint32) region->id);
  gst_datahub_put_u32 (bytes, (guint32) region->parent_id);
  gst_datahub_put_u32 (bytes, region->x);
  gst_datahub_put_u32 (bytes, region->y);
  gst_datahub_put_u32 (bytes, region->w);
  gst_datahub_put_u32 (bytes, region->h);
  gst_datahub_put_text (bytes, type);
  put_params (bytes, region->params, left);
  return TRUE;
}

static gboolean
decode_region (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 id, parent, x, y, w, h;
  g_autofree gchar *type = NULL;
  GstVideoRegionOfInterestMeta *region;
  if (!gst_datahub_get_u32 (&in, &id) || !gst_datahub_get_u32 (&in, &parent)
      || !gst_datahub_get_u32 (&in, &x) || !gst_datahub_get_u32 (&in, &y)
      || !gst_datahub_get_u32 (&in, &w) || !gst_datahub_get_u32 (&in, &h)
      || !gst_datahub_get_text (&in, &type) || !type)
    return FALSE;
  region =
      gst_buffer_add_video_region_of_interest_meta (buffer, type, x, y, w, h);
  region->id = (gint) id;
  region->parent_id = (gint) parent;
  if (get_params (&in, region))
    return TRUE;
  gst_buffer_remove_meta (buffer, (GstMeta *) region);
  return FALSE;
}

const GstDatahubMetaCodec gst_datahub_meta_region = { GST_DATAHUB_META_REGION,
  "GstVideoRegionOfInterestMeta",
  gst_video_region_of_interest_meta_api_get_type, encode_region,
  decode_region };
