/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memories and bodies with an offset and a size that are inside a slot each, and that end
 * at its last byte or one byte behind it: every place that adds the two. */
#include "findings.h"

#include <string.h>

#define STRIDE 4096

static const struct
{
  uint64_t offset, size;
  bool inside;
} reaches[] = {
  { 0, STRIDE, true },
  { 1, STRIDE - 1, true },
  { 1, STRIDE, false },
  { STRIDE / 2, STRIDE / 2, true },
  { STRIDE / 2, STRIDE / 2 + 1, false },
  { STRIDE - 1, 1, true },
  { STRIDE - 1, 2, false },
  { STRIDE, 0, true },
  { STRIDE, 1, false },
};

#define N_REACHES (sizeof reaches / sizeof reaches[0])

typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *consumer;
  Intrusion ctl;
  BlockRecord *record; /* of the first buffer or event */
} Scene;

/* A body that is too long for a record is in a slot. */
static void
commit_caps (DatahubProducer *producer)
{
  char body[STRIDE];
  memset (body, 'c', sizeof body - 1);
  body[sizeof body - 1] = 0;
  commit_event (producer, DATAHUB_RECORD_CAPS, body);
}

static Scene
scene_new (bool caps)
{
  Scene scene = { .producer = producer_new ("cam0", NULL) };
  scene.consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  if (caps)
    commit_caps (scene.producer);
  commit_buffers (scene.producer, caps, 2);
  scene.ctl = intrude (".ctl");
  scene.record = record_at (&scene.ctl, 0);
  CHECK_INT (caps ? scene.record->meta_gen : scene.record->mem[0].gen, >, 0);
  return scene;
}

static void
scene_end (Scene *scene)
{
  datahub_consumer_close (scene->consumer);
  datahub_producer_close (scene->producer);
  intrusion_end (&scene->ctl);
}

/* The record is read whole, or refused; the one behind it is read. */
static void
expect_read (Scene *scene, bool inside)
{
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (scene->consumer, SOON, &view,
                    &err),
      inside ? DATAHUB_OK : DATAHUB_ERROR_CORRUPT);
  if (inside)
    datahub_consumer_end_read (scene->consumer, &view);
  expect_buffers (scene->consumer, 1, 1);
}

static void
memories (void)
{
  for (size_t i = 0; i < N_REACHES; i++) {
    Scene scene = scene_new (false);
    scene.record->mem[0].offset = reaches[i].offset;
    scene.record->mem[0].size = reaches[i].size;
    expect_read (&scene, reaches[i].inside);
    scene_end (&scene);
  }
}

static void
bodies (void)
{
  for (size_t i = 0; i < N_REACHES; i++) {
    Scene scene = scene_new (true);
    scene.record->meta_offset = reaches[i].offset;
    scene.record->meta_size = (uint32_t) reaches[i].size;
    expect_read (&scene, reaches[i].inside);
    scene_end (&scene);
  }
}

/* Caps that end with the bytes of the slot, and one byte behind it. */
static void
inspected (void)
{
  for (uint32_t behind = 0; behind < 2; behind++) {
    Scene scene = scene_new (true);
    DatahubBlockInfo info;
    scene.record->meta_offset = STRIDE - 500 + behind;
    scene.record->meta_size = 500;
    CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
    CHECK_INT (strlen (info.caps) > 0, ==, behind == 0);
    scene_end (&scene);
  }
}

static void
validated (void)
{
  for (size_t i = 0; i < N_REACHES; i++) {
    Scene scene = scene_new (false);
    scene.record->mem[0].offset = reaches[i].offset;
    scene.record->mem[0].size = reaches[i].size;
    if (reaches[i].inside)
      check_healthy ();
    else
      check_found (DATAHUB_FINDING_RECORD, "reaches");
    scene_end (&scene);
  }
}

/* What a producer commits, in the slot that it acquired and out of it. */
static void
committed (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  for (size_t i = 0; i < N_REACHES; i++) {
    DatahubSlot slot;
    CHECK_OK (datahub_producer_acquire_slot (producer, STRIDE, SOON, &slot,
        &err));
    DatahubCommit commit = buffer_record (&slot, i, STRIDE);
    commit.memories[0].offset = reaches[i].offset;
    commit.memories[0].size = reaches[i].size;
    CHECK_RESULT (datahub_producer_commit (producer, &commit, SOON, NULL, &err),
        reaches[i].inside ? DATAHUB_OK : DATAHUB_ERROR_INVALID);
    if (!reaches[i].inside)
      datahub_producer_abort (producer, &slot);
  }
  datahub_producer_close (producer);
}

/* All bytes of the field are characters. */
static void
names (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  Intrusion con = intrude (".con");
  DatahubConsumerInfo infos[2];
  uint32_t n = 0;
  memset ((void *) row_at (&con, 0)->name, 'x', sizeof row_at (&con, 0)->name);
  memset (infos, 'y', sizeof infos);
  CHECK_OK (datahub_block_inspect_consumers ("cam0", infos, 2, &n, &err));
  CHECK_INT (n, ==, 1);
  CHECK_INT (strnlen (infos[0].name, sizeof infos[0].name), ==,
      sizeof infos[0].name - 1);
  intrusion_end (&con);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a memory that ends behind its slot is refused", memories },
  { "a body that ends behind its slot is refused", bodies },
  { "caps that end behind their slot are not shown", inspected },
  { "a memory that ends behind its slot is found", validated },
  { "a memory that ends behind its slot is not committed", committed },
  { "a name that fills its field is cut", names },
};
CHECK_MAIN (tests)
