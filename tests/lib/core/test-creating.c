/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a new block is taken in pieces, and the creation can be ended
 * between any two of them. */
#include "fixture.h"

#define MIB (UINT64_C (1) << 20)

typedef struct
{
  uint32_t left; /* questions that are answered with yes */
  uint32_t asked;
  uint64_t most; /* bytes in the making, at a question */
} Answer;

static bool
answer (void *data)
{
  Answer *as = data;
  uint64_t bytes = bytes_in_the_making ();
  as->asked++;
  if (bytes > as->most)
    as->most = bytes;
  if (as->left == 0)
    return false;
  as->left--;
  return true;
}

static DatahubResult
create (Answer *as, uint64_t size, DatahubProducer **producer)
{
  DatahubProducerOptions options = small_options ();
  options.slot_size = size;
  options.may_go_on = answer;
  options.may_go_on_data = as;
  return datahub_producer_create ("cam0", &options, producer, &err);
}

static void
ended_anywhere (void)
{
  DatahubProducer *producer = NULL;
  DatahubResult result = DATAHUB_INTERRUPTED;
  uint32_t n = 0;
  for (; result == DATAHUB_INTERRUPTED; n++) {
    Answer as = { .left = n };
    result = create (&as, 2 * MIB, &producer);
    CHECK_INT (as.most, <=, 33 * MIB);
    if (result == DATAHUB_OK)
      break;
    CHECK_RESULT (result, DATAHUB_INTERRUPTED);
    CHECK_INT (as.asked, ==, n + 1);
    CHECK (producer == NULL);
    CHECK_INT (check_count_files (), ==, 0);
    CHECK_INT (bytes_in_the_making (), ==, 0);
  }
  CHECK_OK (result);
  /* 32 MiB in pieces of 4 */
  CHECK_INT (n, >=, 14);
  CHECK_OK (datahub_producer_publish (producer, &err));
  commit_buffers (producer, 0, 4);
  datahub_producer_close (producer);
}

/* No piece is bigger than a few milliseconds of work. */
static void
in_pieces (void)
{
  for (uint32_t n = 1; n < 6; n++) {
    Answer before = { .left = n }, after = { .left = n + 1 };
    DatahubProducer *producer = NULL;
    CHECK_RESULT (create (&before, 16 * MIB, &producer), DATAHUB_INTERRUPTED);
    CHECK_RESULT (create (&after, 16 * MIB, &producer), DATAHUB_INTERRUPTED);
    CHECK_INT (after.most - before.most, <=, 4 * MIB);
  }
}

/* After it there is nothing to ask: the caller may be gone. */
static void
not_asked_later (void)
{
  Answer as = { .left = UINT32_MAX };
  DatahubProducer *producer = NULL;
  uint32_t asked;
  CHECK_OK (create (&as, 4096, &producer));
  CHECK_OK (datahub_producer_publish (producer, &err));
  asked = as.asked;
  commit_buffer (producer, 0, 20 * MIB);
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  CHECK_INT (as.asked, ==, asked);
  datahub_producer_close (producer);
}

static void
dies_with_data (CheckParent *parent)
{
  DatahubProducerOptions options = small_options ();
  options.slot_size = 2 * MIB;
  DatahubProducer *producer = producer_new ("cam0", &options);
  commit_buffers (producer, 0, 4);
  check_ready (parent);
  check_until_killed (parent);
}

/* A try that was ended takes nothing from the block of the dead producer. */
static void
adopted_later (void)
{
  CheckChild child = check_fork_ready (dies_with_data, NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubProducer *producer = NULL;
  DatahubResult result = DATAHUB_INTERRUPTED;
  uint32_t n = 0;
  check_kill (&child);
  for (; result == DATAHUB_INTERRUPTED; n++) {
    Answer as = { .left = n };
    result = create (&as, 2 * MIB, &producer);
  }
  CHECK_OK (result);
  CHECK_INT (n, >=, 8);
  CHECK (producer_stats (producer).adopted);
  CHECK_INT (producer_stats (producer).incarnation, ==, 2);
  CHECK_OK (datahub_producer_publish (producer, &err));
  commit_buffer (producer, 4, 1000);
  expect_buffers (consumer, 0, 4);
  expect_buffer (consumer, 4, 1000);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a creation is ended between any two pieces, and leaves nothing",
      ended_anywhere },
  { "no piece is big", in_pieces },
  { "a growth does not ask the creator", not_asked_later },
  { "an adoption that was ended is made later", adopted_later },
};
CHECK_MAIN (tests)
