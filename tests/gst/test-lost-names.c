/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of a block are removed while its sink plays. */
#include "messages.h"
#include "numbers.h"
#include "sandbox.h"
#include "until.h"

#include <datahub/core.h>

/* Pushes numbers from @number on until @done. Returns: the next one */
static guint32
push_until (GstHarness *sink, guint32 number, gboolean (*done) (gpointer data),
    gpointer data)
{
  UNTIL ((push_number (sink, number++), done (data)));
  return number;
}

static gboolean
is_renewed (gpointer data)
{
  return element_stat (((GstHarness *) data)->element, "renewals") > 0;
}

static gboolean
has_entry (gpointer data)
{
  DatahubBlockGlance glance;
  return datahub_block_glance ("test", &glance, NULL) == DATAHUB_OK
      && glance.producer_alive;
}

/* All numbers come, in their order, to the end. */
static void
expect_numbers (GstHarness *src, guint32 begin, guint32 end)
{
  for (guint32 n = begin; n < end; n++)
    fail_unless_equals_int (take_number (src, NULL), n);
}

/* @word: the names to remove. A consumer that is attached loses nothing, whatever it
 * does at the end of a producer; the next one finds the stream. */
static void
lose_names (const gchar *word, const gchar *properties)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1"), *src, *late;
  g_autofree gchar *options =
      g_strdup_printf ("delivery=reliable start-at=oldest %s", properties);
  GstBus *bus = gst_bus_new ();
  guint32 next;
  gst_element_set_bus (sink->element, bus);
  src = harness_src (options);
  push_number (sink, 0);
  fail_unless_equals_int (take_number (src, NULL), 0);
  sandbox_remove_files (word);
  next = push_until (sink, 1, is_renewed, sink);
  push_number (sink, next++);
  push_number (sink, next++);
  expect_numbers (src, 1, next);
  late = harness_src ("start-at=oldest");
  push_number (sink, next);
  while (take_number (late, NULL) != next)
    ;
  fail_unless_equals_int (take_number (src, NULL), next);
  gst_message_unref (wait_message (sink->element, GST_MESSAGE_WARNING));
  fail_unless_equals_uint64 (element_stat (sink->element, "renewals"), 1);
  fail_unless_equals_uint64 (element_stat (src->element, "lost"), 0);
  gst_harness_teardown (late);
  gst_harness_teardown (src);
  gst_element_set_bus (sink->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (sink);
}

GST_START_TEST (all_names_are_mended)
{
  lose_names (NULL, "");
}
GST_END_TEST;

GST_START_TEST (a_part_is_mended)
{
  lose_names (".ctl", "");
}
GST_END_TEST;

GST_START_TEST (no_end_for_a_consumer_that_would_end)
{
  lose_names (NULL, "on-disconnect=eos");
}
GST_END_TEST;

