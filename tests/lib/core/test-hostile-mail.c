/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another process writes any value to the extra part of a row: the producer takes
 * what is whole and in its bounds, or nothing, and the row can be used again. And
 * blocks that have no extra parts, or not enough room for them. */
#include "hostile.h"

#include <string.h>

typedef struct
{
  DatahubProducer *producer;
  DatahubConsumer *consumer;
  Intrusion ctl, con;
  BlockIdentity *identity;
  ConsumerRow *row;
  RowExtra *extra;
  uint64_t id; /* of the consumer */
} Scene;

static uint64_t
id_of (DatahubProducer *producer)
{
  DatahubConsumerInfo info;
  CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 1);
  return info.id;
}

static Scene
scene_new (void)
{
  Scene scene = { .producer = producer_new ("cam0", NULL) };
  uint32_t extra;
  scene.consumer = consumer_new ("cam0", false, DATAHUB_START_LATEST);
  scene.ctl = intrude (".ctl");
  scene.con = intrude (".con");
  scene.identity = (BlockIdentity *) scene.ctl.bytes;
  scene.row = (ConsumerRow *) (scene.con.bytes + scene.identity->con_rows_off);
  extra = (uint32_t) (sizeof (ConsumerRow) + 8 * scene.identity->pin_words);
  scene.extra = (RowExtra *) ((uint8_t *) scene.row + (extra + 63) / 64 * 64);
  scene.id = id_of (scene.producer);
  CHECK_INT (scene.extra->owner, ==, scene.row->claim);
  return scene;
}

static void
scene_end (Scene *scene)
{
  datahub_consumer_close (scene->consumer);
  datahub_producer_close (scene->producer);
  intrusion_end (&scene->ctl);
  intrusion_end (&scene->con);
}

static DatahubResult
take (const Scene *scene, uint64_t *size)
{
  static uint8_t bytes[DATAHUB_UPSTREAM_EVENT_MAX];
  uint64_t id;
  DatahubResult result;
  *size = sizeof bytes;
  result =
      datahub_producer_take_event (scene->producer, &id, bytes, size, &err);
  CHECK (result != DATAHUB_OK || id == scene->id);
  CHECK_INT (*size, <=, sizeof bytes);
  return result;
}

/* A sound event still gets through. */
static void
check_usable (const Scene *scene)
{
  uint64_t size;
  CHECK_OK (datahub_consumer_post_event (scene->consumer, "sound", 6, &err));
  CHECK_RESULT (take (scene, &size), DATAHUB_OK);
  CHECK_INT (size, ==, 6);
}

static void
event_of_each_size (void)
{
  Scene scene = scene_new ();
  uint64_t size, claim = atomic_load (&scene.row->claim);
  for (uint64_t said = 0; said <= MAIL_SIZE_MASK; said++) {
    DatahubResult wanted = said == 0         ? DATAHUB_TIMEOUT
        : said <= DATAHUB_UPSTREAM_EVENT_MAX ? DATAHUB_OK
                                             : DATAHUB_ERROR_CORRUPT;
    atomic_store (&scene.extra->event, MAIL_WORD (claim, 7, said));
    CHECK_RESULT (take (&scene, &size), wanted);
    CHECK_RESULT (take (&scene, &size), DATAHUB_TIMEOUT); /* it is gone */
  }
  check_usable (&scene);
  scene_end (&scene);
}

/* A word of an owner before: a program of an older version took the row. */
static void
event_of_another_claim (void)
{
  Scene scene = scene_new ();
  uint64_t size, claim = atomic_load (&scene.row->claim);
  const uint64_t others[] = { 0, claim - 1, claim + 1, claim ^ 0x8000 };
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    atomic_store (&scene.extra->event, MAIL_WORD (others[i], 1, 100));
    CHECK_RESULT (take (&scene, &size), DATAHUB_TIMEOUT);
  }
  check_usable (&scene);
  scene_end (&scene);
}

static void
latency_of_another_owner (void)
{
  Scene scene = scene_new ();
  DatahubConsumerInfo info;
  atomic_store (&scene.extra->latency_count, 5);
  datahub_producer_list_consumers (scene.producer, &info, 1);
  CHECK_INT (info.latency_count, ==, 5);
  atomic_fetch_sub (&scene.extra->owner, 1);
  datahub_producer_list_consumers (scene.producer, &info, 1);
  CHECK_INT (info.latency_count, ==, 0);
  scene_end (&scene);
}

