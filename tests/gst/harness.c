/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "harness.h"

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
