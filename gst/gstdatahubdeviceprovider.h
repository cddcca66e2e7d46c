/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_DATAHUB_DEVICE_PROVIDER_H
#define GST_DATAHUB_DEVICE_PROVIDER_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_DATAHUB_DEVICE_PROVIDER                                       \
  (gst_datahub_device_provider_get_type ())
G_DECLARE_FINAL_TYPE (GstDatahubDeviceProvider, gst_datahub_device_provider,
    GST, DATAHUB_DEVICE_PROVIDER, GstDeviceProvider)
GST_DEVICE_PROVIDER_REGISTER_DECLARE (datahubdeviceprovider);

G_END_DECLS

#endif /* GST_DATAHUB_DEVICE_PROVIDER_H */
