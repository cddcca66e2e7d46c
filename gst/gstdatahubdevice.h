/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_DATAHUB_DEVICE_H
#define GST_DATAHUB_DEVICE_H

#include "gstdatahubfacts.h"

G_BEGIN_DECLS

#define GST_TYPE_DATAHUB_DEVICE (gst_datahub_device_get_type ())
G_DECLARE_FINAL_TYPE (GstDatahubDevice, gst_datahub_device, GST, DATAHUB_DEVICE,
    GstDevice)

GstDevice *gst_datahub_device_new (const GstDatahubFacts *facts,
    const gchar *broker);

G_END_DECLS

#endif /* GST_DATAHUB_DEVICE_H */
