/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plugin: registers the elements and the device provider.
 * Tests: gst-properties, gst-devices, house-devenv-finds-elements */
#include "gstdatahubdeviceprovider.h"
#include "gstdatahubmerge.h"
#include "gstdatahuborigin.h"
#include "gstdatahubsink.h"
#include "gstdatahubsrc.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  gboolean registered = FALSE;
  gst_datahub_origin_register ();
  registered |= GST_ELEMENT_REGISTER (datahubsink, plugin);
  registered |= GST_ELEMENT_REGISTER (datahubsrc, plugin);
  registered |= GST_DEVICE_PROVIDER_REGISTER (datahubdeviceprovider, plugin);
  registered |= GST_ELEMENT_REGISTER (datahubmerge, plugin);
  return registered;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, datahub,
    "Live media between processes over shared memory", plugin_init, VERSION,
    "LGPL", GST_PACKAGE_NAME, GST_PACKAGE_ORIGIN)
