/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hub tells, to whom, and in which thread. */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

typedef struct
{
  int added, removed, joined, left, notified, refused, found;
  char *text, *reason;
  GThread *thread;
} Heard;

static void
remember (char **where, const char *text)
{
  g_free (*where);
  *where = g_strdup (text);
}

static void
block_added (DatahubHub *hub, DatahubHubBlock *block, Heard *heard)
{
  heard->added++;
  heard->thread = g_thread_self ();
  remember (&heard->text, datahub_hub_block_get_name (block));
}

static void
block_removed (DatahubHub *hub, DatahubHubBlock *block, const char *reason,
    Heard *heard)
{
  heard->removed++;
  remember (&heard->reason, reason);
}

static void
consumer_added (DatahubHub *hub, const char *name, guint64 id,
    const char *label, Heard *heard)
{
  g_assert_cmpuint (id, ==, G_MAXUINT64 - 1);
  heard->joined++;
  remember (&heard->text, label);
}

static void
consumer_removed (DatahubHub *hub, const char *name, guint64 id,
    const char *label, const char *reason, Heard *heard)
{
  heard->left++;
  remember (&heard->reason, reason);
}

static void
notification (DatahubHub *hub, const char *name, const char *topic,
    const char *json, Heard *heard)
{
  heard->notified++;
  g_free (heard->text);
  heard->text = g_strconcat (name, " ", topic, " ", json, NULL);
}

static void
register_refused (DatahubHub *hub, const char *name, GError *error,
    Heard *heard)
{
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY);
  heard->refused++;
  remember (&heard->text, error->message);
}

static void
listen (DatahubHub *hub, Heard *heard)
{
  g_signal_connect (hub, "block-added", G_CALLBACK (block_added), heard);
  g_signal_connect (hub, "block-removed", G_CALLBACK (block_removed), heard);
  g_signal_connect (hub, "consumer-added", G_CALLBACK (consumer_added), heard);
  g_signal_connect (hub, "consumer-removed", G_CALLBACK (consumer_removed),
      heard);
  g_signal_connect (hub, "notification", G_CALLBACK (notification), heard);
  g_signal_connect (hub, "register-refused", G_CALLBACK (register_refused),
      heard);
}

static void
heard_clear (Heard *heard)
{
  g_free (heard->text);
  g_free (heard->reason);
}

static void
test_blocks (void)
{
  Heard heard = { 0 };
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);

  listen (hub, &heard);
  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.added == 1);
  g_assert_cmpstr (heard.text, ==, "cam0");
  g_assert_true (heard.thread == g_thread_self ());
  /* Another incarnation goes through both. */
  datahub_hub_register_block (producer, "cam0", UUID_B, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.added == 2);
  g_assert_cmpint (heard.removed, ==, 1);
  g_assert_cmpstr (heard.reason, ==, "replaced");
  /* A late unregister of the old one takes nothing away. */
  datahub_hub_unregister_block (producer, "cam0", UUID_A);
  datahub_hub_unregister_block (producer, "cam0", UUID_B);
  fixture_wait_until (heard.removed == 2);
  g_assert_cmpstr (heard.reason, ==, "closed");
  g_assert_cmpint (heard.added, ==, 2);
  heard_clear (&heard);
}

/* Who comes late hears of what is there already. */
static void
test_late_listener (void)
{
  Heard heard = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);

  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) block G_GNUC_UNUSED =
      datahub_hub_find (producer, "cam0", 10 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  listen (hub, &heard);
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, &error));
  fixture_wait_until (heard.added == 1);
  heard_clear (&heard);
}

/* A hub that ends takes its blocks with it at once. */
static void
test_hub_ends (void)
{
  Heard heard = { 0 };
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  DatahubHub *producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);

  listen (hub, &heard);
  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.added == 1);
  g_object_unref (producer);
  fixture_wait_until (heard.removed == 1);
  g_assert_cmpstr (heard.reason, ==, "closed");
  heard_clear (&heard);
}