/* Nor while the owner joins, or after it left. */
static void
event_in_another_state (void)
{
  Scene scene = scene_new ();
  uint64_t size;
  CHECK_OK (datahub_consumer_post_event (scene.consumer, "early", 6, &err));
  for (uint32_t state = 0; state < 8; state++) {
    if (state == DATAHUB_CONSUMER_ACTIVE)
      continue;
    atomic_store (&scene.row->state, state);
    CHECK_RESULT (take (&scene, &size), DATAHUB_TIMEOUT);
  }
  atomic_store (&scene.row->state, DATAHUB_CONSUMER_ACTIVE);
  CHECK_RESULT (take (&scene, &size), DATAHUB_OK);
  scene_end (&scene);
}

static DatahubResult
read_limits (const Scene *scene, char caps[DATAHUB_LIMITS_MAX])
{
  memset (caps, '?', DATAHUB_LIMITS_MAX);
  return datahub_producer_get_limits (scene->producer, scene->id, caps,
      DATAHUB_LIMITS_MAX, &err);
}

static void
limits_of_each_length (void)
{
  Scene scene = scene_new ();
  uint64_t claim = atomic_load (&scene.row->claim);
  char caps[DATAHUB_LIMITS_MAX];
  memset (scene.extra->limits_bytes, 'x', sizeof scene.extra->limits_bytes);
  for (uint64_t length = 0; length <= MAIL_SIZE_MASK; length++) {
    bool good = length > 0 && length < DATAHUB_LIMITS_MAX;
    atomic_store (&scene.extra->limits, MAIL_WORD (claim, 8, length));
    CHECK_RESULT (read_limits (&scene, caps),
        good ? DATAHUB_OK : DATAHUB_ERROR_NOT_FOUND);
    CHECK_INT (strlen (caps), ==, good ? length : 0);
    atomic_store (&scene.extra->limits, MAIL_WORD (claim, 9, length));
    CHECK_RESULT (read_limits (&scene, caps), DATAHUB_TIMEOUT); /* odd */
    CHECK_STR (caps, "");
    atomic_store (&scene.extra->limits, MAIL_WORD (claim + 1, 8, length));
    CHECK_RESULT (read_limits (&scene, caps), DATAHUB_ERROR_NOT_FOUND);
  }
  CHECK_OK (datahub_consumer_set_limits (scene.consumer, "sound", &err));
  CHECK_RESULT (read_limits (&scene, caps), DATAHUB_OK);
  CHECK_STR (caps, "sound");
  scene_end (&scene);
}

static void
limits_with_an_end_inside (void)
{
  Scene scene = scene_new ();
  char caps[DATAHUB_LIMITS_MAX];
  CHECK_OK (datahub_consumer_set_limits (scene.consumer, "video/x-raw", &err));
  ((uint8_t *) scene.extra->limits_bytes)[5] = 0;
  CHECK_RESULT (read_limits (&scene, caps), DATAHUB_ERROR_CORRUPT);
  CHECK_STR (caps, "");
  scene_end (&scene);
}

typedef struct
{
  const Scene *scene;
  uint64_t seed;
  shared_u32 stop;
} Noise;

/* Words with the right claim and any size, over and over; and the bytes. */
static void *
make_noise (void *data)
{
  Noise *noise = data;
  const Scene *scene = noise->scene;
  uint64_t claim = atomic_load (&scene->row->claim);
  while (!atomic_load (&noise->stop)) {
    uint64_t n = check_noise (&noise->seed), m = check_noise (&noise->seed);
    atomic_store (&scene->extra->event, MAIL_WORD (claim, n, n >> 40));
    atomic_store (&scene->extra->limits, MAIL_WORD (claim, m, m >> 40));
    atomic_store (&scene->extra->event_bytes[n % 128], m);
    atomic_store (&scene->extra->limits_bytes[m % 256], n);
    if (n % 64 == 0)
      atomic_store (&scene->extra->event, m);
    if (m % 64 == 0)
      atomic_store (&scene->extra->owner, n);
  }
  return NULL;
}

