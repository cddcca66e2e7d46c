/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A live consumer far behind, with no buffer left in the ring. */
#include "hostile.h"

static void
commit_gap (DatahubProducer *producer)
{
  DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_GAP,
    .pts = 1 };
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
}

/* It goes to what is there at once, and asks for a key frame once. */
static void
events_alone (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  Intrusion con = intrude (".con");
  WakePage *wake = (WakePage *) con.bytes;
  commit_buffers (producer, 0, 1);
  DatahubSlot slot;
  fill_slot (producer, 1, 1000, &slot);
  DatahubCommit record = buffer_record (&slot, 1, 1000);
  record.flags = DATAHUB_FLAG_DELTA_UNIT;
  CHECK_OK (datahub_producer_commit (producer, &record, SOON, NULL, &err));
  for (int i = 0; i < 500; i++)
    commit_gap (producer);
  uint32_t before = load_seq (&wake->attention);
  DatahubView view = read_record (consumer);
  CHECK_INT (view.type, ==, DATAHUB_RECORD_GAP);
  CHECK_INT (view.sequence, ==, 494); /* the ring keeps 8 */
  CHECK_INT (view.lost, ==, 2);
  datahub_consumer_end_read (consumer, &view);
  CHECK_INT (load_seq (&wake->attention) - before, <=, 2);
  intrusion_end (&con);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a lapped consumer with only events left goes to them at once",
      events_alone },
};
CHECK_MAIN (tests)
