/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements find planes and samples by the meta of a buffer, and count channels and
 * bytes by the caps. If both differ, they read beyond the buffer. So a meta of
 * other samples than those of the caps is refused.
 * Tests: gst-buffers */
#include "gstdatahubaudiolayout.h"

void
gst_datahub_audio_layout_set_caps (GstDatahubAudioLayout *layout,
    const GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  *layout = (GstDatahubAudioLayout){ 0 };
  if (gst_structure_has_name (structure, "audio/x-raw"))
    layout->raw = gst_audio_info_from_caps (&layout->info, caps);
  else if (gst_structure_has_name (structure, "audio/x-dsd"))
    gst_structure_get_int (structure, "channels", &layout->dsd_channels);
  layout->planar = layout->raw
      && GST_AUDIO_INFO_LAYOUT (&layout->info)
          == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
}

static gboolean
is_of (const GstDatahubAudioLayout *layout, const GstAudioMeta *meta)
{
  return GST_AUDIO_INFO_FORMAT (&meta->info)
      == GST_AUDIO_INFO_FORMAT (&layout->info)
      && GST_AUDIO_INFO_CHANNELS (&meta->info)
      == GST_AUDIO_INFO_CHANNELS (&layout->info)
      && GST_AUDIO_INFO_LAYOUT (&meta->info)
      == GST_AUDIO_INFO_LAYOUT (&layout->info);
}

/* Whether @meta is of the samples of the caps, or not about samples. */
gboolean
gst_datahub_audio_layout_fits (const GstDatahubAudioLayout *layout,
    const GstMeta *meta)
{
  if (layout->raw && meta->info->api == GST_AUDIO_META_API_TYPE)
    return is_of (layout, (const GstAudioMeta *) meta);
#if GST_CHECK_VERSION(1, 24, 0)
  if (layout->dsd_channels
      && meta->info->api == GST_DSD_PLANE_OFFSET_META_API_TYPE)
    return ((const GstDsdPlaneOffsetMeta *) meta)->num_channels
        == layout->dsd_channels;
#endif
  return TRUE;
}

typedef struct
{
  const GstDatahubAudioLayout *layout;
  GstDatahubLeftOut *refused;
} Check;

static gboolean
check_meta (GstBuffer *buffer, GstMeta **meta, gpointer user_data)
{
  const Check *check = user_data;
  if (gst_datahub_audio_layout_fits (check->layout, *meta))
    return TRUE;
  gst_datahub_left_out_note (check->refused, g_type_name ((*meta)->info->type),
      0, "is of other samples than the caps");
  *meta = NULL;
  return TRUE;
}

/* GStreamer calls it a programming error to map planes without a meta. */
static void
add_planes (const GstDatahubAudioLayout *layout, GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);
  gsize samples = size / (gsize) GST_AUDIO_INFO_BPF (&layout->info);
  if (samples > 0 && !gst_buffer_get_audio_meta (buffer))
    gst_buffer_add_audio_meta (buffer, &layout->info, samples, NULL);
}

/**
 * gst_datahub_audio_layout_check:
 * @layout: that of the caps in force
 * @buffer: a writable buffer
 * @metas_refused: gets what is of other samples
 *
 * Without a valid meta, planes are one behind the other.
 */
void
gst_datahub_audio_layout_check (const GstDatahubAudioLayout *layout,
    GstBuffer *buffer, GstDatahubLeftOut *metas_refused)
{
  Check check = { layout, metas_refused };
  if (layout->raw || layout->dsd_channels)
    gst_buffer_foreach_meta (buffer, check_meta, &check);
  if (layout->planar)
    add_planes (layout, buffer);
}
