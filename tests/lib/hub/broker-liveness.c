/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is gone, by the kernel's word: killed, stopped and restarted producers,
 * with real blocks in shared memory. */
#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int
produce (const char *name)
{
  return fixture_produce (name, true);
}

/* Leaves a dead one's block to its end. */
static int
produce_anew (const char *name)
{
  return fixture_produce (name, false);
}

/* Has shared memory of its own, as in a container. */
static int
produce_elsewhere (const char *name)
{
  g_autofree char *shm =
      g_build_filename (datahub_shm_directory (), "elsewhere", NULL);

  g_mkdir (shm, 0700);
  g_setenv ("DATAHUB_SHM_DIR", shm, TRUE);
  return fixture_produce (name, true);
}

typedef struct
{
  int added, removed, joined, left;
  char *reason, *uuid;
} Heard;

static void
block_added (DatahubHub *hub, DatahubHubBlock *block, gpointer user_data)
{
  Heard *heard = user_data;

  heard->added++;
  g_free (heard->uuid);
  heard->uuid = g_strdup (datahub_hub_block_get_uuid (block));
}

static void
block_removed (DatahubHub *hub, DatahubHubBlock *block, const char *reason,
    gpointer user_data)
{
  Heard *heard = user_data;

  heard->removed++;
  g_free (heard->reason);
  heard->reason = g_strdup (reason);
}

static void
consumer_added (DatahubHub *hub, const char *name, guint64 id,
    const char *label, gpointer user_data)
{
  ((Heard *) user_data)->joined++;
}

static void
consumer_removed (DatahubHub *hub, const char *name, guint64 id,
    const char *label, const char *reason, gpointer user_data)
{
  Heard *heard = user_data;

  heard->left++;
  g_free (heard->reason);
  heard->reason = g_strdup (reason);
}

static DatahubHub *
listen (Heard *heard)
{
  DatahubHub *hub = fixture_hub (DATAHUB_HUB_MONITOR);

  g_signal_connect (hub, "block-added::cam0", G_CALLBACK (block_added), heard);
  g_signal_connect (hub, "block-removed::cam0", G_CALLBACK (block_removed),
      heard);
  g_signal_connect (hub, "consumer-added::cam0", G_CALLBACK (consumer_added),
      heard);
  g_signal_connect (hub, "consumer-removed::cam0",
      G_CALLBACK (consumer_removed), heard);
  datahub_hub_subscribe (hub, "cam0");
  fixture_round_trip (hub);
  return hub;
}

/* A broker, a listener, and a producer of "cam0" that both know. */
typedef struct
{
  Heard heard;
  DatahubBroker *broker;
  DatahubHub *hub;
  Child *producer;
} Scene;

static Scene *
scene_begin_with (const char *role)
{
  Scene *s = g_new0 (Scene, 1);

  s->broker = fixture_broker (NULL);
  s->hub = listen (&s->heard);
  s->producer = fixture_spawn_ready (role, "cam0", "uuid");
  fixture_wait_until (s->heard.added == 1);
  return s;
}

static Scene *
scene_begin (void)
{
  return scene_begin_with ("produce");
}

static void
scene_end (Scene *s)
{
  g_object_unref (s->hub);
  g_object_unref (s->broker);
  g_free (s->heard.reason);
  g_free (s->heard.uuid);
  g_free (s);
}

/* The producer leaves in peace, and everybody hears of it. */
static void
scene_close (Scene *s)
{
  int removed = s->heard.removed;

  g_assert_cmpint (fixture_reap (s->producer), ==, 0);
  fixture_wait_until (s->heard.removed == removed + 1);
  scene_end (s);
}

static void
test_killed (void)
{
  Scene *s = scene_begin ();

  gint64 started = g_get_monotonic_time ();
  fixture_signal (s->producer, SIGKILL);
  fixture_wait_until (s->heard.removed == 1);
  g_assert_cmpstr (s->heard.reason, ==, "lost");
  g_assert_cmpint (fixture_ms_since (started), <, 2000);
  g_assert_cmpint (fixture_reap (s->producer), ==, -1);
  scene_end (s);
}

static void
test_closed (void)
{
  Scene *s = scene_begin ();

  g_assert_cmpint (fixture_reap (s->producer), ==, 0);
  fixture_wait_until (s->heard.removed == 1);
  g_assert_cmpstr (s->heard.reason, ==, "closed");
  scene_end (s);
}

