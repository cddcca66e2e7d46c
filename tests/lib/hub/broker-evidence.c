/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a broker finds out about consumers, and how long that may take it. */
#include "fixture.h"

#include "control/broker/evidence-private.h"

#include <signal.h>
#include <string.h>

#define MANY 30

static int
produce_strictly (const char *name)
{
  DatahubProducerOptions options;
  DatahubProducer *producer;
  DatahubError error;

  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  options.strict = true;
  if (datahub_producer_create (name, &options, &producer, &error)
      || datahub_producer_publish (producer, &error)) {
    fixture_say ("cannot produce: %s", error.message);
    return 1;
  }
  fixture_say ("%s", datahub_producer_get_uuid (producer));
  fixture_child_stay ();
  datahub_producer_close (producer);
  return 0;
}

/* A producer that stands still is waited for once, not for each consumer. */
static void
test_stopped_producer (void)
{
  Child *child = fixture_spawn ("produce-strictly", "cam0");
  g_autofree char *uuid = fixture_read_line (child);
  g_auto (ConsumersEvidence) all = { FALSE };

  fixture_stop (child);
  gint64 start = g_get_monotonic_time ();
  for (guint64 id = 0; id < MANY; id++)
    g_assert_cmpint (evidence_of_consumer (&all, "cam0", uuid, id), ==,
        EVIDENCE_UNKNOWN);
  g_assert_cmpint (fixture_ms_since (start), <, MANY * 100 / 2);
  fixture_signal (child, SIGCONT);
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

/* Who is there is alive, others are not, and those of another block neither. */
static void
test_who_is_there (void)
{
  Child *child = fixture_spawn ("produce-strictly", "cam0");
  g_autofree char *uuid = fixture_read_line (child);
  g_auto (ConsumersEvidence) all = { FALSE };
  g_auto (ConsumersEvidence) others = { FALSE };
  DatahubConsumer *consumer = NULL;
  DatahubConsumerInfo info;
  DatahubError error;
  guint32 n = 0;

  g_assert_cmpint (datahub_consumer_attach ("cam0", NULL, &consumer, &error),
      ==, DATAHUB_OK);
  g_assert_cmpint (datahub_block_inspect_consumers ("cam0", &info, 1, &n,
                       &error),
      ==, DATAHUB_OK);
  g_assert_cmpint (n, ==, 1);
  g_assert_cmpint (evidence_of_consumer (&all, "cam0", uuid, info.id), ==,
      EVIDENCE_ALIVE);
  g_assert_cmpint (evidence_of_consumer (&all, "cam0", uuid, info.id + 256), ==,
      EVIDENCE_GONE);
  g_assert_cmpint (evidence_of_consumer (&others, "cam0", UUID_A, info.id), ==,
      EVIDENCE_GONE);
  datahub_consumer_close (consumer);
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

static void
add_tests (void)
{
  fixture_add ("/evidence/stopped-producer", test_stopped_producer);
  fixture_add ("/evidence/who-is-there", test_who_is_there);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("produce-strictly", produce_strictly);
  return fixture_main (&argc, &argv, add_tests);
}
