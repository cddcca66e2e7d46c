/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishes ten lines of text, once a consumer is there. */
#include <datahub/core.h>

#include <stdio.h>
#include <stdlib.h>

static DatahubError error;

static void
check (DatahubResult result)
{
  if (result == DATAHUB_OK)
    return;
  fprintf (stderr, "%s\n", error.message);
  exit (1);
}

int
main (void)
{
  DatahubProducerOptions options;
  DatahubProducer *producer;

  datahub_producer_options_init (&options);
  options.slot_size = 64;
  check (datahub_producer_create ("hello", &options, &producer, &error));
  check (datahub_producer_publish (producer, &error));
  datahub_producer_wait_consumers (producer, 1, DATAHUB_FOREVER);
  for (int i = 0; i < 10; i++) {
    DatahubSlot slot;
    DatahubCommit record;
    check (datahub_producer_acquire_slot (producer, 64, DATAHUB_FOREVER, &slot,
        &error));
    int size = snprintf ((char *) slot.data, 64, "hello %d", i);
    datahub_commit_init (&record, DATAHUB_RECORD_BUFFER);
    record.n_memories = 1;
    record.memories[0] = (DatahubCommitMemory){ &slot, 0, (uint64_t) size };
    record.release = true;
    check (datahub_producer_commit (producer, &record, DATAHUB_FOREVER, NULL,
        &error));
  }
  datahub_producer_close (producer);
  return 0;
}