static void
noise_while_it_is_read (void)
{
  Scene scene = scene_new ();
  Noise noise = { .scene = &scene, .seed = check_now_ns () };
  CheckThread *thread = check_thread (make_noise, &noise);
  uint32_t taken = 0;
  for (int i = 0; i < 20000; i++) {
    char caps[DATAHUB_LIMITS_MAX];
    uint64_t size;
    DatahubConsumerInfo info;
    DatahubResult result = take (&scene, &size);
    CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
        || result == DATAHUB_ERROR_CORRUPT);
    taken += result == DATAHUB_OK;
    result = read_limits (&scene, caps);
    CHECK (result == DATAHUB_OK || result == DATAHUB_TIMEOUT
        || result == DATAHUB_ERROR_NOT_FOUND
        || result == DATAHUB_ERROR_CORRUPT);
    CHECK (memchr (caps, 0, sizeof caps) != NULL);
    datahub_producer_list_consumers (scene.producer, &info, 1);
    result = datahub_consumer_post_event (scene.consumer, "mine", 5, &err);
    CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_FULL);
  }
  CHECK_INT (taken, >, 0);
  atomic_store (&noise.stop, 1);
  check_thread_join (thread);
  uint64_t size;
  while (take (&scene, &size) != DATAHUB_TIMEOUT)
    ;
  check_usable (&scene);
  scene_end (&scene);
}

/* What a producer of an older version makes. */
static void
block_without_extra_parts (void)
{
  Scene scene = scene_new ();
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  DatahubConsumerInfo infos[2];
  uint32_t n = 0;
  scene.identity->feat_compat &= ~FEATURE_ROW_EXTRA;
  renew_header_check (scene.identity);
  datahub_consumer_options_init (&options);
  options.limits = "video/x-raw"; /* ignored */
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  CHECK_RESULT (datahub_consumer_post_event (consumer, "x", 2, &err),
      DATAHUB_ERROR_VERSION);
  CHECK_CONTAINS (err.message, "cam0");
  CHECK_RESULT (datahub_consumer_set_limits (consumer, "video/x-raw", &err),
      DATAHUB_ERROR_VERSION);
  commit_buffers (scene.producer, 0, 1);
  expect_buffers (consumer, 0, 1);
  CHECK_OK (datahub_block_inspect_consumers ("cam0", infos, 2, &n, &err));
  CHECK_INT (n, ==, 2);
  CHECK_INT (infos[1].limits_sequence, ==, 0);
  CHECK_INT (infos[1].latency_count, ==, 0);
  datahub_consumer_close (consumer);
  scene_end (&scene);
}

/* An extra part that would reach into the next row, or behind the file. */
static void
rows_too_small (void)
{
  Scene scene = scene_new ();
  const uint32_t strides[] = { 64, 512, 4032, 4096 + 64, 0, UINT32_MAX };
  const uint32_t whole = scene.identity->row_stride;
  for (size_t i = 0; i < sizeof strides / sizeof strides[0]; i++) {
    scene.identity->row_stride = strides[i];
    renew_header_check (scene.identity);
    CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
  }
  scene.identity->row_stride = whole;
  /* so many pins that there is no room behind them */
  scene.identity->pin_words = (4096 - sizeof (ConsumerRow)) / 8 - 16;
  scene.identity->n_recs = scene.identity->pin_words * 64;
  renew_header_check (scene.identity);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_CORRUPT);
  scene_end (&scene);
}

static const CheckTest tests[] = {
  { "an event of each size is taken or discarded", event_of_each_size },
  { "an event with another claim is none", event_of_another_claim },
  { "a latency of another owner of the row is none", latency_of_another_owner },
  { "an event of a consumer that has not joined is none",
      event_in_another_state },
  { "limits of each length are read or none", limits_of_each_length },
  { "limits that are no text are none, and reported",
      limits_with_an_end_inside },
  { "words and bytes that change all the time do no harm",
      noise_while_it_is_read },
  { "a block without extra parts works without them",
      block_without_extra_parts },
  { "a header with no room for the extra parts is refused", rows_too_small },
};
CHECK_MAIN (tests)
