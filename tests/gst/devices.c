/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices.h"

#include <string.h>

#define PATIENCE (20 * GST_SECOND)
#define DEVICE_MESSAGES                                                        \
  (GST_MESSAGE_DEVICE_ADDED | GST_MESSAGE_DEVICE_REMOVED                       \
      | GST_MESSAGE_DEVICE_CHANGED)

Monitor
monitor_start (const gchar *classes, const gchar *caps)
{
  Monitor monitor = { .monitor = gst_device_monitor_new () };
  GstCaps *filter = caps ? gst_caps_from_string (caps) : NULL;
  fail_unless (gst_device_monitor_add_filter (monitor.monitor, classes, filter)
      != 0);
  gst_clear_caps (&filter);
  monitor.bus = gst_device_monitor_get_bus (monitor.monitor);
  fail_unless (gst_device_monitor_start (monitor.monitor));
  return monitor;
}

void
monitor_end (Monitor *monitor)
{
  gst_device_monitor_stop (monitor->monitor);
  gst_object_unref (monitor->bus);
  gst_object_unref (monitor->monitor);
}

static GstDevice *
parse (GstMessage *message)
{
  GstDevice *device = NULL;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_DEVICE_ADDED)
    gst_message_parse_device_added (message, &device);
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_DEVICE_REMOVED)
    gst_message_parse_device_removed (message, &device);
  else
    gst_message_parse_device_changed (message, &device, NULL);
  return device;
}

GstDevice *
monitor_next (Monitor *monitor, GstMessageType *type)
{
  GstMessage *message =
      gst_bus_timed_pop_filtered (monitor->bus, PATIENCE, DEVICE_MESSAGES);
  GstDevice *device;
  fail_unless (message != NULL, "no message about a device");
  *type = GST_MESSAGE_TYPE (message);
  device = parse (message);
  gst_message_unref (message);
  return device;
}

GstDevice *
monitor_expect (Monitor *monitor, GstMessageType type, const gchar *datablock)
{
  GstMessageType found;
  GstDevice *device = monitor_next (monitor, &found);
  g_autofree gchar *name = device_string (device, "datahub.datablock");
  fail_unless (found == type && g_strcmp0 (name, datablock) == 0,
      "%s of %s in place of %s of %s", gst_message_type_get_name (found), name,
      gst_message_type_get_name (type), datablock);
  return device;
}

void
monitor_expect_added (Monitor *monitor, const gchar *datablock)
{
  gst_object_unref (monitor_expect (monitor, GST_MESSAGE_DEVICE_ADDED,
      datablock));
}

void
monitor_expect_changed (Monitor *monitor, const gchar *datablock)
{
  gst_object_unref (monitor_expect (monitor, GST_MESSAGE_DEVICE_CHANGED,
      datablock));
}

void
monitor_expect_removed (Monitor *monitor, const gchar *datablock)
{
  gst_object_unref (monitor_expect (monitor, GST_MESSAGE_DEVICE_REMOVED,
      datablock));
}

gchar *
device_string (GstDevice *device, const gchar *property)
{
  g_autoptr (GstStructure) properties = gst_device_get_properties (device);
  return g_strdup (gst_structure_get_string (properties, property));
}

gint
device_pid (GstDevice *device)
{
  g_autoptr (GstStructure) properties = gst_device_get_properties (device);
  gint pid = 0;
  fail_unless (gst_structure_get_int (properties, "datahub.pid", &pid));
  return pid;
}

void
device_expect_class (GstDevice *device, const gchar *classes)
{
  g_autofree gchar *found = gst_device_get_device_class (device);
  fail_unless_equals_string (found, classes);
}

void
device_expect_caps (GstDevice *device, const gchar *caps)
{
  g_autoptr (GstCaps) found = gst_device_get_caps (device);
  g_autoptr (GstCaps) expected = gst_caps_from_string (caps);
  fail_unless (gst_caps_is_equal (found, expected), "%" GST_PTR_FORMAT, found);
}

GstHarness *
gray_sink_playing (void)
{
  GstHarness *h = harness_sink ("");
  gst_harness_set_src_caps_str (h, VIDEO_CAPS (16, 16));
  gray_push (h);
  return h;
}

void
gray_push (GstHarness *h)
{
  fail_unless_equals_int (gst_harness_push (h,
                              gst_buffer_new_allocate (NULL, 256, NULL)),
      GST_FLOW_OK);
}

void
block_write_caps (DatahubProducer *producer, gconstpointer caps, gsize size)
{
  DatahubCommit commit;
  DatahubError error = { 0 };
  datahub_commit_init (&commit, DATAHUB_RECORD_CAPS);
  commit.meta = caps;
  commit.meta_size = (uint32_t) size;
  fail_unless_equals_int (datahub_producer_commit (producer, &commit,
                              DATAHUB_FOREVER, NULL, &error),
      DATAHUB_OK);
}

DatahubProducer *
block_new (const gchar *name, gconstpointer caps, gsize size)
{
  DatahubProducerOptions options;
  DatahubProducer *producer = NULL;
  DatahubError error = { 0 };
  datahub_producer_options_init (&options);
  options.slot_size = 64;
  options.slots = 4;
  options.ring_size = 4;
  options.max_consumers = 2;
  fail_unless (datahub_producer_create (name, &options, &producer, &error)
          == DATAHUB_OK,
      "%s", error.message);
  if (caps)
    block_write_caps (producer, caps, size);
  fail_unless (datahub_producer_publish (producer, &error) == DATAHUB_OK, "%s",
      error.message);
  return producer;
}

DatahubProducer *
block_new_text (const gchar *name, const gchar *caps)
{
  return block_new (name, caps, caps ? strlen (caps) + 1 : 0);
}
