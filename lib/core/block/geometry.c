/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Computes the sizes and offsets of a block, and checks those of another
 * process.
 * Tests: core-geometry, core-hostile-header */
#include "geometry-private.h"
#include "core/base/result-private.h"

#include <stddef.h>
#include <string.h>

#define AUTO_SLOTS 32u
#define AUTO_SLOTS_SMALL 128u
#define AUTO_SLOTS_MIN 8u
#define AUTO_BYTES (UINT64_C (64) << 20)
#define AUTO_BYTES_SMALL (UINT64_C (8) << 20)
#define AUTO_ROWS 128u
#define SLOTS_MIN 4u
#define SLOTS_MAX 32768u
#define RING_MIN 4u
#define SECTIONS_OFF 0x400u
#define POOLS_OFF 0x500u
#define STICKY_OFF 0x700u
#define RING_OFF 0x800u
/* No payload this product knows is larger; keeps products in 64 bits. */
#define STRIDE_MAX (UINT64_C (1) << 40)

uint64_t
fnv1a (const void *bytes, size_t size)
{
  const uint8_t *at = bytes;
  uint64_t hash = UINT64_C (0xcbf29ce484222325);
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ at[i]) * UINT64_C (0x100000001b3);
  return hash;
}

/* Catches a peer built from another layout under the same version: hashes the
 * size and a few offsets of every shared structure. */
uint64_t
geometry_layout_hash (void)
{
  const uint32_t numbers[] = { sizeof (BlockHeader), sizeof (BlockSection),
    sizeof (PoolEntry), sizeof (BlockRecord), sizeof (WakePage),
    sizeof (PoolPage), sizeof (LockPage), offsetof (BlockHeader, wake),
    offsetof (BlockHeader, flush_seq), offsetof (BlockHeader, pool_changes),
    offsetof (BlockRecord, ctx), offsetof (BlockRecord, mem),
    offsetof (BlockRecord, incarnation), offsetof (BlockRecord, inline_bytes),
    offsetof (WakePage, room), offsetof (WakePage, attention),
    offsetof (ConsumerRow, incarnation), offsetof (ConsumerRow, name),
    offsetof (ConsumerRow, pins) };
  return fnv1a (numbers, sizeof numbers);
}

/* Of @n_slots, those that consumers may hold where upstream has @loans slots or
 * fewer: not the minimum for the ring, and not those for upstream's loans. */
uint32_t
geometry_slots_to_hold (uint32_t n_slots, uint32_t loans)
{
  uint32_t least = n_slots / 8, kept;
  if (least > LOANS_KEPT)
    least = LOANS_KEPT;
  if (least < LOANS_KEPT_MIN)
    least = LOANS_KEPT_MIN;
  kept = RING_MIN_KEPT + (loans > least ? loans : least);
  return n_slots > kept ? n_slots - kept : 0;
}

/* Slots that all quotas together may take from a pool of @n_slots. */
uint32_t
geometry_lease_budget (uint32_t n_slots)
{
  return geometry_slots_to_hold (n_slots, 0);
}

static uint32_t
power_of_two_below (uint32_t value)
{
  uint32_t power = 1;
  while (power <= value / 2)
    power *= 2;
  return power;
}

static uint32_t
auto_slots (uint64_t stride, uint64_t space)
{
  uint64_t budget = AUTO_BYTES < space / 2 ? AUTO_BYTES : space / 2;
  uint64_t slots = budget / stride;
  uint64_t small = AUTO_BYTES_SMALL / stride;
  /* small ones are many a second: more of them bridge a busy scheduler */
  if (slots > AUTO_SLOTS && small > AUTO_SLOTS && budget > AUTO_BYTES_SMALL)
    return small < AUTO_SLOTS_SMALL ? (uint32_t) small : AUTO_SLOTS_SMALL;
  if (slots > AUTO_SLOTS)
    return AUTO_SLOTS;
  return slots < AUTO_SLOTS_MIN ? AUTO_SLOTS_MIN : (uint32_t) slots;
}