static gboolean
is_stalled (DatahubHub *hub)
{
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, "cam0", 0, NULL, NULL);

  g_assert_nonnull (block);
  return datahub_hub_block_is_stalled (block);
}

/* Silence is no death: the kernel still holds its lock. */
static void
test_stopped (void)
{
  Scene *s = scene_begin ();

  fixture_stop (s->producer);
  fixture_wait_until (is_stalled (s->hub));
  g_assert_cmpint (s->heard.removed, ==, 0);
  fixture_signal (s->producer, SIGCONT);
  fixture_wait_until (!is_stalled (s->hub));
  g_assert_cmpint (s->heard.removed, ==, 0);
  scene_close (s);
}

/* The broker cannot see the block: a name that is not there is no evidence. */
static void
test_stopped_elsewhere (void)
{
  Scene *s = scene_begin_with ("produce-elsewhere");

  fixture_stop (s->producer);
  fixture_wait_until (is_stalled (s->hub));
  g_assert_cmpint (s->heard.removed, ==, 0);
  fixture_signal (s->producer, SIGCONT);
  fixture_wait_until (!is_stalled (s->hub));
  g_assert_cmpint (s->heard.removed, ==, 0);
  scene_close (s);
}

/* A producer that comes back under its name replaces what it left. */
static void
test_restarted (void)
{
  Scene *s = scene_begin ();

  g_autofree char *before = g_strdup (s->heard.uuid);
  fixture_kill (s->producer);
  Child *second = fixture_spawn_ready ("produce-anew", "cam0", "uuid");
  fixture_wait_until (s->heard.added == 2);
  g_assert_cmpint (s->heard.removed, ==, 1);
  g_assert_cmpstr (s->heard.uuid, !=, before);
  g_assert_cmpint (fixture_reap (second), ==, 0);
  scene_end (s);
}

/* One that adopts the block registers it again under the same uuid. Whether the
 * broker saw the lock free in between is a matter of milliseconds. */
static void
test_adopted (void)
{
  Scene *s = scene_begin ();

  g_autofree char *before = g_strdup (s->heard.uuid);
  fixture_kill (s->producer);
  Child *second = fixture_spawn_ready ("produce", "cam0", "uuid");
  fixture_wait_until (s->heard.added == 2);
  g_assert_cmpint (s->heard.removed, <=, 1);
  g_assert_cmpstr (s->heard.uuid, ==, before);
  s->producer = second;
  scene_close (s);
}

static int
find_owner (DatahubHub *hub, guint *n_consumers)
{
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, "cam0", 0, NULL, NULL);

  *n_consumers = block ? datahub_hub_block_get_n_consumers (block) : 0;
  return block ? datahub_hub_block_get_pid (block) : 0;
}

static gboolean
is_owner (DatahubHub *hub, int pid, guint n_consumers)
{
  guint n;

  return find_owner (hub, &n) == pid && n == n_consumers;
}

/* The entry goes to the process that adopted the block, with all who joined; the end of
 * the client that had it before takes nothing away. */
static void
test_handed_over (void)
{
  Scene *s = scene_begin ();
  Child *consumer = fixture_spawn ("consume", "cam0");
  int removed;

  fixture_wait_until (s->heard.joined == 1);
  fixture_kill (s->producer);
  s->producer = fixture_spawn_ready ("produce", "cam0", "uuid");
  fixture_wait_until (is_owner (s->hub, s->producer->pid, 1));
  /* the broker may have seen the lock free before, which is signalled first */
  fixture_wait_until (s->heard.added == 2);
  removed = s->heard.removed;
  g_assert_cmpint (removed, <=, 1);
  g_assert_cmpint (fixture_reap (s->producer), ==, 0);
  fixture_wait_until (s->heard.removed == removed + 1);
  g_assert_cmpstr (s->heard.reason, ==, "closed");
  g_assert_cmpint (fixture_reap (consumer), ==, 0);
  scene_end (s);
}

/* Another client of this user that repeats the uuid has the entry, with all who joined,
 * until the owner of the block speaks: that one is told, and registers again. */
