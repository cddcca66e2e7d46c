/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "random-records.h"

#include "common/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_SIZE 8192
#define BIG_SIZE 40000
#define META_MAX 3000

typedef struct
{
  uint32_t n_memories;
  uint64_t sizes[3];
  uint32_t meta_size;
} Shape;

uint64_t
random_next (Random *random)
{
  uint64_t z = (random->state += UINT64_C (0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

uint32_t
random_below (Random *random, uint32_t limit)
{
  return (uint32_t) ((random_next (random) >> 32) * limit >> 32);
}

static uint64_t
seed_of (uint64_t epoch, uint64_t number, uint32_t part)
{
  return (epoch << 40) ^ (number << 3) ^ part;
}

static bool
is_droppable (uint64_t epoch, uint64_t number)
{
  return (epoch & RECORDS_DROPPABLE) && number % 3;
}

static Shape
growing_shape (uint64_t number)
{
  bool bigger = number % 8 == 7 && number < 48;
  return (Shape){ .n_memories = 1,
    .sizes = { bigger ? SLOT_SIZE * (2 + number / 8) : 256 } };
}

/* Mostly one small memory; now and then several, metas, a frame that makes the
 * block grow, or nothing at all. */
static Shape
shape_of (uint64_t epoch, uint64_t number)
{
  Random random = { seed_of (epoch, number, 7) };
  Shape shape = { .n_memories = 1 };
  uint32_t kind = random_below (&random, 512);
  if (epoch & RECORDS_GROWING)
    return growing_shape (number);
  if (epoch & RECORDS_DROPPABLE)
    return (Shape){ .n_memories = 1, .sizes = { 256 } };
  if (kind == 0)
    shape.sizes[0] = SLOT_SIZE + random_below (&random, BIG_SIZE);
  else if (kind == 1)
    shape.n_memories = 0;
  else if (kind < 32)
    shape.n_memories = 1 + random_below (&random, 3);
  for (uint32_t i = 0; i < shape.n_memories; i++)
    if (kind != 0)
      shape.sizes[i] = random_below (&random, kind < 128 ? SLOT_SIZE : 256);
  if (kind % 8 == 3)
    shape.meta_size = 1 + random_below (&random, META_MAX);
  return shape;
}

DatahubProducerOptions
random_records_options (uint64_t epoch)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = SLOT_SIZE;
  options.slots = 64;
  options.ring_size = 16;
  options.max_consumers = 16;
  options.pack = epoch % 2;
  options.adopt = false; /* an epoch is a block, unless a test wants more */
  options.max_bytes = 32 << 20;
  options.strict = (epoch & RECORDS_STRICT) || getenv ("CHECK_STRICT");
  /* Nobody here is slow for that long unless something is wrong. */
  options.block_timeout_ns = check_scaled_ns (20 * CHECK_S);
  return options;
}

typedef struct
{
  DatahubSlot slots[3];
  uint32_t n_slots;
  uint8_t meta[META_MAX];
} Filled;

static DatahubResult
fill (DatahubProducer *producer, uint64_t epoch, uint64_t number,
    int64_t timeout_ns, Filled *filled, DatahubCommit *record,
    DatahubError *error)
{
  Shape shape = shape_of (epoch, number);
  *record = (DatahubCommit){ .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_BUFFER,
    .pts = epoch,
    .dts = ~epoch,
    .duration = DATAHUB_NONE,
    .offset = number,
    .offset_end = number + 1,
    .instant_ns = -(int64_t) number,
    .flags = is_droppable (epoch, number) ? DATAHUB_FLAG_DROPPABLE : 0,
    .n_memories = shape.n_memories,
    .meta = filled->meta,
    .meta_size = shape.meta_size,
    .release = true };
  for (filled->n_slots = 0; filled->n_slots < shape.n_memories;
       filled->n_slots++) {
    uint32_t i = filled->n_slots;
    DatahubSlot *slot = &filled->slots[i];
    DatahubResult result = datahub_producer_acquire_slot (producer,
        shape.sizes[i], timeout_ns, slot, error);
    if (result != DATAHUB_OK)
      return result;
    pattern_fill (slot->data, shape.sizes[i], seed_of (epoch, number, i));
    record->memories[i].slot = slot;
    record->memories[i].size = shape.sizes[i];
  }
  pattern_fill (filled->meta, shape.meta_size, seed_of (epoch, number, 6));
  return DATAHUB_OK;
}

static void
take_back (DatahubProducer *producer, Filled *filled, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t j = 0; j < filled[i].n_slots; j++)
      datahub_producer_abort (producer, &filled[i].slots[j]);
}

DatahubResult
random_records_send (DatahubProducer *producer, uint64_t epoch, uint64_t first,
    uint32_t n, int64_t timeout_ns, DatahubError *error)
{
  Filled filled[RECORDS_MAX_BATCH];
  DatahubCommit records[RECORDS_MAX_BATCH];
  CHECK (n > 0 && n <= RECORDS_MAX_BATCH);
  for (uint32_t i = 0; i < n; i++) {
    DatahubResult result = fill (producer, epoch, first + i, timeout_ns,
        &filled[i], &records[i], error);
    if (result != DATAHUB_OK) {
      take_back (producer, filled, i + 1);
      return result;
    }
  }
  DatahubResult result = datahub_producer_commit_batch (producer, records, n,
      timeout_ns, NULL, error);
  if (result != DATAHUB_OK)
    take_back (producer, filled, n);
  return result;
}

DatahubResult
random_records_send_event (DatahubProducer *producer, DatahubRecordType type,
    uint64_t epoch, int64_t timeout_ns, DatahubError *error)
{
  DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
    .type = type,
    .pts = epoch,
    .dts = DATAHUB_NONE,
    .duration = DATAHUB_NONE,
    .offset = DATAHUB_NONE,
    .offset_end = DATAHUB_NONE,
    .meta = &epoch,
    .meta_size = sizeof epoch };
  return datahub_producer_commit (producer, &record, timeout_ns, NULL, error);
}