/* A ring of half as many records as slots leaves the other half for loans and
 * leases; packed slots hold several records each. */
static uint32_t
auto_ring (uint32_t n_slots, bool pack)
{
  uint32_t ring = power_of_two_below (pack ? n_slots * 2 : n_slots / 2);
  return ring < RING_MIN ? RING_MIN : ring;
}

static uint32_t
end_of_pins (uint32_t pin_words)
{
  return (uint32_t) offsetof (ConsumerRow, pins) + pin_words * 8;
}

static uint32_t
row_extra_offset (uint32_t pin_words)
{
  return (uint32_t) round_up (end_of_pins (pin_words), BLOCK_LINE);
}

/* With its extra part a row has pages of its own: no two consumers write to one
 * page. */
static void
lay_out_rows (Geometry *g)
{
  uint32_t size = end_of_pins (g->pin_words);
  bool has_extra = (g->features & FEATURE_ROW_EXTRA) != 0;
  uint32_t step = g->strict || has_extra ? BLOCK_PAGE : 128;
  g->row_extra_off = 0;
  if (has_extra) {
    g->row_extra_off = row_extra_offset (g->pin_words);
    size = g->row_extra_off + (uint32_t) sizeof (RowExtra);
  }
  g->row_stride = (uint32_t) round_up (size, step);
}

static void
lay_out (Geometry *g)
{
  g->rec_stride = sizeof (BlockRecord);
  g->pin_words = (g->n_recs + 63) / 64;
  lay_out_rows (g);
  g->pools_off = POOLS_OFF;
  g->sticky_off = STICKY_OFF;
  g->ring_off = RING_OFF;
  g->records_off = round_up (g->ring_off + g->ring_size * 8, BLOCK_PAGE);
  g->zone_off = round_up (g->records_off + (uint64_t) g->n_recs * g->rec_stride,
      BLOCK_PAGE);
  g->ctl_size = round_up (g->zone_off + zone_bytes (g->zone_size), BLOCK_PAGE);
  g->rows_off = BLOCK_PAGE;
  g->shared_zone_off = BLOCK_PAGE;
  if (g->strict) {
    g->claims_off = g->ctl_size;
    g->ctl_size += round_up (g->max_rows * UINT64_C (8), BLOCK_PAGE);
  } else
    g->shared_zone_off =
        round_up (g->rows_off + (uint64_t) g->max_rows * g->row_stride,
            BLOCK_PAGE);
  if (g->features & FEATURE_ERRORS) {
    g->errors_off = g->ctl_size;
    g->ctl_size += round_up (N_ERRORS * sizeof (ErrorEntry), BLOCK_PAGE);
  }
  g->con_size = round_up (g->shared_zone_off + g->shared_zone_size, BLOCK_PAGE);
  g->lease_budget = geometry_lease_budget (g->n_slots);
}

/* Records for the ring, a batch and the contexts (rule S4). */
uint64_t
geometry_records_kept (uint32_t ring)
{
  return (uint64_t) ring + ring / 2 + CONTEXT_RECORDS + 1;
}

/* Every consumer may hold its quota and one record in passing. */
static uint64_t
records_needed (uint32_t ring, uint32_t rows, uint32_t quota)
{
  return geometry_records_kept (ring)
      + (uint64_t) rows * ((uint64_t) quota + 1);
}

/* Sizes of a new block. @space is the free space of the file system: automatic
 * choices use at most half of it. */
