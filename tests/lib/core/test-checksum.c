/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checksums: stamped at commit, checked before delivery, a bad record is told
 * once and passed over. */
#include "hostile.h"

#include <string.h>

static DatahubProducer *
summing_producer (DatahubChecksum checksum)
{
  DatahubProducerOptions options = small_options ();
  options.checksum = checksum;
  return producer_new ("cam0", &options);
}

static void
known_sums (void)
{
  uint8_t zeros[32] = { 0 };
  uint8_t counting[4096];
  for (size_t i = 0; i < sizeof counting; i++)
    counting[i] = (uint8_t) i;
  /* RFC 3720, appendix B.4, and the usual check value */
  CHECK_INT (datahub_crc32c ("123456789", 9), ==, 0xe3069283u);
  CHECK_INT (datahub_crc32c (zeros, 32), ==, 0x8a9136aau);
  CHECK_INT (datahub_crc32c (counting, 32), ==, 0x46dd794eu);
  CHECK_INT (datahub_crc32c ("", 0), ==, 0);
  /* every length and alignment agrees with a bit at a time */
  for (size_t size = 0; size < 70; size++)
    for (size_t at = 0; at < 9; at++) {
      uint32_t crc = UINT32_MAX;
      for (size_t i = 0; i < size; i++) {
        crc ^= counting[at + i];
        for (int bit = 0; bit < 8; bit++)
          crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
      }
      CHECK_INT (datahub_crc32c (counting + at, size), ==, ~crc);
    }
}

static void
round_trip (DatahubChecksum checksum)
{
  DatahubProducer *producer = summing_producer (checksum);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_event (producer, DATAHUB_RECORD_CAPS, "video/x-raw");
  commit_buffers (producer, 0, 4);
  commit_buffer (producer, 4, 100000); /* grows */
  DatahubView view = read_record (consumer);
  CHECK_STR (view.meta, "video/x-raw");
  datahub_consumer_end_read (consumer, &view);
  for (uint64_t i = 0; i < 4; i++)
    expect_buffer (consumer, i, 1000);
  expect_buffer (consumer, 4, 100000);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
crc_round_trip (void)
{
  round_trip (DATAHUB_CHECKSUM_CRC32C);
}

static void
blake_round_trip (void)
{
  round_trip (DATAHUB_CHECKSUM_BLAKE2B);
}

/* One bit of one payload changes behind the producer's back. */
static void
bad_payload (DatahubChecksum checksum)
{
  DatahubProducer *producer = summing_producer (checksum);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubSlot slot;
  fill_slot (producer, 0, 1000, &slot);
  DatahubCommit commit = buffer_record (&slot, 0, 1000);
  commit.release = false;
  CHECK_OK (datahub_producer_commit (producer, &commit, 0, NULL, &err));
  commit_buffers (producer, 1, 2);
  slot.data[999] ^= 0x10;
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_ERROR_CHECKSUM);
  CHECK_CONTAINS (err.message, "checksum");
  /* told once; the next ones are fine, and it counts as lost */
  view = read_record (consumer);
  CHECK_INT (view.lost, ==, 1);
  CHECK (view.discont);
  CHECK_INT (consumer_stats (consumer).damaged, ==, 1);
  check_buffer (&view, 1, 1000);
  datahub_consumer_end_read (consumer, &view);
  expect_buffer (consumer, 2, 1000);
  datahub_producer_abort (producer, &slot);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
crc_refuses (void)
{
  bad_payload (DATAHUB_CHECKSUM_CRC32C);
}

static void
blake_refuses (void)
{
  bad_payload (DATAHUB_CHECKSUM_BLAKE2B);
}

static BlockRecord *
record_of (Intrusion *ctl, uint32_t type)
{
  BlockSection *sections = (BlockSection *) (ctl->bytes + sizeof (BlockHeader));
  for (uint32_t i = 0; i < SECTIONS_MAX; i++)
    for (uint32_t r = 0;
         sections[i].kind == SECTION_RECORDS && r < sections[i].count; r++) {
      BlockRecord *record = (BlockRecord *) (ctl->bytes + sections[i].offset
          + r * sections[i].stride);
      if (record->type == type)
        return record;
    }
  check_fail (__FILE__, __LINE__, "no record of type %u", type);
}

static void
covers_bodies (void)
{
  DatahubProducer *producer = summing_producer (DATAHUB_CHECKSUM_CRC32C);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_event (producer, DATAHUB_RECORD_CAPS, "video/x-raw, width=640");
  Intrusion ctl = intrude (".ctl");
  record_of (&ctl, DATAHUB_RECORD_CAPS)->inline_bytes[21] = '9';
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_ERROR_CHECKSUM);
  intrusion_end (&ctl);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
unknown_kind (void)
{
  DatahubProducer *producer = summing_producer (DATAHUB_CHECKSUM_CRC32C);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 1);
  Intrusion ctl = intrude (".ctl");
  record_of (&ctl, DATAHUB_RECORD_BUFFER)->checksum_kind = 77;
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
      DATAHUB_ERROR_CORRUPT);
  intrusion_end (&ctl);
  datahub_consumer_close (consumer);
  DatahubProducerOptions options = small_options ();
  options.checksum = (DatahubChecksum) 3;
  datahub_producer_close (producer);
  CHECK_RESULT (producer_try ("cam1", &options, &producer),
      DATAHUB_ERROR_INVALID);
}

static const CheckTest tests[] = {
  { "CRC-32C gives the sums that others give", known_sums },
  { "records with a CRC arrive", crc_round_trip },
  { "records with a BLAKE2b sum arrive", blake_round_trip },
  { "a payload that does not match its CRC is told once and skipped",
      crc_refuses },
  { "a payload that does not match its BLAKE2b sum is told once and skipped",
      blake_refuses },
  { "the body of an event is covered too", covers_bodies },
  { "a checksum of unknown kind is refused", unknown_kind },
};

CHECK_MAIN (tests)
