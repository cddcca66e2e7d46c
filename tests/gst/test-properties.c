/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties and URIs of the elements. */
#include "sandbox.h"

GST_START_TEST (defaults_are_as_documented)
{
  GstElement *sink, *src;
  gchar *name, *broker, *mode;
  guint slots, max_consumers, wait, pinned;
  guint64 slot_size, block_timeout, timeout, max_age;
  gint checksum, delivery, start_at, on_disconnect, wake, timestamps;
  gboolean sync, last_sample, live;
  g_unsetenv ("DATAHUB_BROKER");
  sink = gst_element_factory_make ("datahubsink", NULL);
  src = gst_element_factory_make ("datahubsrc", NULL);
  g_object_get (sink, "datablock", &name, "broker", &broker, "shm-mode", &mode,
      "slots", &slots, "max-consumers", &max_consumers, "wait-for-consumers",
      &wait, "slot-size", &slot_size, "block-timeout", &block_timeout,
      "checksum", &checksum, "sync", &sync, "enable-last-sample", &last_sample,
      NULL);
  fail_unless_equals_string (name, "default");
  fail_unless_equals_string (broker, "auto");
  fail_unless_equals_string (mode, "0600");
  fail_unless (slots == 0 && slot_size == 0 && max_consumers == 128
      && wait == 0);
  fail_unless_equals_uint64 (block_timeout, 5 * GST_SECOND);
  fail_unless (checksum == 0 && sync && !last_sample);
  g_object_get (src, "delivery", &delivery, "start-at", &start_at,
      "on-disconnect", &on_disconnect, "wake", &wake, "timestamps", &timestamps,
      "max-pinned", &pinned, "timeout", &timeout, "max-age", &max_age,
      "is-live", &live, NULL);
  fail_unless (delivery == 0 && start_at == 2 && on_disconnect == 0 && wake == 0
      && timestamps == 0);
  fail_unless_equals_int (pinned, 8);
  fail_unless (timeout == GST_CLOCK_TIME_NONE && max_age == timeout && live);
  g_free (name);
  g_free (broker);
  g_free (mode);
  gst_object_unref (sink);
  gst_object_unref (src);
}
GST_END_TEST;

static void
expect_factory (const gchar *name, const gchar *klass, guint rank)
{
  GstElementFactory *factory = gst_element_factory_find (name);
  fail_unless_equals_string (gst_element_factory_get_metadata (factory,
                                 GST_ELEMENT_METADATA_KLASS),
      klass);
  fail_unless_equals_int (
      gst_plugin_feature_get_rank (GST_PLUGIN_FEATURE (factory)), rank);
  gst_object_unref (factory);
}

static gchar *
blurb_of (const gchar *element, const gchar *property)
{
  GstElement *one = gst_element_factory_make (element, NULL);
  gchar *blurb = g_strdup (g_param_spec_get_blurb (
      g_object_class_find_property (G_OBJECT_GET_CLASS (one), property)));
  gst_object_unref (one);
  return blurb;
}

/* The origin is a URL, or states that there is none. */
GST_START_TEST (gst_inspect_shows_what_users_know_from_other_plugins)
{
  GstPlugin *plugin = gst_registry_find_plugin (gst_registry_get (), "datahub");
  const gchar *origin = gst_plugin_get_origin (plugin);
  g_autofree gchar *sink = blurb_of ("datahubsink", "datablock");
  g_autofree gchar *src = blurb_of ("datahubsrc", "datablock");
  fail_unless (strstr (origin, "://")
          || g_str_equal (origin, "Unknown package origin"),
      "%s", origin);
  fail_unless_equals_string (gst_plugin_get_license (plugin), "LGPL");
  expect_factory ("datahubsink", "Sink", GST_RANK_NONE);
  expect_factory ("datahubsrc", "Source", GST_RANK_PRIMARY);
  fail_unless (strstr (src, "running source") && !strstr (sink, "source"));
  gst_object_unref (plugin);
}
GST_END_TEST;

static void
expect_latency (GstElement *src, gboolean expected)
{
  g_autoptr (GstQuery) query = gst_query_new_latency ();
  gboolean live;
  GstClockTime min, max;
  g_object_set (src, "is-live", expected, NULL);
  fail_unless (gst_element_query (src, query));
  gst_query_parse_latency (query, &live, &min, &max);
  fail_unless (live == expected && min == 0 && max == GST_CLOCK_TIME_NONE);
}