DatahubResult
geometry_compute (const DatahubProducerOptions *options, uint64_t space,
    Geometry *g, DatahubError *error)
{
  uint64_t records;
  memset (g, 0, sizeof *g);
  if (options->slot_size == 0 || options->slot_size > STRIDE_MAX)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "A slot size of %llu bytes is not possible.",
        (unsigned long long) options->slot_size);
  g->slot_stride = round_up (options->slot_size, BLOCK_PAGE);
  g->n_slots =
      options->slots ? options->slots : auto_slots (g->slot_stride, space);
  if (g->n_slots < SLOTS_MIN || g->n_slots > SLOTS_MAX)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "%u slots are not possible; between %u and %u are.", g->n_slots,
        SLOTS_MIN, SLOTS_MAX);
  g->max_rows = options->max_consumers ? options->max_consumers : AUTO_ROWS;
  if (g->max_rows > MAX_ROWS)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "%u consumers are not possible: a block has at most %u.", g->max_rows,
        MAX_ROWS);
  g->max_quota = options->max_pinned ? options->max_pinned : LEASES_DEFAULT;
  g->ring_size = options->ring_size ? options->ring_size
                                    : auto_ring (g->n_slots, options->pack);
  if (g->ring_size < RING_MIN || g->ring_size > MAX_RING
      || (g->ring_size & (g->ring_size - 1)))
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "A ring of %u records is not possible: a power of two from %u to %u.",
        g->ring_size, RING_MIN, MAX_RING);
  records = records_needed (g->ring_size, g->max_rows, g->max_quota);
  if (records > MAX_RECORDS)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "%u consumers with %u slots each need more records than the %u a block "
        "can have: at most %u slots each, or %u consumers.",
        g->max_rows, g->max_quota, MAX_RECORDS,
        (uint32_t) ((MAX_RECORDS - records_needed (g->ring_size, 0, 0))
                / g->max_rows
            - 1),
        (uint32_t) ((MAX_RECORDS - records_needed (g->ring_size, 0, 0))
            / ((uint64_t) g->max_quota + 1)));
  g->n_recs = (uint32_t) records;
  g->features = FEATURES_COMPAT_KNOWN;
  g->strict = options->strict;
  g->zone_size = options->zone_size;
  g->shared_zone_size = options->shared_zone_size;
  lay_out (g);
  return DATAHUB_OK;
}

/* Whether this build would compute @g from the same numbers. A process that
 * writes to a block of another must be sure that its parts do not overlap, and
 * that it has the records that a stream needs. */
bool
geometry_is_ours (const Geometry *g)
{
  Geometry ours;
  memcpy (&ours, g, sizeof ours);
  lay_out (&ours);
  return g->n_recs == records_needed (g->ring_size, g->max_rows, g->max_quota)
      && memcmp (&ours, g, sizeof ours) == 0;
}

/* Sections that this build knows of a block with @features. */
static uint32_t
n_sections (uint64_t features)
{
  return features & FEATURE_ERRORS ? N_SECTIONS + 1 : N_SECTIONS;
}

/* Fills in the table of sections and returns how many there are. */
uint32_t
geometry_sections (const Geometry *g, BlockSection sections[SECTIONS_MAX])
{
  const BlockSection all[SECTIONS_MAX] = {
    { SECTION_POOLS, 0, g->pools_off, MAX_POOLS * sizeof (PoolEntry), MAX_POOLS,
        sizeof (PoolEntry) },
    { SECTION_STICKY, 0, g->sticky_off, N_STICKY_WORDS * 8, N_STICKY_WORDS, 8 },
    { SECTION_RING, 0, g->ring_off, g->ring_size * 8, g->ring_size, 8 },
    { SECTION_RECORDS, 0, g->records_off, (uint64_t) g->n_recs * g->rec_stride,
        g->n_recs, g->rec_stride },
    { SECTION_ERRORS, 0, g->errors_off, N_ERRORS * sizeof (ErrorEntry),
        N_ERRORS, sizeof (ErrorEntry) },
  };
  memset (sections, 0, SECTIONS_MAX * sizeof sections[0]);
  memcpy (sections, all, n_sections (g->features) * sizeof all[0]);
  return n_sections (g->features);
}

static DatahubResult
refuse (DatahubError *error, const char *what)
{
  return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
      "The block is damaged: %s.", what);
}

