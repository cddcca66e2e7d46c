/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a GstDeviceMonitor reports of blocks, and blocks without an element. */
#ifndef TESTS_GST_DEVICES_H
#define TESTS_GST_DEVICES_H

#include "harness.h"

#include <datahub/datahub.h>

typedef struct
{
  GstDeviceMonitor *monitor;
  GstBus *bus;
} Monitor;

/* It runs. @caps may be NULL. */
Monitor monitor_start (const gchar *classes, const gchar *caps);
void monitor_end (Monitor *monitor);

/* The next message about a device, at most 20 s from now; sets @type to its kind.
 * Returns: (transfer full): the device */
GstDevice *monitor_next (Monitor *monitor, GstMessageType *type);
/* That the next message is of this type, and about this block. */
GstDevice *monitor_expect (Monitor *monitor, GstMessageType type,
    const gchar *datablock);
void monitor_expect_added (Monitor *monitor, const gchar *datablock);
void monitor_expect_changed (Monitor *monitor, const gchar *datablock);
void monitor_expect_removed (Monitor *monitor, const gchar *datablock);

gchar *device_string (GstDevice *device, const gchar *property);
gint device_pid (GstDevice *device);
void device_expect_class (GstDevice *device, const gchar *classes);
void device_expect_caps (GstDevice *device, const gchar *caps);

/* A producer of the block "test" with pictures of 16 x 16, after the first one. */
GstHarness *gray_sink_playing (void);
void gray_push (GstHarness *h);

/* A block with this body of a record of caps; NULL: none. Published. */
DatahubProducer *block_new (const gchar *name, gconstpointer caps, gsize size);
DatahubProducer *block_new_text (const gchar *name, const gchar *caps);
void block_write_caps (DatahubProducer *producer, gconstpointer caps,
    gsize size);

#endif /* TESTS_GST_DEVICES_H */