GST_START_TEST (a_strict_block_is_mended)
{
  GstHarness *sink = number_sink ("strict=true"), *late;
  guint32 next;
  push_number (sink, 0);
  sandbox_remove_files (".sck");
  next = push_until (sink, 1, is_renewed, sink);
  late = harness_src ("start-at=oldest");
  push_number (sink, next);
  while (take_number (late, NULL) != next)
    ;
  gst_harness_teardown (late);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The entry alone is linked again: the block is the same. */
GST_START_TEST (an_entry_is_mended)
{
  GstHarness *sink = number_sink (""), *late;
  guint32 next;
  push_number (sink, 0);
  sandbox_remove_files ("-test");
  next = push_until (sink, 1, has_entry, NULL);
  late = harness_src ("start-at=oldest");
  push_number (sink, next);
  while (take_number (late, NULL) != next)
    ;
  fail_unless_equals_uint64 (element_stat (sink->element, "renewals"), 0);
  gst_harness_teardown (late);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The stop finds a block that the service thread may not have gone over to. */
GST_START_TEST (a_stop_right_behind)
{
  for (guint i = 0; i < 3; i++) {
    GstHarness *sink = number_sink ("");
    push_number (sink, 0);
    sandbox_remove_files (NULL);
    push_until (sink, 1, is_renewed, sink);
    gst_harness_teardown (sink);
  }
}
GST_END_TEST;

typedef struct
{
  gint lost, waiting; /* atomic; waiting: behind a loss */
} Follower;

static void
on_lost (GstElement *src, const gchar *reason, gpointer user_data)
{
  g_atomic_int_inc (&((Follower *) user_data)->lost);
}

/* The signals come in their order: none of the end of a producer follows this one. */
static void
on_waiting (GstElement *src, const gchar *reason, gpointer user_data)
{
  Follower *follower = user_data;
  if (g_atomic_int_get (&follower->lost) && g_str_equal (reason, "no-producer"))
    g_atomic_int_set (&follower->waiting, TRUE);
}

/* Pushes numbers into both blocks while the source is held up by downstream. */
static guint32
push_while_held (GstHarness *sink, GstHarness *src)
{
  HarnessHold hold;
  guint32 next = 1;
  guint looks = 0;
  harness_hold (src, &hold);
  push_number (sink, next++);
  harness_wait_held (&hold);
  sandbox_remove_files (NULL);
  /* few: the ring waits for a reliable consumer */
  UNTIL ((looks++ % 100 ? (void) 0 : push_number (sink, next++),
      is_renewed (sink)));
  for (guint i = 0; i < 3; i++)
    push_number (sink, next++);
  harness_release (&hold);
  return next;
}

/* Wherever others would begin, a source goes on with the first record of the next
 * block. Its producer is the same, so that is no loss. */
static void
follow (const gchar *properties)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1 slots=256");
  GstHarness *src = harness_src (properties);
  Follower follower = { 0 };
  g_signal_connect (src->element, "producer-lost", G_CALLBACK (on_lost),
      &follower);
  g_signal_connect (src->element, "waiting", G_CALLBACK (on_waiting),
      &follower);
  push_number (sink, 0);
  fail_unless_equals_int (take_number (src, NULL), 0);
  expect_numbers (src, 1, push_while_held (sink, src));
  gst_harness_teardown (sink);
  UNTIL (g_atomic_int_get (&follower.waiting));
  fail_unless_equals_int (g_atomic_int_get (&follower.lost), 1);
  gst_harness_teardown (src);
}

GST_START_TEST (a_source_goes_on_with_the_first_record)
{
  follow ("delivery=reliable");
  follow ("delivery=reliable start-at=latest");
}
GST_END_TEST;

/* Handlers of a sink that hold up its service thread. */
typedef struct
{
  GAsyncQueue *held, *go_on;
  gint wanted; /* atomic: the next handler is to wait */
  gint removed; /* atomic */
  DatahubConsumer *last; /* closed by a handler that does not wait */
} Service;

static void
on_removed (GstElement *sink, guint64 id, const gchar *reason,
    gpointer user_data)
{
  Service *service = user_data;
  g_atomic_int_inc (&service->removed);
  if (g_atomic_int_compare_and_exchange (&service->wanted, TRUE, FALSE)) {
    g_async_queue_push (service->held, service);
    g_async_queue_timeout_pop (service->go_on, 60 * G_USEC_PER_SEC);
  } else if (service->last) {
    datahub_consumer_close (g_steal_pointer (&service->last));
  }
}

static void
service_init (Service *service, GstHarness *sink)
{
  *service = (Service){ g_async_queue_new (), g_async_queue_new () };
  g_signal_connect (sink->element, "consumer-removed", G_CALLBACK (on_removed),
      service);
}

static void
service_clear (Service *service)
{
  g_async_queue_unref (service->held);
  g_async_queue_unref (service->go_on);
}

/* The thread is in a handler then. */
static void
hold_service (Service *service, DatahubConsumer *consumer)
{
  g_atomic_int_set (&service->wanted, TRUE);
  datahub_consumer_close (consumer);
  fail_unless (g_async_queue_timeout_pop (service->held, 30 * G_USEC_PER_SEC)
      != NULL);
}

static void
let_service_go_on (Service *service)
{
  g_async_queue_push (service->go_on, service);
}

static DatahubConsumer *
attach_idle (void)
{
  DatahubConsumer *consumer = NULL;
  fail_unless_equals_int (datahub_consumer_attach ("test", NULL, &consumer,
                              NULL),
      DATAHUB_OK);
  return consumer;
}

/* Removes the files. Then the next buffer needs another block, and the service thread
 * is in a handler: it looks for the names between two handlers, once a second. */
static void
lose_for_certain (Service *service, GstHarness *sink)
{
  guint64 before = element_stat (sink->element, "num-consumers");
  DatahubConsumer *first = attach_idle (), *second = attach_idle ();
  gint64 since;
  UNTIL (element_stat (sink->element, "num-consumers") == before + 2);
  hold_service (service, first);
  sandbox_remove_files (NULL);
  since = g_get_monotonic_time ();
  UNTIL (g_get_monotonic_time () - since > G_USEC_PER_SEC);
  let_service_go_on (service);
  hold_service (service, second);
}

/* One consumer leaves while the end of another one in the old block is reported. */
GST_START_TEST (each_end_in_the_old_block_is_reported)
{
  GstHarness *sink = number_sink ("");
  DatahubConsumer *one;
  Service service;
  service_init (&service, sink);
  push_number (sink, 0);
  one = attach_idle ();
  service.last = attach_idle ();
  UNTIL (element_stat (sink->element, "num-consumers") == 2);
  lose_for_certain (&service, sink);
  push_number (sink, 1);
  fail_unless (is_renewed (sink));
  datahub_consumer_close (one);
  let_service_go_on (&service);
  UNTIL (g_atomic_int_get (&service.removed) == 4);
  UNTIL (element_stat (sink->element, "num-consumers") == 0);
  gst_harness_teardown (sink);
  service_clear (&service);
}
GST_END_TEST;

static gpointer
push_first (gpointer sink)
{
  push_number (sink, 0);
  return NULL;
}

/* They could not find the block that the sink had when it began to wait. */
GST_START_TEST (consumers_that_are_waited_for_can_come)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1"), *src;
  GThread *thread = g_thread_new ("first", push_first, sink);
  UNTIL (has_entry (NULL));
  sandbox_remove_files (NULL);
  UNTIL (is_renewed (sink));
  src = harness_src ("");
  fail_unless_equals_int (take_number (src, NULL), 0);
  g_thread_join (thread);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static void
push_nal (GstHarness *sink, guint8 type, guint flags)
{
  const guint8 bytes[] = { 0, 0, 0, 1, type, 0x88 };
  GstBuffer *buffer = gst_buffer_new_memdup (bytes, sizeof bytes);
  GST_BUFFER_FLAG_SET (buffer, flags);
  fail_unless_equals_int (gst_harness_push (sink, buffer), GST_FLOW_OK);
}

/* Parameters wait for their picture, which is the first buffer for the next block. */
GST_START_TEST (the_next_block_begins_with_its_description)
{
  GstHarness *sink = harness_sink ("");
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  DatahubView view;
  Service service;
  service_init (&service, sink);
  gst_harness_set_src_caps_str (sink,
      "video/x-h264, stream-format=byte-stream, alignment=nal");
  push_nal (sink, 0x65, 0);
  push_nal (sink, 0x67, GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_HEADER);
  lose_for_certain (&service, sink);
  push_nal (sink, 0x65, 0);
  fail_unless (is_renewed (sink));
  let_service_go_on (&service);
  datahub_consumer_options_init (&options);
  options.start = DATAHUB_START_OLDEST;
  fail_unless_equals_int (datahub_consumer_attach ("test", &options, &consumer,
                              NULL),
      DATAHUB_OK);
  fail_unless_equals_int (datahub_consumer_begin_read (consumer,
                              30 * GST_SECOND, &view, NULL),
      DATAHUB_OK);
  fail_unless_equals_int (view.type, DATAHUB_RECORD_STREAM_START);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  gst_harness_teardown (sink);
  service_clear (&service);
}
GST_END_TEST;

/* Another producer has the name: it keeps it, and there is one warning. */
GST_START_TEST (a_name_that_was_taken_is_left)
{
  GstHarness *sink = number_sink ("wait-for-consumers=1"), *src, *other, *late;
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  DatahubConsumer *consumer;
  Service service;
  g_autoptr (GError) error = NULL;
  service_init (&service, sink);
  gst_element_set_bus (sink->element, bus);
  src = harness_src ("start-at=oldest");
  push_number (sink, 0);
  fail_unless_equals_int (take_number (src, NULL), 0);
  UNTIL (element_stat (sink->element, "num-consumers") == 1);
  consumer = attach_idle ();
  UNTIL (element_stat (sink->element, "num-consumers") == 2);
  /* or else it may link the name again before the other one has it */
  hold_service (&service, consumer);
  sandbox_remove_files ("-test");
  other = number_sink ("");
  push_number (other, 100);
  let_service_go_on (&service);
  message = wait_message (sink->element, GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_BUSY));
  gst_message_unref (message);
  late = harness_src ("start-at=oldest");
  fail_unless_equals_int (take_number (late, NULL), 100);
  push_number (sink, 1);
  fail_unless_equals_int (take_number (src, NULL), 1);
  gst_harness_teardown (late);
  gst_harness_teardown (other);
  gst_harness_teardown (src);
  gst_element_set_bus (sink->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (sink);
  service_clear (&service);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, all_names_are_mended);
  tcase_add_test (tc, a_part_is_mended);
  tcase_add_test (tc, no_end_for_a_consumer_that_would_end);
  tcase_add_test (tc, a_strict_block_is_mended);
  tcase_add_test (tc, an_entry_is_mended);
  tcase_add_test (tc, a_stop_right_behind);
  tcase_add_test (tc, a_name_that_was_taken_is_left);
  tcase_add_test (tc, a_source_goes_on_with_the_first_record);
  tcase_add_test (tc, each_end_in_the_old_block_is_reported);
  tcase_add_test (tc, consumers_that_are_waited_for_can_come);
  tcase_add_test (tc, the_next_block_begins_with_its_description);
}

SANDBOX_MAIN (lost_names)
