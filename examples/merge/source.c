/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishes numbers under a name, each with the instant at which it was made:
 * source NAME COUNT. */
#include <datahub/core.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static DatahubError error;

static void
check (DatahubResult result)
{
  if (result == DATAHUB_OK)
    return;
  fprintf (stderr, "%s\n", error.message);
  exit (1);
}

static int64_t
now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (int64_t) time.tv_sec * 1000000000 + time.tv_nsec;
}

static void
publish (DatahubProducer *producer, int number)
{
  DatahubSlot slot;
  DatahubCommit record;
  check (datahub_producer_acquire_slot (producer, 64, DATAHUB_FOREVER, &slot,
      &error));
  int size = snprintf ((char *) slot.data, 64, "%d", number);
  datahub_commit_init (&record, DATAHUB_RECORD_BUFFER);
  record.n_memories = 1;
  record.memories[0] = (DatahubCommitMemory){ &slot, 0, (uint64_t) size };
  record.instant_ns = now ();
  record.release = true;
  check (datahub_producer_commit (producer, &record, DATAHUB_FOREVER, NULL,
      &error));
}

int
main (int argc, char **argv)
{
  DatahubProducerOptions options;
  DatahubProducer *producer;

  if (argc != 3) {
    fprintf (stderr, "usage: source NAME COUNT\n");
    return 2;
  }
  datahub_producer_options_init (&options);
  options.slot_size = 64;
  check (datahub_producer_create (argv[1], &options, &producer, &error));
  check (datahub_producer_publish (producer, &error));
  datahub_producer_wait_consumers (producer, 1, DATAHUB_FOREVER);
  for (int i = 0; i < atoi (argv[2]); i++)
    publish (producer, i);
  datahub_producer_close (producer);
  return 0;
}
