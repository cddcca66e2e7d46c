/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arithmetic of sizes, at every boundary of every option and at random: what
 * is computed is accepted by those who attach, what they accept lies inside of
 * the files, and no sum of it is beyond 64 bits. Sums are made again in 128
 * bits. */
#include "hostile.h"

#include "core/block/block-private.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 Wide;

/* Where an option may change its mind. */
static const uint64_t slot_sizes[] = { 0, 1, 4095, 4096, 4097, 6220800,
  (UINT64_C (1) << 40) - 1, UINT64_C (1) << 40, (UINT64_C (1) << 40) + 1,
  UINT64_MAX };
static const uint32_t slot_counts[] = { 0, 1, 3, 4, 5, 16, 32767, 32768, 32769,
  UINT32_MAX };
static const uint32_t rings[] = { 0, 1, 2, 4, 5, 1024, 32768, 65536,
  UINT32_MAX };
static const uint32_t row_counts[] = { 0, 1, 128, 256, 257, UINT32_MAX };
static const uint32_t quotas[] = { 0, 1, 126, 65400, 65534, UINT32_MAX };
static const uint32_t zones[] = { 0, 1, 4096, UINT32_MAX };
static const uint64_t spaces[] = { 0, UINT64_C (1) << 20, UINT64_MAX };

#define N(array) (sizeof (array) / sizeof (array)[0])

static BlockIdentity
identity_of (const Geometry *g)
{
  BlockIdentity id = { .magic = BLOCK_MAGIC,
    .endian = BLOCK_ENDIAN,
    .major = BLOCK_MAJOR,
    .header_size = sizeof (BlockHeader),
    .line = BLOCK_LINE,
    .ctl_size = g->ctl_size,
    .con_size = g->con_size,
    .dat_size = pool_size (g->n_slots, g->slot_stride),
    .n_slots = g->n_slots,
    .n_recs = g->n_recs,
    .slot_stride = g->slot_stride,
    .ring_size = g->ring_size,
    .rec_stride = g->rec_stride,
    .max_rows = g->max_rows,
    .row_stride = g->row_stride,
    .pin_words = g->pin_words,
    .max_quota = g->max_quota,
    .n_sections = N_SECTIONS + 1,
    .feat_compat = g->features,
    .section_off = sizeof (BlockHeader),
    .lease_budget = g->lease_budget,
    .con_rows_off = (uint32_t) g->rows_off,
    .zone_off = g->zone_off,
    .zone_size = g->zone_size,
    .shared_zone_off = g->shared_zone_off,
    .shared_zone_size = g->shared_zone_size,
    .layout_hash = geometry_layout_hash () };
  renew_header_check (&id);
  return id;
}

/* All that is ever reached by these numbers. */
static void
check_inside (const Geometry *g)
{
  Wide n_recs = g->n_recs, rows = g->max_rows;
  CHECK ((g->ring_size & (g->ring_size - 1)) == 0 && g->ring_size >= 4);
  CHECK (n_recs <= MAX_RECORDS && rows > 0 && rows <= MAX_ROWS);
  CHECK (g->rec_stride >= sizeof (BlockRecord) && g->rec_stride % 8 == 0);
  CHECK ((Wide) g->pin_words * 64 >= n_recs);
  CHECK (sizeof (ConsumerRow) + (Wide) g->pin_words * 8 <= g->row_stride);
  if (g->row_extra_off)
    CHECK (g->row_extra_off % 64 == 0
        && sizeof (ConsumerRow) + (Wide) g->pin_words * 8 <= g->row_extra_off
        && (Wide) g->row_extra_off + sizeof (RowExtra) <= g->row_stride);
  CHECK (g->pools_off % 8 == 0 && g->ring_off % 8 == 0);
  CHECK (g->sticky_off % 8 == 0 && g->records_off % 8 == 0);
  CHECK ((Wide) g->pools_off + MAX_POOLS * sizeof (PoolEntry) <= g->ctl_size);
  CHECK ((Wide) g->sticky_off + N_STICKY_WORDS * 8 <= g->ctl_size);
  CHECK ((Wide) g->ring_off + (Wide) g->ring_size * 8 <= g->ctl_size);
  CHECK (g->errors_off % 8 == 0);
  CHECK ((Wide) g->errors_off + N_ERRORS * sizeof (ErrorEntry) <= g->ctl_size);
  CHECK ((Wide) g->records_off + n_recs * g->rec_stride <= g->ctl_size);
  CHECK (g->rows_off % 64 == 0 && g->rows_off >= sizeof (WakePage));
  CHECK ((Wide) g->rows_off + rows * g->row_stride <= g->con_size);
  if (g->zone_size)
    CHECK (g->zone_off % 64 == 0
        && (Wide) g->zone_off + 64
                + ZONE_COPIES * (((Wide) g->zone_size + 63) / 64 * 64)
            <= g->ctl_size);
  CHECK (g->shared_zone_off % 64 == 0
      && (Wide) g->shared_zone_off + g->shared_zone_size <= g->con_size);
}