static void
test_consumers (void)
{
  Heard heard = { 0 }, other = { 0 };
  const guint64 id = G_MAXUINT64 - 1;
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) consumer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) watcher = fixture_hub (DATAHUB_HUB_MONITOR);

  /* The producer need not subscribe to hear of its own consumers. */
  listen (producer, &heard);
  listen (watcher, &other);
  datahub_hub_subscribe (watcher, "cam*");
  fixture_round_trip (watcher);
  /* Told before the block is there, and kept until it is. */
  datahub_hub_consumer_joined (consumer, "cam0", UUID_A, id, "preview");
  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.joined == 1 && other.joined == 1);
  g_assert_cmpstr (heard.text, ==, "preview");
  datahub_hub_consumer_left (consumer, "cam0", UUID_A, id, "done");
  fixture_wait_until (heard.left == 1 && other.left == 1);
  g_assert_cmpstr (heard.reason, ==, "done");
  heard_clear (&heard);
  heard_clear (&other);
}

static void
test_notifications (void)
{
  Heard up = { 0 }, down = { 0 }, deaf = { 0 };
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) consumer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) bystander = fixture_hub (DATAHUB_HUB_DEFAULT);

  listen (producer, &up);
  listen (consumer, &down);
  listen (bystander, &deaf);
  datahub_hub_subscribe (consumer, "cam0");
  fixture_round_trip (consumer);
  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (down.added == 1 && deaf.added == 1);

  datahub_hub_send_notification (producer, "cam0", "caps",
      "{\"caps\":\"video/x-raw\"}");
  fixture_wait_until (down.notified == 1);
  g_assert_cmpstr (down.text, ==, "cam0 caps {\"caps\":\"video/x-raw\"}");
  datahub_hub_send_notification (consumer, "cam0", "force-key-unit", NULL);
  fixture_wait_until (up.notified == 1);
  g_assert_cmpstr (up.text, ==, "cam0 force-key-unit null");

  datahub_hub_unsubscribe (consumer, "cam0");
  datahub_hub_send_notification (producer, "cam0", "more", NULL);
  datahub_hub_unregister_block (producer, "cam0", UUID_A);
  fixture_wait_until (down.removed == 1 && deaf.removed == 1);
  g_assert_cmpint (deaf.notified, ==, 0);
  heard_clear (&up);
  heard_clear (&down);
  heard_clear (&deaf);
}

/* Two who listen in one process do not end each other's. */
static void
test_subscriptions_count (void)
{
  Heard heard = { 0 };
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) consumer = fixture_hub (DATAHUB_HUB_DEFAULT);

  listen (consumer, &heard);
  datahub_hub_subscribe (consumer, "cam0");
  datahub_hub_subscribe (consumer, "cam0");
  datahub_hub_unsubscribe (consumer, "cam0");
  fixture_round_trip (consumer);
  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.added == 1);
  datahub_hub_send_notification (producer, "cam0", "one", NULL);
  fixture_wait_until (heard.notified == 1);
  datahub_hub_unsubscribe (consumer, "cam0");
  datahub_hub_unsubscribe (consumer, "cam0"); /* one too many is nothing */
  fixture_round_trip (consumer);
  datahub_hub_send_notification (producer, "cam0", "two", NULL);
  datahub_hub_unregister_block (producer, "cam0", UUID_A);
  fixture_wait_until (heard.removed == 1);
  g_assert_cmpint (heard.notified, ==, 1);
  heard_clear (&heard);
}

/* A notice per buffer does not become a message per buffer. */
static void
test_data_ready (void)
{
  enum
  {
    N = 5000
  };
  Heard heard = { 0 };
  g_autofree char *last =
      g_strdup_printf ("cam0 data-ready {\"sequence\":%d}", N - 1);
  g_autoptr (DatahubHub) producer = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) consumer = fixture_hub (DATAHUB_HUB_DEFAULT);

  listen (consumer, &heard);
  datahub_hub_subscribe (consumer, "*");
  fixture_round_trip (consumer);
  datahub_hub_register_block (producer, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.added == 1);
  for (int i = 0; i < N; i++) {
    g_autofree char *json = g_strdup_printf ("{\"sequence\":%d}", i);
    datahub_hub_send_notification (producer, "cam0", "data-ready", json);
  }
  fixture_wait_until (g_strcmp0 (heard.text, last) == 0);
  g_assert_cmpint (heard.notified, <, N / 10);
  heard_clear (&heard);
}

