/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "harness.h"
#include "until.h"

static GstHarness *
new_harness (const gchar *factory, const gchar *properties, const gchar *sink,
    const gchar *src)
{
  g_autofree gchar *line =
      g_strdup_printf ("%s datablock=test %s", factory, properties);
  GstElement *element = gst_parse_launch (line, NULL);
  GstHarness *h = gst_harness_new_with_element (element, sink, src);
  gst_object_unref (element);
  return h;
}

GstHarness *
harness_sink (const gchar *properties)
{
  return new_harness ("datahubsink sync=false async=false", properties, "sink",
      NULL);
}

GstHarness *
harness_src (const gchar *properties)
{
  GstHarness *h = new_harness ("datahubsrc", properties, NULL, "src");
  gst_harness_play (h);
  return h;
}

GstHarness *
harness_src_heard (const gchar *properties)
{
  GstHarness *h = new_harness ("datahubsrc", properties, NULL, "src");
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (h->element, bus);
  gst_object_unref (bus);
  gst_harness_play (h);
  return h;
}

static GstPadProbeReturn
on_held (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  g_atomic_int_set (&((HarnessHold *) user_data)->held, TRUE);
  return GST_PAD_PROBE_OK; /* until the probe is removed */
}

void
harness_hold (GstHarness *src, HarnessHold *hold)
{
  hold->held = FALSE;
  hold->pad = gst_pad_get_peer (src->sinkpad);
  hold->probe = gst_pad_add_probe (hold->pad,
      GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, on_held, hold,
      NULL);
}

void
harness_wait_held (HarnessHold *hold)
{
  UNTIL (g_atomic_int_get (&hold->held));
}

void
harness_release (HarnessHold *hold)
{
  gst_pad_remove_probe (hold->pad, hold->probe);
  gst_clear_object (&hold->pad);
}

guint64
element_stat (GstElement *element, const gchar *field)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;
  guint small = 0;
  g_object_get (element, "stats", &stats, NULL);
  if (gst_structure_get_uint (stats, field, &small))
    return small;
  fail_unless (gst_structure_get_uint64 (stats, field, &value), "%s", field);
  return value;
}
