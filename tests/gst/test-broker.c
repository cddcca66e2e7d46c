/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a broker knows of the elements of a process. */
#include "child.h"
#include "sandbox.h"
#include "until.h"

#include <datahub/datahub.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE (20 * GST_SECOND)

typedef struct
{
  GMutex lock; /* guards the rest */
  GCond changed;
  gchar *last; /* owned; the last that was heard */
} Heard;

static void
hear (Heard *heard, gchar *what)
{
  g_mutex_lock (&heard->lock);
  g_free (heard->last);
  heard->last = what;
  g_cond_broadcast (&heard->changed);
  g_mutex_unlock (&heard->lock);
}

/* The hub's thread. */
static void
on_added (DatahubHub *hub, const gchar *name, guint64 id, const gchar *label,
    Heard *heard)
{
  hear (heard, g_strdup_printf ("+%s/%s", name, label));
}

/* The hub's thread. */
static void
on_removed (DatahubHub *hub, const gchar *name, guint64 id, const gchar *label,
    const gchar *reason, Heard *heard)
{
  hear (heard, g_strdup_printf ("-%s/%s %s", name, label, reason));
}

static void
expect (Heard *heard, const gchar *what)
{
  gint64 end = g_get_monotonic_time () + PATIENCE / GST_USECOND;
  g_mutex_lock (&heard->lock);
  while (g_strcmp0 (heard->last, what) != 0)
    fail_unless (g_cond_wait_until (&heard->changed, &heard->lock, end),
        "%s was heard, not %s", heard->last, what);
  g_mutex_unlock (&heard->lock);
}

static DatahubHub *
listen (Heard *heard)
{
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  g_signal_connect (hub, "consumer-added", G_CALLBACK (on_added), heard);
  g_signal_connect (hub, "consumer-removed", G_CALLBACK (on_removed), heard);
  datahub_hub_subscribe (hub, "*");
  fail_unless (datahub_hub_connect_to (hub, "auto", NULL, NULL, NULL));
  fail_unless (datahub_hub_wait_connected (hub, PATIENCE, NULL, NULL));
  return hub;
}

static guint
count_consumers (DatahubHub *hub)
{
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, "cam0", PATIENCE, NULL, NULL);
  fail_unless (block != NULL);
  return datahub_hub_block_get_n_consumers (block);
}

GST_START_TEST (consumers_are_told_to_who_listens)
{
  Heard heard = { .last = NULL };
  DatahubHub *hub = listen (&heard);
  Child *writer = child_start ("videotestsrc is-live=true ! "
                               "video/x-raw,width=64,height=64 ! "
                               "datahubsink datablock=cam0 broker=auto");
  Child *one = child_start ("datahubsrc datablock=cam0 consumer-name=one "
                            "broker=none ! fakesink name=show");
  Child *two;
  child_expect (one, "buffer show");
  expect (&heard, "+cam0/one");
  two = child_start ("datahubsrc datablock=cam0 consumer-name=two "
                     "broker=auto ! fakesink name=show");
  child_expect (two, "buffer show");
  expect (&heard, "+cam0/two");
  fail_unless_equals_int (count_consumers (hub), 2);
  child_signal (one, SIGINT);
  fail_unless_equals_int (child_end (one), 0);
  expect (&heard, "-cam0/one left");
  child_signal (two, SIGKILL);
  child_end (two);
  expect (&heard, "-cam0/two died");
  fail_unless_equals_int (count_consumers (hub), 0);
  child_signal (writer, SIGINT);
  fail_unless_equals_int (child_end (writer), 0);
  g_object_unref (hub);
  g_free (heard.last);
}
GST_END_TEST;

static int
find_broker (void)
{
  gboolean stopped;
  g_autofree gchar *where = datahub_hub_describe_broker ("auto", &stopped);
  const gchar *process = strstr (where, "process ");
  fail_unless (process != NULL, "%s", where);
  return atoi (process + strlen ("process "));
}

static void
mark_found (DatahubHub *hub, const gchar *endpoint, gint *found)
{
  g_atomic_int_inc (found);
}

/* The broker's process is killed at each hundredth buffer, and the next one is there
 * before the stream goes on. */
GST_START_TEST (a_killed_broker_takes_no_buffer)
{
  enum
  {
    KILLS = 3,
    BETWEEN = 100
  };
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  gint found = 0;
  Child *reader, *writer;
  g_signal_connect (hub, "broker-found", G_CALLBACK (mark_found), &found);
  fail_unless (datahub_hub_connect_to (hub, "auto", NULL, NULL, NULL));
  reader = child_consumer ("broker=auto delivery=reliable");
  writer =
      child_start ("videotestsrc num-buffers=%d is-live=true ! video/x-raw,"
                   "width=64,height=64,framerate=200/1 ! datahubsink "
                   "datablock=cam0 broker=auto wait-for-consumers=1",
          (KILLS + 1) * BETWEEN);
  for (gint i = 0; i < KILLS; i++) {
    child_take_buffers (reader, BETWEEN);
    UNTIL (g_atomic_int_get (&found) > i);
    fail_unless (kill (find_broker (), SIGKILL) == 0);
  }
  UNTIL (g_atomic_int_get (&found) > KILLS);
  fail_unless_equals_int (child_count_buffers (reader), BETWEEN);
  fail_unless_equals_int (child_end (reader), 0);
  fail_unless_equals_int (child_end (writer), 0);
  g_object_unref (hub);
}
GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_test (tc, a_killed_broker_takes_no_buffer);
  tcase_add_test (tc, consumers_are_told_to_who_listens);
}

SANDBOX_MAIN (broker)