static DatahubResult
check_version (const BlockIdentity *id, BlockAccess access, DatahubError *error)
{
  if (id->magic != BLOCK_MAGIC)
    return refuse (error, "its first bytes are not a DataBlock's");
  if (id->endian != BLOCK_ENDIAN)
    return result_fail (error, DATAHUB_ERROR_VERSION, 0,
        "The block was made on a machine with another byte order.");
  if (id->major != BLOCK_MAJOR)
    return result_fail (error, DATAHUB_ERROR_VERSION, 0,
        "The block has version %u, this program supports version %u: upgrade "
        "the %s.",
        id->major, BLOCK_MAJOR,
        id->major > BLOCK_MAJOR ? "consumer" : "producer");
  if (id->feat_incompat & ~FEATURES_INCOMPAT_KNOWN)
    return result_fail (error, DATAHUB_ERROR_VERSION, 0,
        "The block uses features (%#llx) that this program does not know: "
        "upgrade the consumer.",
        (unsigned long long) (id->feat_incompat & ~FEATURES_INCOMPAT_KNOWN));
  if (access != ACCESS_OBSERVE
      && (id->feat_ro_compat & ~FEATURES_RO_COMPAT_KNOWN))
    return result_fail (error, DATAHUB_ERROR_VERSION, 0,
        "The block uses features (%#llx) that this program does not know, so "
        "that it can only observe: upgrade the consumer.",
        (unsigned long long) (id->feat_ro_compat & ~FEATURES_RO_COMPAT_KNOWN));
  if (id->header_check != fnv1a (id, offsetof (BlockIdentity, header_check)))
    return refuse (error, "its header does not match its check sum");
  if (id->layout_hash != geometry_layout_hash ())
    return result_fail (error, DATAHUB_ERROR_VERSION, 0,
        "The block was made by a build with another memory layout: build both "
        "ends from the same release.");
  return DATAHUB_OK;
}

static bool
section_fits (const BlockSection *s, uint64_t ctl_size)
{
  return s->offset >= sizeof (BlockHeader) && s->offset % 8 == 0
      && s->offset <= ctl_size && s->size <= ctl_size - s->offset
      && s->stride > 0 && s->count <= s->size / s->stride;
}

static bool
take_section (const BlockSection *s, Geometry *g)
{
  switch (s->kind) {
    case SECTION_POOLS:
      g->pools_off = s->offset;
      return s->count == MAX_POOLS && s->stride == sizeof (PoolEntry);
    case SECTION_STICKY:
      g->sticky_off = s->offset;
      return s->count == N_STICKY_WORDS && s->stride == 8;
    case SECTION_RING:
      g->ring_off = s->offset;
      return s->count == g->ring_size && s->stride == 8;
    case SECTION_RECORDS:
      g->records_off = s->offset;
      return s->count == g->n_recs && s->stride == g->rec_stride;
    case SECTION_ERRORS:
      g->errors_off = s->offset;
      return s->count == N_ERRORS && s->stride == sizeof (ErrorEntry);
  }
  return true; /* a kind of a later minor version */
}

static bool
zones_fit (const BlockIdentity *id, uint64_t ctl_size, uint64_t con_size)
{
  return id->zone_size <= UINT32_MAX && id->zone_off % BLOCK_LINE == 0
      && id->zone_off <= ctl_size
      && zone_bytes (id->zone_size) <= ctl_size - id->zone_off
      && (id->zone_size == 0 || id->zone_off >= sizeof (BlockHeader))
      && id->shared_zone_off % BLOCK_LINE == 0
      && id->shared_zone_off <= con_size
      && id->shared_zone_size <= con_size - id->shared_zone_off
      && (id->shared_zone_size == 0 || id->shared_zone_off >= id->con_rows_off);
}

static bool
numbers_agree (const BlockIdentity *id, uint64_t con_size)
{
  return id->ring_size >= RING_MIN && id->ring_size <= MAX_RING
      && (id->ring_size & (id->ring_size - 1)) == 0 && id->n_recs > 0
      && id->n_recs <= MAX_RECORDS && id->max_rows > 0
      && id->max_rows <= MAX_ROWS && id->rec_stride >= sizeof (BlockRecord)
      && id->rec_stride <= BLOCK_PAGE && id->rec_stride % 8 == 0
      && id->pin_words == (id->n_recs + 63) / 64 && id->row_stride % 64 == 0
      && id->row_stride
      >= offsetof (ConsumerRow, pins) + id->pin_words * UINT64_C (8)
      && id->row_stride <= 65536 && id->con_rows_off >= BLOCK_PAGE
      && id->con_rows_off % 64 == 0 && id->con_rows_off <= con_size;
}