static void
test_name_is_taken (void)
{
  Heard heard = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) first = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubHub) second = fixture_hub (DATAHUB_HUB_DEFAULT);

  listen (second, &heard);
  datahub_hub_register_block (first, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.added == 1);
  datahub_hub_register_block (second, "cam0", UUID_B, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (heard.refused == 1);
  g_assert_nonnull (strstr (heard.text, "already produces"));
  g_autofree char *pid = g_strdup_printf ("pid %d", getpid ());
  g_assert_nonnull (strstr (heard.text, pid));
  /* It is tried on, and told no second time. */
  datahub_hub_unregister_block (first, "cam0", UUID_A);
  fixture_wait_until (heard.added == 2);
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (first, "cam0", 0, NULL, &error);
  g_assert_cmpstr (datahub_hub_block_get_uuid (block), ==, UUID_B);
  g_assert_cmpint (heard.refused, ==, 1);
  heard_clear (&heard);
}

/* --- threads --- */

typedef struct
{
  GThread *thread;
  GError *error;
  int added; /* atomic */
} InThread;

static void
added_in_thread (DatahubHub *hub, DatahubHubBlock *block, InThread *in)
{
  in->thread = g_thread_self ();
  g_assert_null (datahub_hub_find (hub, "cam0", 0, NULL, &in->error));
  g_atomic_int_inc (&in->added);
}

/* For programs with no main loop: at once, in the hub's thread, where a call
 * that waits is refused instead of never ending. */
static void
test_thread_signals (void)
{
  InThread in = { 0 };
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);

  g_signal_connect (hub, "block-added", G_CALLBACK (added_in_thread), &in);
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL));
  datahub_hub_register_block (hub, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (g_atomic_int_get (&in.added) == 1);
  g_assert_true (in.thread != g_thread_self ());
  g_assert_error (in.error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS);
  g_clear_error (&in.error);
}

typedef struct
{
  GMainContext *context;
  GThread *thread;
  int added;
} OwnContext;

static void
added_in_context (DatahubHub *hub, DatahubHubBlock *block, OwnContext *own)
{
  own->thread = g_thread_self ();
  own->added++;
}

static gpointer
with_own_context (gpointer data)
{
  OwnContext *own = data;
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  g_main_context_push_thread_default (own->context);
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);
  g_signal_connect (hub, "block-added", G_CALLBACK (added_in_context), own);
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL));
  datahub_hub_register_block (hub, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  while (own->added == 0 && g_get_monotonic_time () < deadline)
    g_main_context_iteration (own->context, TRUE);
  g_main_context_pop_thread_default (own->context);
  return g_thread_self ();
}

static void
test_makers_context (void)
{
  OwnContext own = { .context = g_main_context_new () };
  GThread *thread = g_thread_new ("maker", with_own_context, &own);

  g_assert_true (g_thread_join (thread) == own.thread);
  g_assert_cmpint (own.added, ==, 1);
  g_main_context_unref (own.context);
}

static void
drop_hub (DatahubHub *hub, DatahubHubBlock *block, DatahubHub **held)
{
  g_clear_object (held);
}

/* The last reference may go in a handler in the hub's own thread. */
static void
test_unref_in_handler (void)
{
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  DatahubHub *weak = hub;

  g_object_add_weak_pointer (G_OBJECT (hub), (gpointer *) &weak);
  g_signal_connect (hub, "block-added", G_CALLBACK (drop_hub), &hub);
  g_assert_true (datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL));
  datahub_hub_register_block (weak, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  fixture_wait_until (g_atomic_pointer_get (&weak) == NULL);
}

static void
add_tests (void)
{
  fixture_add ("/hub/signals/blocks", test_blocks);
  fixture_add ("/hub/signals/late-listener", test_late_listener);
  fixture_add ("/hub/signals/hub-ends", test_hub_ends);
  fixture_add ("/hub/signals/consumers", test_consumers);
  fixture_add ("/hub/signals/notifications", test_notifications);
  fixture_add ("/hub/signals/data-ready", test_data_ready);
  fixture_add ("/hub/signals/subscriptions-count", test_subscriptions_count);
  fixture_add ("/hub/signals/name-is-taken", test_name_is_taken);
  fixture_add ("/hub/signals/thread-signals", test_thread_signals);
  fixture_add ("/hub/signals/makers-context", test_makers_context);
  fixture_add ("/hub/signals/unref-in-handler", test_unref_in_handler);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