/* What a creator promises on top: nothing overlaps, and its pool has a size. */
static void
check_computed (const Geometry *g, const DatahubProducerOptions *options)
{
  check_inside (g);
  CHECK (g->pools_off
      >= sizeof (BlockHeader) + SECTIONS_MAX * sizeof (BlockSection));
  CHECK (g->sticky_off >= g->pools_off + MAX_POOLS * sizeof (PoolEntry));
  CHECK (g->ring_off >= g->sticky_off + N_STICKY_WORDS * 8);
  CHECK (g->records_off >= g->ring_off + (Wide) g->ring_size * 8);
  CHECK (g->zone_off >= g->records_off + (Wide) g->n_recs * g->rec_stride);
  CHECK (g->shared_zone_off
      >= g->rows_off + (Wide) g->max_rows * g->row_stride);
  CHECK (g->slot_stride >= options->slot_size && g->slot_stride % 4096 == 0);
  CHECK (pool_size (g->n_slots, g->slot_stride)
      == (Wide) g->n_slots * g->slot_stride + BLOCK_PAGE);
  CHECK (g->n_recs > g->ring_size + (Wide) g->max_rows * (g->max_quota + 1));
  CHECK (g->lease_budget < g->n_slots);
  /* no two consumers write to one page */
  CHECK (g->row_extra_off && g->row_stride % BLOCK_PAGE == 0);
}

static void
check_accepted (const Geometry *g)
{
  BlockIdentity id = identity_of (g);
  BlockSection sections[SECTIONS_MAX];
  Geometry seen;
  geometry_sections (g, sections);
  CHECK_OK (geometry_validate (&id, sections, ACCESS_CONSUME, g->ctl_size,
      g->con_size, &seen, &err));
  CHECK (memcmp (&seen, g, sizeof seen) == 0);
}

/* One set of options. Returns whether a block of them is possible. */
static bool
check_options (const DatahubProducerOptions *options, uint64_t space)
{
  Geometry g;
  err.message[0] = 0;
  DatahubResult result = geometry_compute (options, space, &g, &err);
  if (result != DATAHUB_OK) {
    CHECK_RESULT (result, DATAHUB_ERROR_INVALID);
    CHECK (err.message[0] != 0);
    return false;
  }
  check_computed (&g, options);
  check_accepted (&g);
  return true;
}

/* A block that an older version made: rows as tight as they were, without extra
 * parts. It is accepted as it is, and can be adopted. */
static void
older_rows (void)
{
  DatahubProducerOptions o;
  Geometry g;
  datahub_producer_options_init (&o);
  o.slot_size = 4096;
  CHECK_OK (geometry_compute (&o, UINT64_MAX, &g, &err));
  CHECK (geometry_is_ours (&g));
  g.features &= ~FEATURE_ROW_EXTRA;
  CHECK (!geometry_is_ours (&g));
  g.row_extra_off = 0;
  g.row_stride =
      (uint32_t) round_up (sizeof (ConsumerRow) + g.pin_words * 8, 128);
  g.shared_zone_off = round_up (g.rows_off + g.max_rows * g.row_stride, 4096);
  g.con_size = g.shared_zone_off;
  CHECK (geometry_is_ours (&g));
  check_accepted (&g);
}

static uint64_t
check_slots (DatahubProducerOptions options)
{
  uint64_t possible = 0;
  for (size_t size = 0; size < N (slot_sizes); size++)
    for (size_t slots = 0; slots < N (slot_counts); slots++)
      for (size_t space = 0; space < N (spaces); space++) {
        options.slot_size = slot_sizes[size];
        options.slots = slot_counts[slots];
        possible += check_options (&options, spaces[space]);
      }
  return possible;
}

static void
every_boundary (void)
{
  uint64_t possible = 0;
  DatahubProducerOptions o;
  datahub_producer_options_init (&o);
  for (size_t ring = 0; ring < N (rings); ring++)
    for (size_t rows = 0; rows < N (row_counts); rows++)
      for (size_t quota = 0; quota < N (quotas); quota++)
        for (size_t zone = 0; zone < N (zones) * N (zones) * 2; zone++) {
          o.ring_size = rings[ring];
          o.max_consumers = row_counts[rows];
          o.max_pinned = quotas[quota];
          o.zone_size = zones[zone / 2 % N (zones)];
          o.shared_zone_size = zones[zone / 2 / N (zones)];
          o.pack = zone % 2;
          possible += check_slots (o);
        }
  check_note ("%llu possible", (unsigned long long) possible);
  CHECK_INT (possible, >, 100000);
}