static bool
row_extra_fits (const BlockIdentity *id)
{
  return !(id->feat_compat & FEATURE_ROW_EXTRA)
      || (id->row_stride % BLOCK_PAGE == 0
          && id->row_stride
              >= row_extra_offset (id->pin_words) + sizeof (RowExtra));
}

/* Rows are in the consumer table, or (strict) each on pages of its own that
 * only its owner maps. In that case ctl lists the owners. */
static bool
rows_fit (const BlockIdentity *id, uint64_t ctl_size, uint64_t con_size)
{
  uint64_t claims = (uint64_t) id->max_rows * 8;
  if (id->feat_incompat & FEATURE_STRICT)
    return id->row_stride % BLOCK_PAGE == 0 && id->claims_off % 8 == 0
        && id->claims_off >= sizeof (BlockHeader) && id->claims_off <= ctl_size
        && claims <= ctl_size - id->claims_off;
  return (uint64_t) id->max_rows * id->row_stride
      <= con_size - id->con_rows_off;
}

/* Checks the values of a creator, once, on private copies. @ctl_size and
 * @con_size are the sizes of the files themselves. No value of @identity must
 * be used before it was checked. */
DatahubResult
geometry_validate (const BlockIdentity *id,
    const BlockSection sections[SECTIONS_MAX], BlockAccess access,
    uint64_t ctl_size, uint64_t con_size, Geometry *g, DatahubError *error)
{
  uint32_t seen = 0, n = n_sections (id->feat_compat);
  DatahubResult result = check_version (id, access, error);
  memset (g, 0, sizeof *g);
  if (result != DATAHUB_OK)
    return result;
  if (id->header_size != sizeof (BlockHeader) || id->ctl_size != ctl_size
      || id->con_size != con_size)
    return refuse (error, "its files have other sizes than in its header");
  if (!numbers_agree (id, con_size) || !rows_fit (id, ctl_size, con_size)
      || !row_extra_fits (id) || !zones_fit (id, ctl_size, con_size))
    return refuse (error, "the numbers of its header contradict each other");
  g->ring_size = id->ring_size;
  g->n_recs = id->n_recs;
  g->max_rows = id->max_rows;
  g->max_quota = id->max_quota;
  g->pin_words = id->pin_words;
  g->row_stride = id->row_stride;
  g->rec_stride = id->rec_stride;
  g->n_slots = id->n_slots;
  g->slot_stride = id->slot_stride;
  g->rows_off = id->con_rows_off;
  g->zone_off = id->zone_off;
  g->zone_size = id->zone_size;
  g->shared_zone_off = id->shared_zone_off;
  g->shared_zone_size = id->shared_zone_size;
  g->lease_budget = id->lease_budget;
  g->features = id->feat_compat;
  g->strict = (id->feat_incompat & FEATURE_STRICT) != 0;
  g->claims_off = id->claims_off;
  if (g->features & FEATURE_ROW_EXTRA)
    g->row_extra_off = row_extra_offset (id->pin_words);
  g->ctl_size = ctl_size;
  g->con_size = con_size;
  for (uint32_t i = 0; i < n; i++) {
    if (!section_fits (&sections[i], ctl_size)
        || !take_section (&sections[i], g))
      return refuse (error, "its table of sections reaches outside of it");
    if (sections[i].kind <= n)
      seen |= 1u << sections[i].kind;
  }
  if (seen != (1u << (n + 1)) - 2) /* kinds 1 to n */
    return refuse (error, "a section is missing");
  if (g->max_quota > MAX_RECORDS)
    return refuse (error, "its quota is impossible");
  return DATAHUB_OK;
}