DatahubResult
random_records_send_caps (DatahubProducer *producer, uint64_t epoch,
    int64_t timeout_ns, DatahubError *error)
{
  return random_records_send_event (producer, DATAHUB_RECORD_CAPS, epoch,
      timeout_ns, error);
}

DatahubResult
random_records_send_tags (DatahubProducer *producer, uint64_t epoch,
    int64_t timeout_ns, DatahubError *error)
{
  return random_records_send_event (producer, DATAHUB_RECORD_TAGS, epoch,
      timeout_ns, error);
}

void
random_records_begin_only (DatahubProducer *producer)
{
  DatahubSlot slot;
  DatahubError error;
  if (datahub_producer_acquire_slot (producer, SLOT_SIZE, 0, &slot, &error)
      == DATAHUB_OK)
    memset (slot.data, 0xdd, SLOT_SIZE / 2);
}

static void
check_bytes (const DatahubView *view, const void *data, uint64_t size,
    uint64_t seed, const char *what)
{
  uint64_t wrong = pattern_mismatch (data, size, seed);
  if (wrong != PATTERN_MATCHES)
    check_fail (__FILE__, __LINE__,
        "epoch %llu buffer %llu: byte %llu of %llu of its %s is wrong",
        (unsigned long long) view->pts, (unsigned long long) view->offset,
        (unsigned long long) wrong, (unsigned long long) size, what);
}

static void
check_view (const DatahubView *view)
{
  uint64_t epoch = view->pts, number = view->offset;
  Shape shape = shape_of (epoch, number);
  CHECK_INT (view->dts, ==, ~epoch);
  CHECK_INT (view->offset_end, ==, number + 1);
  CHECK_INT (view->instant_ns, ==, -(int64_t) number);
  CHECK_INT (view->n_memories, ==, shape.n_memories);
  CHECK_INT (view->meta_size, ==, shape.meta_size);
  for (uint32_t i = 0; i < shape.n_memories; i++) {
    CHECK_INT (view->memories[i].size, ==, shape.sizes[i]);
    check_bytes (view, view->memories[i].data, shape.sizes[i],
        seed_of (epoch, number, i), "payload");
  }
  check_bytes (view, view->meta, shape.meta_size, seed_of (epoch, number, 6),
      "metas");
}

/* The caps a lease stands in are those of its own epoch. */
static void
check_caps (RecordReader *reader, const DatahubView *view)
{
  DatahubView caps;
  DatahubError error;
  CHECK (view->context[DATAHUB_CONTEXT_CAPS] != DATAHUB_NONE);
  CHECK_INT (datahub_consumer_get_context (reader->consumer, view,
                 DATAHUB_CONTEXT_CAPS, &caps, &error),
      ==, DATAHUB_OK);
  CHECK_INT (caps.type, ==, DATAHUB_RECORD_CAPS);
  CHECK_INT (caps.meta_size, ==, sizeof (uint64_t));
  CHECK (memcmp (caps.meta, &view->pts, sizeof (uint64_t)) == 0);
}

/* What was given up before a reliable consumer joined is no loss of its. */
static void
skip_given_up (RecordReader *reader, uint64_t until)
{
  for (; reader->next < until; reader->next++, reader->given_up++)
    CHECK (!reader->reliable || reader->adopts
        || is_droppable (reader->epoch, reader->next));
}

/* A producer that adopted the block: as a rule another epoch, but no other
 * count. */
