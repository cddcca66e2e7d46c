/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new producer under the name of a dead one that left any image: it closes the
 * old block on its behalf and makes its own, or, as the target `adopt`, goes on
 * with it where it fits; it works, and cleans up. */
#include "fuzz.h"
#include "image.h"

#include "lib/core/hostile-reader.h"

#include <stdlib.h>

#define N_LOANS 16
#ifndef FUZZ_ADOPT
#define FUZZ_ADOPT false
#endif

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  image_make (AREA_ALL, false);
  return 0;
}

static void
note (const char *file, uint64_t bytes, void *user_data)
{
}

static void
commit_one (DatahubProducer *producer, DatahubRecordType type,
    const DatahubSlot *slot)
{
  DatahubError error;
  DatahubCommit commit = { .struct_size = sizeof (DatahubCommit),
    .type = type,
    .meta = "text",
    .meta_size = 5,
    .n_memories = slot ? 1 : 0,
    .memories = { { slot, 0, 100 } } };
  datahub_producer_commit (producer, &commit, 0, NULL, &error);
}

/* No slot is lent twice, whatever the records of the dead said. */
static void
check_loans (const DatahubSlot *loans, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < i; k++)
      if (loans[i].pool == loans[k].pool && loans[i].slot == loans[k].slot)
        abort ();
}

/* Takes every slot there is, commits some, gives all back. */
static void
work (DatahubProducer *producer)
{
  DatahubSlot loans[N_LOANS];
  DatahubError error;
  uint32_t n = 0;
  commit_one (producer, DATAHUB_RECORD_CAPS, NULL);
  for (int round = 0; round < 3; round++) {
    while (n < N_LOANS
        && datahub_producer_acquire_slot (producer, 4096, 0, &loans[n], &error)
            == DATAHUB_OK) {
      loans[n].data[0] = loans[n].data[4095] = (uint8_t) n;
      n++;
    }
    check_loans (loans, n);
    for (uint32_t i = 0; i < n; i += 2)
      commit_one (producer, DATAHUB_RECORD_BUFFER, &loans[i]);
    if (round == 1)
      hostile_read (IMAGE_CHANNEL);
    while (n > 0)
      datahub_producer_abort (producer, &loans[--n]);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  DatahubProducerOptions options = image_options (); /* so that it fits */
  DatahubProducer *producer;
  DatahubProducerStats stats;
  DatahubError error;
  uint32_t switches = image_change (data, size);
  options.max_bytes = 4 * 4096;
  options.adopt = FUZZ_ADOPT;
  if (switches & SWITCH_MORE)
    datahub_block_reclaim (true, note, NULL, &error);
  if (!(switches & SWITCH_ALIVE) /* it would wait for the living */
      && datahub_producer_create (IMAGE_CHANNEL, &options, &producer, &error)
          == DATAHUB_OK) {
    if (datahub_producer_publish (producer, &error) == DATAHUB_OK) {
      datahub_producer_get_stats (producer, &stats);
      if (FUZZ_ADOPT && size == 0 && !stats.adopted)
        abort (); /* a sound block is, or nothing is tried here */
      work (producer);
    }
    datahub_producer_close (producer);
  }
  datahub_block_reclaim (false, note, NULL, &error);
  image_restore ();
  return 0;
}
