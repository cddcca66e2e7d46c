/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer and consumers of the block "test", in this process; they still have
 * mappings of their own. */
#ifndef TESTS_GST_HARNESS_H
#define TESTS_GST_HARNESS_H

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#define VIDEO_CAPS(w, h)                                                       \
  "video/x-raw, format=GRAY8, width=" #w ", height=" #h ", framerate=25/1"
#define TEST_CAPS "application/x-test"

/* @properties as in a pipeline description. The caps are to be set. */
GstHarness *harness_sink (const gchar *properties);
/* It plays. */
GstHarness *harness_src (const gchar *properties);
/* The same with a bus, whose messages keep the element alive. */
GstHarness *harness_src_heard (const gchar *properties);

/* A source that downstream holds up. A source that only pauses may still read one
 * buffer, or none. */
typedef struct
{
  GstPad *pad;
  gulong probe;
  gint held; /* atomic */
} HarnessHold;

/* The next buffer that is pushed waits. @hold must not move until the release. */
void harness_hold (GstHarness *src, HarnessHold *hold);
/* Waits until it does: what is written from then on is read after the release. */
void harness_wait_held (HarnessHold *hold);
void harness_release (HarnessHold *hold);

/* A number of its statistics. */
guint64 element_stat (GstElement *element, const gchar *field);

#endif /* TESTS_GST_HARNESS_H */
