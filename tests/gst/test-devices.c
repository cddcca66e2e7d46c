/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks as devices: a GstDeviceMonitor, gst-device-monitor-1.0, and a probe. */
#include "common/speed.h"
#include "devices.h"
#include "sandbox.h"

#include <string.h>
#include <unistd.h>

#define ALL "Source/DataHub"
#define TEXT_CAPS "text/x-raw, format=utf8"

static gint64
now (void)
{
  return g_get_monotonic_time ();
}

/* ---- a GstDeviceMonitor ---- */

GST_START_TEST (a_block_is_a_device_while_it_has_a_producer)
{
  Monitor monitor = monitor_start (ALL, NULL);
  gint64 start = now ();
  GstHarness *sink = gray_sink_playing ();
  GstDevice *device =
      monitor_expect (&monitor, GST_MESSAGE_DEVICE_ADDED, "test");
  g_autofree gchar *name = gst_device_get_display_name (device);
  g_autofree gchar *group = device_string (device, "datahub.group");
  fail_if (speed_is_over (now () - start, 200 * G_TIME_SPAN_MILLISECOND));
  fail_unless_equals_string (name, "test");
  fail_unless (group == NULL);
  fail_unless_equals_int (device_pid (device), getpid ());
  device_expect_class (device, "Video/Source/DataHub");
  device_expect_caps (device, VIDEO_CAPS (16, 16));
  gst_object_unref (device);
  gst_harness_teardown (sink);
  monitor_expect_removed (&monitor, "test");
  monitor_end (&monitor);
}
GST_END_TEST;

GST_START_TEST (blocks_that_were_there_before_are_devices_at_the_start)
{
  DatahubProducer *text = block_new_text ("cam0.text", TEXT_CAPS);
  DatahubProducer *sound = block_new_text ("cam0.sound", "audio/x-opus");
  Monitor monitor = monitor_start (ALL, NULL);
  GList *devices = gst_device_monitor_get_devices (monitor.monitor);
  fail_unless_equals_int (g_list_length (devices), 2);
  for (GList *l = devices; l; l = l->next) {
    g_autofree gchar *name = device_string (l->data, "datahub.datablock");
    g_autofree gchar *group = device_string (l->data, "datahub.group");
    gboolean is_text = g_str_equal (name, "cam0.text");
    device_expect_class (l->data,
        is_text ? "Source/DataHub" : "Audio/Source/DataHub");
    fail_unless_equals_string (group, "cam0");
  }
  g_list_free_full (devices, gst_object_unref);
  monitor_end (&monitor);
  datahub_producer_close (text);
  datahub_producer_close (sound);
}
GST_END_TEST;

GST_START_TEST (other_caps_are_a_change_and_another_class_is_another_device)
{
  Monitor monitor = monitor_start (ALL, NULL);
  GstHarness *sink = gray_sink_playing ();
  GstDevice *device;
  monitor_expect_added (&monitor, "test");
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (8, 8));
  gray_push (sink);
  device = monitor_expect (&monitor, GST_MESSAGE_DEVICE_CHANGED, "test");
  device_expect_caps (device, VIDEO_CAPS (8, 8));
  gst_object_unref (device);
  gst_harness_set_src_caps_str (sink, TEST_CAPS);
  gray_push (sink);
  monitor_expect_removed (&monitor, "test");
  device = monitor_expect (&monitor, GST_MESSAGE_DEVICE_ADDED, "test");
  device_expect_class (device, "Source/DataHub");
  gst_object_unref (device);
  gst_harness_teardown (sink);
  monitor_end (&monitor);
}
GST_END_TEST;

