/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a broker finds out about consumers, and how long that may take it. */
#include "fixture.h"

#include "control/broker/evidence-private.h"

#include <signal.h>
#include <string.h>

#define INSTANCE_A "00112233445566778899aabbccddeeff"
#define INSTANCE_B "ffeeddccbbaa99887766554433221100"
#define MANY 30
#define PATIENCE (30 * SECONDS)

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
  g_auto (ConsumersEvidence) all = { EVIDENCE_GONE };

  fixture_stop (child);
  gint64 start = g_get_monotonic_time ();
  consumers_evidence_ask (&all, "cam0", uuid);
  for (guint64 id = 0; id < MANY; id++)
    g_assert_cmpint (consumers_evidence_of (&all, id), ==, EVIDENCE_UNKNOWN);
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
  g_auto (ConsumersEvidence) all = { EVIDENCE_GONE };
  g_auto (ConsumersEvidence) others = { EVIDENCE_UNKNOWN };
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
  consumers_evidence_ask (&all, "cam0", uuid);
  consumers_evidence_ask (&others, "cam0", UUID_A);
  g_assert_cmpint (consumers_evidence_of (&all, info.id), ==, EVIDENCE_ALIVE);
  g_assert_cmpint (consumers_evidence_of (&all, info.id + 256), ==,
      EVIDENCE_GONE);
  g_assert_cmpint (consumers_evidence_of (&others, info.id), ==, EVIDENCE_GONE);
  datahub_consumer_close (consumer);
  g_assert_cmpint (fixture_reap (child), ==, 0);
}

static void
expect_state (Raw *raw, const char *memory, const char *state)
{
  json_t *fields = json_pack ("{s:s, s:s}", "name", "cam0", "uuid", UUID_A);

  if (memory)
    json_object_set_new (fields, "memory", json_string (memory));
  raw_expect_ok (raw, "register", fields);
  json_t *answer =
      raw_request (raw, "find", json_pack ("{s:s}", "name", "cam0"));
  g_assert_cmpstr (json_string_value (json_object_get (answer, "state")), ==,
      state);
  json_t *block = json_object_get (answer, "block");
  g_assert_cmpint (json_is_true (json_object_get (block, "absent")), ==,
      strcmp (state, "unknown") == 0);
  json_decref (answer);
}

/* A block that is registered and does not exist. The broker looks for it if the owner
 * is of this user and has the same shared memory; of another one nothing is known. */
static void
test_absent (void)
{
  g_autofree char *own = evidence_memory ();
  g_autofree char *host = evidence_host ();
  g_autofree char *tcp = NULL;
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED =
      fixture_broker_at (NULL, "tcp://127.0.0.1:*", &tcp);
  Raw *here = raw_own (), *elsewhere = raw_own_at (tcp);

  raw_hello (here, INSTANCE_A);
  expect_state (here, own, "unknown");
  expect_state (here, "1:2", "ready");
  expect_state (here, NULL, "ready");
  raw_expect_error (here, "register",
      json_pack ("{s:s, s:s, s:i}", "name", "cam0", "uuid", UUID_A, "memory",
          1),
      "protocol");
  raw_expect_ok (here, "bye", NULL);
  /* the host that it names does not count */
  raw_hello_from (elsewhere, INSTANCE_B, host);
  expect_state (elsewhere, own, "ready");
  raw_free (elsewhere);
  raw_free (here);
}

/* A hub that registers a block before it is published: it is there from then on. */
static void
test_published_late (void)
{
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  g_autoptr (GError) problem = NULL;
  DatahubProducerOptions options;
  DatahubProducer *producer;
  DatahubError error;

  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  g_assert_cmpint (datahub_producer_create ("cam0", &options, &producer,
                       &error),
      ==, DATAHUB_OK);
  datahub_hub_register_block (hub, "cam0", datahub_producer_get_uuid (producer),
      NULL, NULL, DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) before =
      datahub_hub_find (hub, "cam0", PATIENCE, NULL, &problem);
  g_assert_no_error (problem);
  g_assert_true (datahub_hub_block_is_absent (before));
  g_assert_cmpint (datahub_producer_publish (producer, &error), ==, DATAHUB_OK);
  g_autoptr (DatahubHubBlock) after =
      datahub_hub_find (hub, "cam0", PATIENCE, NULL, &problem);
  g_assert_no_error (problem);
  g_assert_false (datahub_hub_block_is_absent (after));
  datahub_producer_close (producer);
}

static void
add_tests (void)
{
  fixture_add ("/evidence/absent", test_absent);
  fixture_add ("/evidence/published-late", test_published_late);
  fixture_add ("/evidence/stopped-producer", test_stopped_producer);
  fixture_add ("/evidence/who-is-there", test_who_is_there);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("produce-strictly", produce_strictly);
  return fixture_main (&argc, &argv, add_tests);
}
