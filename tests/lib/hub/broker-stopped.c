/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes with many strict blocks that are stopped: the broker looks at all of them,
 * and its other clients do not notice. */
#include "fixture.h"

#include "common/speed.h"

#include <signal.h>
#include <string.h>

#define MANY 20
#define ATTEMPTS 3
#define WORST_US (250 * G_TIME_SPAN_MILLISECOND)
#define LOST_US (2 * G_USEC_PER_SEC)
#define INSTANCE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static DatahubHub *
connect_hub (void)
{
  DatahubHub *hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);

  if (!datahub_hub_connect_to (hub, NULL, NULL, NULL, NULL)
      || !datahub_hub_wait_connected (hub, 30 * SECONDS, NULL, NULL))
    _exit (97);
  return hub;
}

static int
produce_many (const char *prefix)
{
  DatahubProducer *producers[MANY];
  DatahubHub *hub = connect_hub ();
  DatahubProducerOptions options;
  DatahubError error;

  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  options.strict = true;
  for (int i = 0; i < MANY; i++) {
    g_autofree char *name = g_strdup_printf ("%s%d", prefix, i);
    if (datahub_producer_create (name, &options, &producers[i], &error)
        || datahub_producer_publish (producers[i], &error)) {
      fixture_say ("cannot produce: %s", error.message);
      return 1;
    }
    datahub_hub_register_block (hub, name,
        datahub_producer_get_uuid (producers[i]), NULL, NULL,
        DATAHUB_REGISTER_DEFAULT);
  }
  fixture_round_trip (hub);
  fixture_say ("registered");
  fixture_child_stay ();
  return 0;
}

static int
consume_many (const char *prefix)
{
  DatahubHub *hub = connect_hub ();
  DatahubConsumer *consumer;
  DatahubConsumerInfo row;
  DatahubError error;
  uint32_t n;

  for (int i = 0; i < MANY; i++) {
    g_autofree char *name = g_strdup_printf ("%s%d", prefix, i);
    if (datahub_consumer_attach (name, NULL, &consumer, &error)
        || datahub_block_inspect_consumers (name, &row, 1, &n, &error)) {
      fixture_say ("cannot consume: %s", error.message);
      return 1;
    }
    datahub_hub_consumer_joined (hub, name,
        datahub_consumer_get_uuid (consumer), row.id, "preview");
  }
  fixture_round_trip (hub);
  fixture_say ("joined");
  fixture_child_stay ();
  return 0;
}

/* Asks until the broker has done @n looks. Returns the longest time of an answer. */
static gint64
ask_during_looks (Raw *raw, gint64 n)
{
  gint64 worst_us = 0, looks = 0, start_us = fixture_wait_begin ();

  while (looks < n) {
    gint64 asked_us = g_get_monotonic_time ();
    looks = raw_stat (raw, "looks");
    worst_us = MAX (worst_us, g_get_monotonic_time () - asked_us);
    fixture_wait_step (start_us, "looks at all blocks");
  }
  return worst_us;
}

static void
test_others_are_served (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  Raw *raw = raw_own ();
  Child *producers = fixture_spawn_ready ("produce-many", "s", "registered");
  Child *consumers = fixture_spawn_ready ("consume-many", "s", "joined");
  Child *producer = fixture_spawn_ready ("produce", "cam0", "uuid");
  Child *consumer = fixture_spawn_ready ("consume", "cam0", "joined");
  int lost_broker = 0, lost_consumer = 0;
  gboolean served = FALSE;
  gint64 worst_us, start_us;

  g_signal_connect_swapped (hub, "broker-lost", G_CALLBACK (g_atomic_int_inc),
      &lost_broker);
  g_signal_connect_swapped (hub, "consumer-removed::cam0",
      G_CALLBACK (g_atomic_int_inc), &lost_consumer);
  datahub_hub_subscribe (hub, "cam0");
  fixture_round_trip (hub);
  raw_hello (raw, INSTANCE);
  fixture_stop (consumers);
  fixture_stop (producers);
  /* a pause of the machine is not the broker's */
  for (int i = 1; i <= ATTEMPTS && !served; i++) {
    /* at each block and its consumers, some of them twice */
    worst_us = ask_during_looks (raw, i * 3 * MANY);
    g_test_message ("worst answer %" G_GINT64_FORMAT " us", worst_us);
    served = !speed_is_over ((uint64_t) worst_us, WORST_US);
  }
  g_assert_true (served);

  start_us = g_get_monotonic_time ();
  fixture_kill (consumer);
  fixture_wait_until (lost_consumer == 1);
  g_assert_false (speed_is_over ((uint64_t) (g_get_monotonic_time ()
                                     - start_us),
      LOST_US));
  g_assert_cmpint (lost_broker, ==, 0);
  fixture_kill (producers);
  fixture_kill (consumers);
  g_assert_cmpint (fixture_reap (producer), ==, 0);
  raw_free (raw);
}

static int
produce (const char *name)
{
  return fixture_produce (name, TRUE);
}

static void
add_tests (void)
{
  fixture_add ("/broker/stopped/others-are-served", test_others_are_served);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("produce-many", produce_many);
  fixture_add_role ("consume-many", consume_many);
  fixture_add_role ("produce", produce);
  fixture_add_role ("consume", fixture_consume);
  return fixture_main (&argc, &argv, add_tests);
}