GST_START_TEST (a_block_without_caps_is_a_device_that_may_have_any)
{
  Monitor monitor = monitor_start (ALL, NULL);
  DatahubProducer *block = block_new_text ("bare", NULL);
  GstDevice *device =
      monitor_expect (&monitor, GST_MESSAGE_DEVICE_ADDED, "bare");
  device_expect_caps (device, "ANY");
  device_expect_class (device, "Source/DataHub");
  gst_object_unref (device);
  block_write_caps (block, TEXT_CAPS, sizeof TEXT_CAPS);
  device = monitor_expect (&monitor, GST_MESSAGE_DEVICE_CHANGED, "bare");
  device_expect_caps (device, TEXT_CAPS);
  gst_object_unref (device);
  datahub_producer_close (block);
  monitor_end (&monitor);
}
GST_END_TEST;

/* Later blocks show that the earlier ones were passed over. */
GST_START_TEST (filters_by_class_and_caps_apply)
{
  Monitor monitor =
      monitor_start ("Video/Source/DataHub", "video/x-raw, format=GRAY8");
  DatahubProducer *sound = block_new_text ("sound", "audio/x-opus");
  DatahubProducer *other =
      block_new_text ("other", "video/x-raw, format=I420, width=16");
  DatahubProducer *gray, *last;
  gray = block_new_text ("gray", "video/x-raw, format=GRAY8, width=16");
  monitor_expect_added (&monitor, "gray");
  last = block_new_text ("last", "video/x-raw, format=GRAY8, width=8");
  monitor_expect_added (&monitor, "last");
  datahub_producer_close (sound);
  datahub_producer_close (other);
  datahub_producer_close (gray);
  monitor_expect_removed (&monitor, "gray");
  datahub_producer_close (last);
  monitor_expect_removed (&monitor, "last");
  monitor_end (&monitor);
}
GST_END_TEST;

/* ---- a probe ---- */

static gboolean
has_children (void)
{
  g_autofree gchar *path =
      g_strdup_printf ("/proc/self/task/%d/children", getpid ());
  g_autofree gchar *children = NULL;
  return g_file_get_contents (path, &children, NULL, NULL) && *children;
}

GST_START_TEST (a_probe_without_a_broker_is_quick_and_makes_nothing)
{
  g_autofree gchar *runtime =
      g_build_filename (g_getenv ("DATAHUB_RUNTIME_DIR"), "none", NULL);
  GstDeviceProvider *provider =
      gst_device_provider_factory_get_by_name ("datahubdeviceprovider");
  DatahubProducer *block = block_new_text ("test", TEXT_CAPS);
  guint files = sandbox_count_files ();
  gint64 start;
  GList *devices;
  fail_unless (provider != NULL);
  g_setenv ("DATAHUB_RUNTIME_DIR", runtime, TRUE);
  g_setenv ("DATAHUB_BROKER", "auto", TRUE);
  start = now ();
  devices = gst_device_provider_get_devices (provider);
  fail_if (speed_is_over (now () - start, 500 * G_TIME_SPAN_MILLISECOND),
      "%" G_GINT64_FORMAT " us", now () - start);
  fail_unless_equals_int (g_list_length (devices), 1);
  fail_if (g_file_test (runtime, G_FILE_TEST_EXISTS));
  fail_if (has_children ());
  fail_unless_equals_int (sandbox_count_files (), files);
  g_list_free_full (devices, gst_object_unref);
  gst_object_unref (provider);
  datahub_producer_close (block);
}
GST_END_TEST;

/* ---- elements ---- */

static GstDevice *
get_device (void)
{
  GstDeviceProvider *provider =
      gst_device_provider_factory_get_by_name ("datahubdeviceprovider");
  GList *devices = gst_device_provider_get_devices (provider);
  GstDevice *device;
  fail_unless_equals_int (g_list_length (devices), 1);
  device = gst_object_ref (devices->data);
  g_list_free_full (devices, gst_object_unref);
  gst_object_unref (provider);
  return device;
}

static void
expect_datablock (GstElement *element, const gchar *expected)
{
  g_autofree gchar *name = NULL;
  g_object_get (element, "datablock", &name, NULL);
  fail_unless_equals_string (name, expected);
}