static void
follow_successor (RecordReader *reader, const DatahubView *view)
{
  CHECK (reader->adopts);
  CHECK (view->discont);
  CHECK_INT (view->incarnation, >, reader->incarnation);
  reader->incarnation = view->incarnation;
  reader->based = reader->based && view->pts == reader->epoch;
  reader->epoch = view->pts;
}

/* Order and loss: what came and what is said to be lost is all there was. An
 * event stands before the buffer of its ordinal and may tell a loss too. */
static void
follow_any (RecordReader *reader, const DatahubView *view)
{
  if (!reader->started) {
    reader->started = true;
    reader->epoch = view->pts;
    reader->incarnation = view->incarnation;
    reader->first = reader->next = view->ordinal - view->lost;
  }
  /* A live one that was lapped before its first buffer joins where it is. */
  if (!reader->reliable && reader->received == 0 && view->discont
      && view->lost == 0 && view->ordinal > reader->next)
    reader->first = reader->next = view->ordinal;
  if (view->incarnation != reader->incarnation)
    follow_successor (reader, view);
  CHECK_INT (view->pts, ==, reader->epoch);
  if (view->flushed && !reader->reliable) {
    /* What the producer took back is no loss, but it is gone. */
    CHECK_INT (view->ordinal, >=, reader->next + view->lost);
    reader->flushed += view->ordinal - view->lost - reader->next;
    reader->next = view->ordinal - view->lost;
  }
  if (reader->joined_reliably && view->discont
      && (reader->epoch & RECORDS_DROPPABLE))
    skip_given_up (reader, view->ordinal - view->lost);
  CHECK_INT (view->ordinal, ==, reader->next + view->lost);
  if (reader->reliable)
    CHECK_INT (view->lost, ==, 0);
  reader->next = view->ordinal;
  reader->lost += view->lost;
}

static void
follow_event (RecordReader *reader, const DatahubView *view)
{
  CHECK_INT (view->meta_size, ==, sizeof (uint64_t));
  CHECK (memcmp (view->meta, &view->pts, sizeof (uint64_t)) == 0);
  follow_any (reader, view);
}

static void
follow (RecordReader *reader, const DatahubView *view)
{
  follow_any (reader, view);
  if (!reader->based)
    reader->base = view->ordinal - view->offset;
  reader->based = true;
  CHECK_INT (view->ordinal, ==, reader->base + view->offset);
  if (!reader->adopts)
    CHECK_INT (reader->base, ==, 0);
  reader->next++;
  reader->received++;
}

void
random_records_release_one (RecordReader *reader)
{
  if (reader->n_held == 0)
    return;
  uint32_t i = random_below (reader->random, reader->n_held);
  DatahubView view = reader->held[i];
  check_view (&view);
  check_caps (reader, &view);
  datahub_consumer_end_read (reader->consumer, &view);
  reader->held[i] = reader->held[--reader->n_held];
}

void
random_records_release_all (RecordReader *reader)
{
  while (reader->n_held > 0)
    random_records_release_one (reader);
}

DatahubResult
random_records_read (RecordReader *reader, int64_t timeout_ns)
{
  DatahubView view;
  DatahubError error = { 0 };
  DatahubResult result =
      datahub_consumer_begin_read (reader->consumer, timeout_ns, &view, &error);
  if (result >= DATAHUB_ERROR_FIRST)
    check_note ("begin_read: %s", error.message);
  reader->orphaned = result == DATAHUB_PRODUCER_LOST
      || (result == DATAHUB_TIMEOUT && reader->orphaned);
  if (result != DATAHUB_OK)
    return result;
  if (view.type != DATAHUB_RECORD_BUFFER) {
    follow_event (reader, &view);
    datahub_consumer_end_read (reader->consumer, &view);
    return DATAHUB_OK;
  }
  follow (reader, &view);
  check_view (&view);
  check_caps (reader, &view);
  reader->copies += view.must_copy;
  bool keep = !view.must_copy && reader->n_held < RECORDS_MAX_HELD
      && random_below (reader->random, 4) == 0;
  if (keep)
    reader->held[reader->n_held++] = view;
  else
    datahub_consumer_end_read (reader->consumer, &view);
  if (reader->n_held > random_below (reader->random, RECORDS_MAX_HELD))
    random_records_release_one (reader);
  return DATAHUB_OK;
}

void
random_records_check_counts (RecordReader *reader)
{
  DatahubConsumerStats stats;
  datahub_consumer_get_stats (reader->consumer, &stats);
  CHECK_INT (stats.received, ==, reader->received);
  CHECK_INT (stats.lost, ==, reader->lost);
  if (reader->started)
    CHECK_INT (reader->received + reader->lost + reader->flushed
            + reader->given_up,
        ==, reader->next - reader->first);
}
