/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Features of caps that describe memory. Pure functions. */
#ifndef GST_DATAHUB_FEATURES_H
#define GST_DATAHUB_FEATURES_H

#include <gst/gst.h>

G_BEGIN_DECLS

const gchar *gst_datahub_features_get_memory (const GstCapsFeatures *features);
const gchar *gst_datahub_features_find_memory (const GstCaps *caps);
const gchar *gst_datahub_features_get_converter (const gchar *memory);
GstCaps *gst_datahub_features_keep_system (const GstCaps *caps);

G_END_DECLS

#endif /* GST_DATAHUB_FEATURES_H */