GST_START_TEST (the_element_of_a_device_plays)
{
  GstHarness *sink = gray_sink_playing (), *src;
  GstDevice *device = get_device ();
  GstElement *element = gst_device_create_element (device, "one");
  expect_datablock (element, "test");
  src = gst_harness_new_with_element (element, NULL, "src");
  gst_harness_play (src);
  gst_buffer_unref (gst_harness_pull (src));
  gst_harness_teardown (src);
  gst_object_unref (element);
  gst_object_unref (device);
  gst_harness_teardown (sink);
}
GST_END_TEST;

GST_START_TEST (an_element_that_does_not_run_takes_the_block_of_a_device)
{
  GstHarness *sink = gray_sink_playing (), *src = harness_src ("");
  GstDevice *device = get_device ();
  GstElement *other = gst_element_factory_make ("fakesrc", NULL);
  g_object_set (src->element, "datablock", "elsewhere", NULL);
  fail_if (gst_device_reconfigure_element (device, src->element));
  expect_datablock (src->element, "elsewhere");
  gst_element_set_state (src->element, GST_STATE_READY);
  fail_unless (gst_device_reconfigure_element (device, src->element));
  expect_datablock (src->element, "test");
  fail_if (gst_device_reconfigure_element (device, other));
  gst_object_unref (other);
  gst_object_unref (device);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* ---- gst-device-monitor-1.0 ---- */

static void
expect_line (GDataInputStream *lines, const gchar *word)
{
  gchar *line = NULL;
  do {
    g_free (line);
    line = g_data_input_stream_read_line (lines, NULL, NULL, NULL);
    fail_unless (line != NULL, "no \"%s\"", word);
  } while (!strstr (line, word));
  g_free (line);
}

/* NULL: the package with the tool is not installed; or the plugin needs a sanitizer,
 * which a program of another build does not have. */
static GSubprocess *
start_tool (void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return NULL;
#else
  return g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, NULL,
      "gst-device-monitor-1.0", "-f", "Video/Source/DataHub", NULL);
#endif
}

GST_START_TEST (gst_device_monitor_follows_blocks)
{
  g_autoptr (GSubprocess) tool = start_tool ();
  g_autoptr (GDataInputStream) lines = NULL;
  GstHarness *sink;
  if (!tool)
    return;
  lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (tool));
  expect_line (lines, "Monitoring devices");
  sink = gray_sink_playing ();
  expect_line (lines, "Device found");
  expect_line (lines, "Video/Source/DataHub");
  expect_line (lines, "format=GRAY8");
  expect_line (lines, "datahub.datablock = test");
  expect_line (lines, "gst-launch-1.0 datahubsrc datablock=test");
  gst_harness_set_src_caps_str (sink, VIDEO_CAPS (8, 8));
  gray_push (sink);
  expect_line (lines, "Device modified");
  expect_line (lines, "width=8");
  gst_harness_teardown (sink);
  expect_line (lines, "Device removed");
  g_subprocess_force_exit (tool);
  g_subprocess_wait (tool, NULL, NULL);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_block_is_a_device_while_it_has_a_producer);
  tcase_add_test (tc, blocks_that_were_there_before_are_devices_at_the_start);
  tcase_add_test (tc,
      other_caps_are_a_change_and_another_class_is_another_device);
  tcase_add_test (tc, a_block_without_caps_is_a_device_that_may_have_any);
  tcase_add_test (tc, filters_by_class_and_caps_apply);
  tcase_add_test (tc, a_probe_without_a_broker_is_quick_and_makes_nothing);
  tcase_add_test (tc, the_element_of_a_device_plays);
  tcase_add_test (tc, an_element_that_does_not_run_takes_the_block_of_a_device);
  tcase_add_test (tc, gst_device_monitor_follows_blocks);
}

SANDBOX_MAIN (devices)
