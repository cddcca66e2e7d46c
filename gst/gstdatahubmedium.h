/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The picture or the samples that caps describe. One streaming thread. */
#ifndef GST_DATAHUB_MEDIUM_H
#define GST_DATAHUB_MEDIUM_H

#include "gstdatahubaudiolayout.h"
#include "gstdatahubvideolayout.h"

G_BEGIN_DECLS

/* Of the caps in force; zero-initialised. */
typedef struct
{
  gboolean picture; /* `video` is set */
  GstVideoInfo video;
  GstDatahubAudioLayout audio;
} GstDatahubMedium;

void gst_datahub_medium_set_caps (GstDatahubMedium *medium,
    const GstCaps *caps);
const gchar *gst_datahub_medium_contradiction (const GstDatahubMedium *medium,
    GstBuffer *buffer, const GstMeta *meta);

G_END_DECLS

#endif /* GST_DATAHUB_MEDIUM_H */
