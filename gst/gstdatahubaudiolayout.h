/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples in the layout that their caps have. One streaming thread. */
#ifndef GST_DATAHUB_AUDIO_LAYOUT_H
#define GST_DATAHUB_AUDIO_LAYOUT_H

#include "gstdatahubleftout.h"

#include <gst/audio/audio.h>

G_BEGIN_DECLS

/* Of the caps in force; zero-initialised. */
typedef struct
{
  gboolean raw, planar;
  GstAudioInfo info;
  gint dsd_channels; /* 0: no DSD */
} GstDatahubAudioLayout;

void gst_datahub_audio_layout_set_caps (GstDatahubAudioLayout *layout,
    const GstCaps *caps);
gboolean gst_datahub_audio_layout_fits (const GstDatahubAudioLayout *layout,
    const GstMeta *meta);
void gst_datahub_audio_layout_check (const GstDatahubAudioLayout *layout,
    GstBuffer *buffer, GstDatahubLeftOut *metas_refused);

G_END_DECLS

#endif /* GST_DATAHUB_AUDIO_LAYOUT_H */