static void
options_at_random (void)
{
  uint64_t seed = check_now_ns (), possible = 0;
  DatahubProducerOptions o;
  check_note ("seed %llu", (unsigned long long) seed);
  datahub_producer_options_init (&o);
  for (int i = 0; i < 200000; i++) {
    o.slot_size = check_noise (&seed) >> check_noise (&seed) % 64;
    o.slots =
        (uint32_t) (check_noise (&seed) >> 32 >> check_noise (&seed) % 32);
    o.ring_size = check_noise (&seed) % 2
        ? 1u << check_noise (&seed) % 17
        : (uint32_t) (check_noise (&seed) >> 32 >> check_noise (&seed) % 32);
    o.max_consumers =
        (uint32_t) (check_noise (&seed) >> 32 >> check_noise (&seed) % 32);
    o.max_pinned =
        (uint32_t) (check_noise (&seed) >> 32 >> check_noise (&seed) % 32);
    o.zone_size =
        (uint32_t) (check_noise (&seed) >> 32 >> check_noise (&seed) % 32);
    o.shared_zone_size =
        (uint32_t) (check_noise (&seed) >> 32 >> check_noise (&seed) % 32);
    o.pack = check_noise (&seed) % 2;
    possible +=
        check_options (&o, check_noise (&seed) >> check_noise (&seed) % 64);
  }
  CHECK_INT (possible, >, 1000);
}

/* A value near where something may go wrong, or any. */
static uint64_t
odd_value (uint64_t *seed, uint64_t old)
{
  uint64_t power = UINT64_C (1) << check_noise (seed) % 64;
  switch (check_noise (seed) % 6) {
    case 0:
      return old + 1;
    case 1:
      return old - 1;
    case 2:
      return old + 64 * (check_noise (seed) % 128);
    case 3:
      return power;
    case 4:
      return power - 1;
    default:
      return UINT64_MAX - check_noise (seed) % 8192;
  }
}

/* A few words of a sound header and its sections changed, the check sum right:
 * what is accepted is inside. */
static void
headers_at_random (void)
{
  uint64_t seed = check_now_ns (), accepted = 0;
  check_note ("seed %llu", (unsigned long long) seed);
  for (int i = 0; i < 400000; i++) {
    DatahubProducerOptions o;
    BlockSection sections[SECTIONS_MAX];
    Geometry g;
    datahub_producer_options_init (&o);
    o.slot_size = 4096;
    o.zone_size = 100;
    o.shared_zone_size = i % 3 * 100;
    o.max_consumers = 1 + (uint32_t) i % 7;
    CHECK_OK (geometry_compute (&o, UINT64_MAX, &g, &err));
    BlockIdentity id = identity_of (&g);
    geometry_sections (&g, sections);
    uint64_t sizes[2] = { g.ctl_size, g.con_size };
    for (uint64_t n = check_noise (&seed) % 3; n < 3; n++) {
      bool wide = check_noise (&seed) % 2, of_section = check_noise (&seed) % 2;
      uint64_t size =
          of_section ? sizeof sections : offsetof (BlockIdentity, layout_hash);
      uint8_t *at = (of_section ? (uint8_t *) sections : (uint8_t *) &id);
      uint64_t value = 0, width = wide ? 8 : 4;
      /* past the version, which refuses first */
      at += of_section ? 0 : offsetof (BlockIdentity, ctl_size);
      size -= of_section ? 0 : offsetof (BlockIdentity, ctl_size);
      at += check_noise (&seed) % (size / width) * width;
      memcpy (&value, at, width);
      value = odd_value (&seed, value);
      memcpy (at, &value, width);
    }
    if (check_noise (&seed) % 2) { /* files that are as long as it says */
      sizes[0] = id.ctl_size;
      sizes[1] = id.con_size;
    }
    renew_header_check (&id);
    if (geometry_validate (&id, sections, ACCESS_CONSUME, sizes[0], sizes[1],
            &g, &err)
        != DATAHUB_OK)
      continue;
    accepted++;
    check_inside (&g);
  }
  CHECK_INT (accepted, >, 1000);
}

/* An entry of the pool table: what is taken multiplies to what its file is. */
static void
pools_at_random (void)
{
  uint64_t seed = check_now_ns (), taken = 0;
  check_note ("seed %llu", (unsigned long long) seed);
  for (int i = 0; i < 400000; i++) {
    PoolEntry entry = { 0 };
    PoolShape shape;
    uint32_t n_slots =
        (uint32_t) (check_noise (&seed) >> 32 >> check_noise (&seed) % 32);
    uint64_t stride = check_noise (&seed) >> check_noise (&seed) % 64;
    stride = check_noise (&seed) % 4 ? stride / 64 * 64 : stride;
    atomic_store (&entry.gen, 1);
    atomic_store (&entry.kind, (uint32_t) check_noise (&seed) % 3);
    atomic_store (&entry.n_slots, n_slots);
    atomic_store (&entry.stride, stride);
    atomic_store (&entry.size,
        check_noise (&seed) % 4 ? n_slots * stride + BLOCK_PAGE
                                : check_noise (&seed));
    if (!pool_shape_read (&entry, &shape))
      continue;
    taken++;
    CHECK (shape.size == (Wide) shape.n_slots * shape.stride + BLOCK_PAGE);
  }
  CHECK_INT (taken, >, 1000);
}

static const CheckTest tests[] = {
  { "rows of an older version are accepted as they are", older_rows },
  { "what is computed is accepted, at every boundary of every option",
      every_boundary },
  { "what is computed is accepted, for options at random", options_at_random },
  { "what is accepted lies inside of its files", headers_at_random },
  { "an entry of the pool table multiplies to its file", pools_at_random },
};
CHECK_MAIN (tests)
