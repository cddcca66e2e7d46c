/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often a source reports its producer. Silences are as long as the caller of
 * gst_datahub_presence_quiet() states, so no test waits for one. */
#include "gstdatahubpresence.h"
#include "suite.h"

#include <datahub/datahub.h>

#define UUID "0123456789abcdef0123456789abcdef"

typedef struct
{
  GstElement *element; /* owned */
  GstBus *bus; /* owned */
  GstDatahubOutbox outbox;
  GstDatahubPresence presence;
} Place;

static void
place_init (Place *place)
{
  static gsize once = 0;
  if (g_once_init_enter (&once)) {
    gst_datahub_presence_install_signals (GST_TYPE_BIN);
    g_once_init_leave (&once, 1);
  }
  place->element = gst_object_ref_sink (gst_bin_new (NULL));
  place->bus = gst_bus_new ();
  gst_element_set_bus (place->element, place->bus);
  gst_datahub_outbox_init (&place->outbox);
  gst_datahub_presence_init (&place->presence, place->element, &place->outbox);
}

static void
on_gone (gpointer queue, GObject *where_the_object_was)
{
  g_async_queue_push (queue, where_the_object_was);
}

/* The thread that sends refers to the element, and uses the outbox until then. */
static void
place_clear (Place *place)
{
  GAsyncQueue *gone = g_async_queue_new ();
  gst_element_set_bus (place->element, NULL);
  g_clear_object (&place->bus);
  g_object_weak_ref (G_OBJECT (place->element), on_gone, gone);
  g_clear_object (&place->element);
  fail_unless (g_async_queue_timeout_pop (gone, 30 * G_USEC_PER_SEC) != NULL);
  g_async_queue_unref (gone);
  gst_datahub_outbox_clear (&place->outbox);
}

/* Messages since the last call. @last is set to the name of the last one. */
static guint
count_messages (Place *place, const gchar **last)
{
  guint n = 0;
  gst_datahub_outbox_push (&place->outbox, place->element,
      gst_message_new_application (GST_OBJECT_CAST (place->element),
          gst_structure_new_empty ("end")),
      NULL);
  for (;;) {
    g_autoptr (GstMessage) message =
        gst_bus_timed_pop (place->bus, 30 * GST_SECOND);
    fail_unless (message != NULL);
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_APPLICATION)
      return n;
    *last = g_intern_string (
        gst_structure_get_name (gst_message_get_structure (message)));
    n++;
  }
}

static void
hear (Place *place, guint n)
{
  for (guint i = 0; i < n; i++)
    gst_datahub_presence_heard (&place->presence, "test", UUID);
}

static void
be_quiet (Place *place, gint64 time)
{
  gst_datahub_presence_quiet (&place->presence, "test", "no-data", time);
}

/* A stream that is this slow by nature is no news each time. */
GST_START_TEST (a_slow_stream_is_reported_once)
{
  const gchar *last = NULL;
  Place place;
  place_init (&place);
  hear (&place, 8);
  for (guint i = 0; i < 4; i++) {
    be_quiet (&place, 3 * GST_SECOND / 2);
    hear (&place, 1);
  }
  fail_unless_equals_int (count_messages (&place, &last), 3);
  fail_unless_equals_string (last, "datahub-producer-found");
  /* one that flowed again and stopped */
  hear (&place, 8);
  be_quiet (&place, 3 * GST_SECOND / 2);
  fail_unless_equals_int (count_messages (&place, &last), 1);
  fail_unless_equals_string (last, "datahub-waiting");
  place_clear (&place);
}
GST_END_TEST;

GST_START_TEST (a_short_silence_is_not_reported)
{
  const gchar *last = NULL;
  Place place;
  place_init (&place);
  hear (&place, 8);
  be_quiet (&place, GST_MSECOND);
  fail_unless (gst_datahub_presence_left (&place.presence) <= GST_SECOND);
  hear (&place, 8);
  fail_unless_equals_int (count_messages (&place, &last), 1);
  fail_if (place.presence.attentive);
  place_clear (&place);
}
GST_END_TEST;

#define STORM 500

/* Producers that start and stop all the time are few messages. */
GST_START_TEST (a_storm_is_few_messages)
{
  const gchar *last = NULL;
  gint64 start = g_get_monotonic_time ();
  Place place;
  guint n, most;
  place_init (&place);
  for (guint i = 0; i < STORM; i++) {
    hear (&place, 1);
    gst_datahub_presence_lost (&place.presence, "test", "died");
  }
  n = count_messages (&place, &last);
  most = 6 + (guint) ((g_get_monotonic_time () - start) / G_USEC_PER_SEC) + 1;
  fail_unless (n <= most, "%u messages", n);
  /* what is true now follows, without another change */
  hear (&place, 1);
  while (place.presence.told.state != GST_DATAHUB_PRESENCE_FOUND) {
    gint64 left = gst_datahub_presence_left (&place.presence);
    gulong us = (gulong) (left / 1000) + 1;
    fail_unless (left > 0 && left <= GST_SECOND);
    g_usleep (us); /* time is under test: the rate of messages */
    hear (&place, 1);
  }
  /* none, if that was the last message of the storm */
  count_messages (&place, &last);
  fail_unless_equals_string (last, "datahub-producer-found");
  place_clear (&place);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_slow_stream_is_reported_once);
  tcase_add_test (tc, a_short_silence_is_not_reported);
  tcase_add_test (tc, a_storm_is_few_messages);
}

SUITE_MAIN (presence_rate)