/* It has no stream yet. */
GST_START_TEST (a_source_answers_queries_at_any_time)
{
  GstElement *src = gst_element_factory_make ("datahubsrc", NULL);
  g_autoptr (GstQuery) seeking = gst_query_new_seeking (GST_FORMAT_TIME);
  g_autoptr (GstQuery) scheduling = gst_query_new_scheduling ();
  gboolean seekable = TRUE;
  gint64 position = -1, duration = -1;
  fail_unless (gst_element_query (src, seeking));
  gst_query_parse_seeking (seeking, NULL, &seekable, NULL, NULL);
  fail_if (seekable);
  fail_unless (gst_element_query (src, scheduling));
  fail_if (gst_query_has_scheduling_mode (scheduling, GST_PAD_MODE_PULL));
  fail_unless (gst_element_query_position (src, GST_FORMAT_TIME, &position));
  fail_unless_equals_int64 (position, 0);
  gst_element_query_duration (src, GST_FORMAT_TIME, &duration);
  fail_unless_equals_int64 (duration, -1);
  expect_latency (src, FALSE);
  expect_latency (src, TRUE);
  gst_object_unref (src);
}
GST_END_TEST;

GST_START_TEST (the_environment_names_the_broker)
{
  GstElement *sink = gst_element_factory_make ("datahubsink", NULL);
  gchar *broker;
  g_object_get (sink, "broker", &broker, NULL);
  fail_unless_equals_string (broker, "none"); /* from the fixture */
  g_free (broker);
  gst_object_unref (sink);
}
GST_END_TEST;

GST_START_TEST (a_uri_names_the_block_and_sets_properties)
{
  GstElement *src = gst_element_make_from_uri (GST_URI_SRC,
      "datahub://Cam0?delivery=reliable&timeout=5&consumer-name=a%20b", NULL,
      NULL);
  g_autofree gchar *name = NULL, *consumer = NULL, *uri = NULL;
  guint64 timeout;
  gint delivery;
  fail_unless (src != NULL);
  g_object_get (src, "datablock", &name, "delivery", &delivery, "timeout",
      &timeout, "consumer-name", &consumer, NULL);
  fail_unless_equals_string (name, "Cam0");
  fail_unless_equals_string (consumer, "a b");
  fail_unless (delivery == 1 && timeout == 5);
  uri = gst_uri_handler_get_uri (GST_URI_HANDLER (src));
  fail_unless_equals_string (uri, "datahub://Cam0");
  gst_object_unref (src);
}
GST_END_TEST;

GST_START_TEST (a_wrong_uri_is_refused)
{
  static const gchar *const uris[] = { "datahub://", "datahub://a/b",
    "datahub://-x", "datahub://a?nosuch=1", "datahub://a?delivery=maybe",
    "datahub://a?curve-key-file=/etc/x", "datahub://a?delivery",
    "datahub://a?max-pinned=-5", "datahub://a?max-pinned=65536",
    "datahub://a?delivery=7", "datahub://a?poll-interval=0" };
  GstElement *src = gst_element_factory_make ("datahubsrc", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (uris); i++) {
    g_autoptr (GError) error = NULL;
    fail_if (gst_uri_handler_set_uri (GST_URI_HANDLER (src), uris[i], &error),
        "%s", uris[i]);
    fail_unless (error != NULL && *error->message);
  }
  gst_object_unref (src);
}
GST_END_TEST;

GST_START_TEST (a_wrong_uri_changes_nothing)
{
  GstElement *src = gst_element_factory_make ("datahubsrc", NULL);
  g_autofree gchar *name = NULL;
  guint64 timeout;
  fail_if (gst_uri_handler_set_uri (GST_URI_HANDLER (src),
      "datahub://other?timeout=7&delivery=maybe", NULL));
  g_object_get (src, "timeout", &timeout, "datablock", &name, NULL);
  fail_unless_equals_uint64 (timeout, GST_CLOCK_TIME_NONE);
  fail_unless_equals_string (name, "default");
  gst_object_unref (src);
}
GST_END_TEST;

static void
check_flags (const gchar *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);
  const GParamFlags states = GST_PARAM_MUTABLE_READY | GST_PARAM_MUTABLE_PAUSED
      | GST_PARAM_MUTABLE_PLAYING;
  guint n;
  g_autofree GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);
  for (guint i = 0; i < n; i++)
    if (specs[i]->owner_type == G_OBJECT_TYPE (element)
        && (specs[i]->flags & G_PARAM_WRITABLE))
      fail_unless (specs[i]->flags & states, "%s", specs[i]->name);
  gst_object_unref (element);
}

GST_START_TEST (each_property_has_the_state_in_which_it_can_be_changed)
{
  check_flags ("datahubsink");
  check_flags ("datahubsrc");
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, defaults_are_as_documented);
  tcase_add_test (tc, gst_inspect_shows_what_users_know_from_other_plugins);
  tcase_add_test (tc, a_source_answers_queries_at_any_time);
  tcase_add_test (tc, the_environment_names_the_broker);
  tcase_add_test (tc, a_uri_names_the_block_and_sets_properties);
  tcase_add_test (tc, a_wrong_uri_is_refused);
  tcase_add_test (tc, a_wrong_uri_changes_nothing);
  tcase_add_test (tc, each_property_has_the_state_in_which_it_can_be_changed);
}

SANDBOX_MAIN (properties)
