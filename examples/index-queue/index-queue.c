/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers from one process to another through a queue of two indices:
 *
 *   index-queue send NAME COUNT
 *   index-queue receive NAME COUNT
 *
 * The sender makes the block and waits for the receiver to have it all. The exit
 * status is 0 when all went well. */
#include "queue.h"

#include <datahub/core.h>

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define ZONE_SIZE 4096
#define PATIENCE_NS INT64_C (10000000000)

static DatahubError error;

static int
fail (const char *what)
{
  fprintf (stderr, "%s: %s\n", what, error.message);
  return 1;
}

static int
send_all (const char *name, uint64_t count)
{
  DatahubProducerOptions options;
  DatahubProducer *producer;
  DatahubIndices indices;
  Queue queue;
  uint64_t size;
  void *zone;
  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  options.slots = 4;
  options.shared_zone_size = ZONE_SIZE;
  if (datahub_producer_create (name, &options, &producer, &error) != DATAHUB_OK)
    return fail ("create");
  if (datahub_producer_publish (producer, &error) != DATAHUB_OK)
    return fail ("publish");
  if (datahub_producer_wait_consumers (producer, 1, PATIENCE_NS) != DATAHUB_OK)
    return fail ("no consumer attached");
  zone = datahub_producer_get_shared_zone (producer, &size);
  if (!queue_open (&queue, zone, size, sizeof (uint64_t)))
    return fail ("the shared zone is too small");
  for (uint64_t i = 0; i < count; i++)
    while (!queue_send (&queue, &i))
      sched_yield ();
  /* the receiver leaves when it has them all */
  do {
    sched_yield ();
    datahub_producer_get_indices (producer, &indices);
  } while (indices.active_consumer_count > 0);
  datahub_producer_close (producer);
  printf ("sent %" PRIu64 "\n", count);
  return 0;
}

static DatahubConsumer *
attach (const char *name)
{
  DatahubWatch *watch = datahub_watch_new (name);
  DatahubConsumer *consumer = NULL;
  while (datahub_consumer_attach (name, NULL, &consumer, &error)
          == DATAHUB_ERROR_NOT_FOUND
      && watch && datahub_watch_wait (watch, PATIENCE_NS) == DATAHUB_OK)
    ;
  datahub_watch_free (watch);
  return consumer;
}

static int
receive_all (const char *name, uint64_t count)
{
  DatahubConsumer *consumer = attach (name);
  Queue queue;
  uint64_t size, number;
  void *zone;
  if (!consumer)
    return fail ("attach");
  zone = datahub_consumer_get_shared_zone (consumer, &size);
  if (!queue_open (&queue, zone, size, sizeof (uint64_t)))
    return fail ("the block has no shared zone");
  for (uint64_t i = 0; i < count; i++) {
    while (!queue_receive (&queue, &number))
      sched_yield ();
    if (number != i) {
      fprintf (stderr, "%" PRIu64 " came in the place of %" PRIu64 "\n", number,
          i);
      return 1;
    }
  }
  datahub_consumer_close (consumer);
  printf ("received %" PRIu64 "\n", count);
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 4 && strcmp (argv[1], "send") == 0)
    return send_all (argv[2], strtoull (argv[3], NULL, 10));
  if (argc == 4 && strcmp (argv[1], "receive") == 0)
    return receive_all (argv[2], strtoull (argv[3], NULL, 10));
  fprintf (stderr, "usage: %s send|receive NAME COUNT\n", argv[0]);
  return 2;
}