static void
test_taken_and_back (void)
{
  Scene *s = scene_begin ();
  g_autoptr (DatahubHub) heir = fixture_hub (DATAHUB_HUB_DEFAULT);
  Child *consumer = fixture_spawn ("consume", "cam0");

  fixture_wait_until (s->heard.joined == 1);
  fixture_stop (s->producer);
  g_autoptr (GError) error = NULL;
  g_autofree char *request =
      g_strdup_printf ("{\"name\":\"cam0\",\"uuid\":\"%s\"}", s->heard.uuid);
  g_autofree char *answer = datahub_hub_request (heir, "register", request,
      30 * SECONDS, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (answer);
  g_assert_true (is_owner (s->hub, (int) getpid (), 1));
  fixture_signal (s->producer, SIGCONT);
  fixture_wait_until (is_owner (s->hub, s->producer->pid, 1));
  g_assert_cmpint (s->heard.removed, ==, 0);
  g_assert_cmpint (s->heard.left, ==, 0);
  g_assert_cmpint (fixture_reap (consumer), ==, 0);
  scene_close (s);
}

/* While its predecessor is stopped, not dead, nobody takes the name. */
static void
test_stopped_keeps_name (void)
{
  Scene *s = scene_begin ();
  g_autoptr (DatahubHub) rival = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (GError) error = NULL;

  fixture_stop (s->producer);
  fixture_wait_until (is_stalled (s->hub));
  g_autofree char *answer = datahub_hub_request (rival, "register",
      "{\"name\":\"cam0\",\"uuid\":\"" UUID_B "\"}", 30 * SECONDS, NULL,
      &error);
  g_assert_null (answer);
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY);
  g_autofree char *pid = g_strdup_printf ("pid %d", s->producer->pid);
  g_assert_nonnull (strstr (error->message, pid));
  fixture_kill (s->producer);
  scene_end (s);
}

static void
test_consumer_killed (void)
{
  Scene *s = scene_begin ();

  Child *consumer = fixture_spawn ("consume", "cam0");
  fixture_wait_until (s->heard.joined == 1);
  fixture_signal (consumer, SIGKILL);
  fixture_wait_until (s->heard.left == 1);
  g_assert_cmpstr (s->heard.reason, ==, "lost");
  g_assert_cmpint (s->heard.removed, ==, 0);
  g_assert_cmpint (fixture_reap (consumer), ==, -1);

  consumer = fixture_spawn ("consume", "cam0");
  fixture_wait_until (s->heard.joined == 2);
  g_assert_cmpint (fixture_reap (consumer), ==, 0);
  fixture_wait_until (s->heard.left == 2);
  g_assert_cmpstr (s->heard.reason, ==, "left");
  scene_close (s);
}

/* A stopped consumer is still a consumer. */
static void
test_consumer_stopped (void)
{
  Scene *s = scene_begin ();

  Child *consumer = fixture_spawn ("consume", "cam0");
  fixture_wait_until (s->heard.joined == 1);
  fixture_stop (consumer);
  /* Long enough for it to miss its heartbeats: the producer is made to miss
   * them too, and that can be asked for. */
  fixture_stop (s->producer);
  fixture_wait_until (is_stalled (s->hub));
  g_assert_cmpint (s->heard.left, ==, 0);
  fixture_signal (s->producer, SIGCONT);
  fixture_signal (consumer, SIGCONT);
  fixture_wait_until (!is_stalled (s->hub));
  g_assert_cmpint (fixture_reap (consumer), ==, 0);
  scene_close (s);
}

static void
add_tests (void)
{
  fixture_add ("/broker/liveness/killed", test_killed);
  fixture_add ("/broker/liveness/closed", test_closed);
  fixture_add ("/broker/liveness/stopped", test_stopped);
  fixture_add ("/broker/liveness/stopped-elsewhere", test_stopped_elsewhere);
  fixture_add ("/broker/liveness/restarted", test_restarted);
  fixture_add ("/broker/liveness/adopted", test_adopted);
  fixture_add ("/broker/liveness/handed-over", test_handed_over);
  fixture_add ("/broker/liveness/taken-and-back", test_taken_and_back);
  fixture_add ("/broker/liveness/stopped-keeps-name", test_stopped_keeps_name);
  fixture_add ("/broker/liveness/consumer-killed", test_consumer_killed);
  fixture_add ("/broker/liveness/consumer-stopped", test_consumer_stopped);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("produce", produce);
  fixture_add_role ("produce-anew", produce_anew);
  fixture_add_role ("produce-elsewhere", produce_elsewhere);
  fixture_add_role ("consume", fixture_consume);
  return fixture_main (&argc, &argv, add_tests);
}
