/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Creation of a block, or adoption of one; the files have no names yet.
 *
 * Byte 0 of the lock file is locked before that file has a name, until the last
 * loan is returned.
 * Tests: core-lifecycle, core-memory, core-strict */
#include "growth-shapes-private.h"
#include "producer-private.h"
#include "core/base/result-private.h"
#include "core/base/sized-private.h"
#include "core/os/os-limits-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MODE 0600u
#define DEFAULT_BLOCK_TIMEOUT_NS (5 * NS_PER_S)

static const SizedType options_type = { "DatahubProducerOptions",
  "datahub_producer_options_init",
  SIZE_WITH (DatahubProducerOptions, slot_size),
  sizeof (DatahubProducerOptions) };

void
datahub_producer_options_init_sized (DatahubProducerOptions *options,
    size_t struct_size)
{
  DatahubProducerOptions defaults = { .struct_size = struct_size,
    .block_timeout_ns = DEFAULT_BLOCK_TIMEOUT_NS,
    .adopt = true };
  sized_out (options, struct_size, &defaults, sizeof defaults);
}

static DatahubResult
make_lock_file (DatahubProducer *producer, DatahubError *error)
{
  Block *block = &producer->block;
  LockPage page = { .magic = LOCK_MAGIC,
    .major = BLOCK_MAJOR,
    .producer_pid = (uint32_t) getpid (),
    .max_rows = block->g.max_rows,
    .flags = block->g.strict ? LOCK_FLAG_STRICT : 0 };
  int fd = os_create_unnamed (block->dir, sizeof page,
      backing_lock_mode (&producer->backing), "lock file", error);
  if (fd < 0)
    return error->code;
  memcpy (page.uuid, block->uuid.bytes, 16);
  block->lck = os_reopen_lock_fd (fd, true);
  close (fd);
  STEP (CREATE_LOCK_FILE_MADE);
  if (block->lck < 0 && errno == ENOENT && access ("/proc/self/fd", X_OK) != 0)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOENT,
        "/proc is not mounted here, so the files of a block cannot get names. "
        "Mount it: mount -t proc proc /proc.");
  if (block->lck < 0 || !os_write_all (block->lck, &page, sizeof page)
      || os_lock_try (block->lck, LOCK_BYTE_PRODUCER) != OS_LOCK_TAKEN)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The lock file in %s cannot be written and locked: %s.",
        datahub_shm_directory (), os_reason (errno));
  STEP (CREATE_BYTE_0_LOCKED);
  return DATAHUB_OK;
}

static void
fill_identity (const DatahubProducer *producer, uint32_t n_sections,
    BlockIdentity *id)
{
  const Geometry *g = &producer->block.g;
  *id = (BlockIdentity){ .magic = BLOCK_MAGIC,
    .endian = BLOCK_ENDIAN,
    .major = BLOCK_MAJOR,
    .minor = BLOCK_MINOR,
    .header_size = sizeof (BlockHeader),
    .line = BLOCK_LINE,
    .feat_incompat = g->strict ? FEATURE_STRICT : 0,
    .feat_compat = g->features,
    .epoch = 1,
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
    .n_sections = n_sections,
    .section_off = sizeof (BlockHeader),
    .created_ns = os_wall_clock (),
    .owner_uid = producer->block.user,
    .producer_pid = (uint32_t) getpid (),
    .lease_budget = g->lease_budget,
    .con_rows_off = (uint32_t) g->rows_off,
    .zone_off = g->zone_off,
    .zone_size = g->zone_size,
    .shared_zone_off = g->shared_zone_off,
    .shared_zone_size = g->shared_zone_size,
    .claims_off = g->claims_off,
    .layout_hash = geometry_layout_hash () };
  memcpy (id->uuid, producer->block.uuid.bytes, 16);
  if (producer->options.secret)
    secret_tag (producer->options.secret, &producer->block.uuid,
        id->secret_tag);
  id->header_check = fnv1a (id, offsetof (BlockIdentity, header_check));
}

/* Zero would be a valid word (sequence 0, record 0; gate at 0), so every word
 * that means something starts as "none". */
static void
fill_control (DatahubProducer *producer)
{
  Block *block = &producer->block;
  BlockHeader *header = block->header;
  BlockSection sections[SECTIONS_MAX];
  BlockIdentity id;
  store_release (&header->state, DATAHUB_STATE_UNINITIALISED);
  fill_identity (producer, geometry_sections (&block->g, sections), &id);
  memcpy (&header->identity, &id, sizeof id);
  STEP (CREATE_IDENTITY_WRITTEN);
  memcpy ((uint8_t *) header + sizeof *header, sections, sizeof sections);
  for (uint32_t i = 0; i < N_STICKY_WORDS; i++)
    store_relaxed (&block->sticky[i], RING_WORD (0, RECORD_NONE));
  for (uint32_t i = 0; i < block->g.ring_size; i++)
    store_relaxed (&block->ring[i], RING_WORD (0, RECORD_NONE));
  store_relaxed (&header->last_key_seq, DATAHUB_NONE);
  store_relaxed (&header->last_buffer_seq, DATAHUB_NONE);
  store_relaxed (&header->incarnation, 1);
  block->wake->magic = BLOCK_MAGIC;
  memcpy (block->wake->uuid, block->uuid.bytes, 16);
  ring_show_telemetry (&producer->ring);
  error_log_start (&producer->errors, block);
  store_release (&header->state, DATAHUB_STATE_MUTEX_READY);
  STEP (CREATE_CONTROL_FILLED);
}

static DatahubResult
make_control (DatahubProducer *producer, DatahubError *error)
{
  DatahubResult result =
      producer->backing.funcs->make_control (producer, error);
  if (result != DATAHUB_OK)
    return result;
  STEP (CREATE_CONTROL_MAPPED);
  fill_control (producer);
  return DATAHUB_OK;
}

static DatahubResult
choose_sizes (DatahubProducer *producer, DatahubError *error)
{
  Block *block = &producer->block;
  PoolSpace *space = &producer->pools.space;
  uint64_t first;
  uint32_t least;
  DatahubResult result;
  if (!pool_measure (&producer->pools, space))
    return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The space in %s cannot be read: %s.", datahub_shm_directory (),
        os_reason (errno));
  result =
      geometry_compute (&producer->options, space->available, &block->g, error);
  if (result != DATAHUB_OK)
    return result;
  producer->pools.max_bytes = producer->options.max_bytes
      ? producer->options.max_bytes
      : space->most / 2;
  least = producer->options.slots ? block->g.n_slots
                                  : growth_least_slots (block->g.slot_stride);
  first = least * block->g.slot_stride;
  if (first > producer->pools.max_bytes && producer->options.max_bytes)
    return result_fail (error, DATAHUB_ERROR_TOO_BIG, 0,
        "%u slots of %llu bytes take %llu bytes; max-bytes allows %llu. "
        "Raise max-bytes, or use fewer or smaller slots.",
        least, (unsigned long long) block->g.slot_stride,
        (unsigned long long) first,
        (unsigned long long) producer->pools.max_bytes);
  return DATAHUB_OK;
}

static DatahubResult
add_first_pool (DatahubProducer *producer, DatahubError *error)
{
  const Geometry *g = &producer->block.g;
  uint32_t slots;
  pool_measure (&producer->pools, &producer->pools.space);
  slots = producer->options.slots
      ? g->n_slots
      : growth_first_slots (&producer->pools, g->n_slots, g->slot_stride);
  return producer_add_pool (producer, POOL_PAYLOAD, slots, g->slot_stride,
      error);
}

static DatahubResult
build (DatahubProducer *producer, DatahubError *error)
{
  Block *block = &producer->block;
  DatahubResult result = choose_sizes (producer, error);
  if (result == DATAHUB_OK && !ring_make_state (&producer->ring))
    result =
        result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  if (result == DATAHUB_OK)
    result = make_lock_file (producer, error);
  if (result == DATAHUB_OK)
    result = make_control (producer, error);
  if (result == DATAHUB_OK)
    result = producer_add_pool (producer, POOL_SMALL, SMALL_SLOTS, SMALL_STRIDE,
        error);
  if (result == DATAHUB_OK)
    result = add_first_pool (producer, error);
  if (result == DATAHUB_OK)
    store_seq (&block->header->state, DATAHUB_STATE_READY);
  STEP (CREATE_READY);
  return result;
}

static DatahubProducer *
producer_new (const char *channel, const DatahubProducerOptions *options)
{
  DatahubProducer *producer = calloc (1, sizeof *producer);
  if (!producer)
    return NULL;
  block_reset (&producer->block);
  strncpy (producer->block.channel, channel, DATAHUB_CHANNEL_MAX);
  producer->block.user = producer->block.owner = os_user ();
  uuid_generate (&producer->block.uuid);
  uuid_to_text (&producer->block.uuid, producer->block.uuid_text);
  producer->options = *options;
  if (producer->options.mode == 0)
    producer->options.mode = DEFAULT_MODE;
  producer->generation = os_generation ();
  producer->references = 1;
  producer->incarnation = 1;
  producer->backing =
      (Backing){ .funcs = options->strict ? &strict_backing : &named_backing,
        .block = &producer->block,
        .options = &producer->options,
        .errors = &producer->errors,
        .ctl_fd = -1,
        .con_fd = -1 };
  error_log_init (&producer->errors);
  producer->ring.block = &producer->block;
  producer->ring.errors = &producer->errors;
  producer->pools.backing = &producer->backing;
  reaper_init (&producer->reaper, &producer->backing);
  pthread_mutex_init (&producer->lock, NULL);
  return producer;
}

/* Invalid options are refused before a dead block is examined. Dead blocks are
 * removed after that, as the one that can be adopted is among them. */
static DatahubResult
adopt_or_build (DatahubProducer *producer, DatahubError *error)
{
  DatahubResult result = choose_sizes (producer, error);
  bool adopted = result == DATAHUB_OK && producer->options.adopt
      && !producer->options.strict /* a sealed block cannot be adopted */
      && producer_adopt (producer);
  /* the dead block stays for the next try */
  if (result == DATAHUB_OK && !adopted)
    result = producer_may_go_on (&producer->options);
  if (result == DATAHUB_INTERRUPTED)
    return result;
  block_reclaim_some (producer->block.dir);
  if (adopted || result != DATAHUB_OK)
    return result;
  result = build (producer, error);
  if (result == DATAHUB_OK && producer->refusal)
    error_log_note (&producer->errors, producer->refusal,
        producer->refusal == DATAHUB_ERROR_VERSION
            ? "The block of a dead producer has unknown features: it is replaced."
            : "The block of a dead producer is damaged: it is replaced.");
  return result;
}

static DatahubResult
check_options (const DatahubProducerOptions *options, DatahubError *error)
{
  if (options->mode & ~0666u)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "File permissions %#o are not possible: at most 0666.", options->mode);
  /* The files of a default block are writable to each process that may read
   * them: it could truncate them, and take the rows of others. */
  if ((options->mode & 0077u) && !options->strict)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "File permissions %#o admit other users, which needs a strict block: "
        "set `strict`, or use 0600.",
        options->mode);
  if ((unsigned) options->checksum > DATAHUB_CHECKSUM_BLAKE2B)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "There is no checksum number %d.", options->checksum);
  if ((unsigned) options->hugepages > DATAHUB_HUGEPAGES_1G)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "There is no choice of huge pages number %d.", options->hugepages);
  return DATAHUB_OK;
}

static DatahubResult
create_once (const char *channel, const DatahubProducerOptions *options,
    DatahubProducer **producer, DatahubError *error)
{
  DatahubProducer *made = producer_new (channel, options);
  DatahubResult result;
  if (!made)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  made->block.dir = os_share_directory (error);
  result =
      made->block.dir < 0 ? DATAHUB_ERROR_SYSTEM : adopt_or_build (made, error);
  made->options.secret = NULL;
  made->options.may_go_on = NULL;
  if (result == DATAHUB_OK) {
    producer_update_share (made);
    *producer = made;
  } else {
    producer_free (made);
  }
  return result;
}

static void
note_file (const char *file, uint64_t bytes, void *data)
{
  bool *any = data;
  (void) file;
  (void) bytes;
  *any = true;
}

/* Removes all dead blocks. Returns whether there was one. */
static bool
reclaims_any (void)
{
  bool any = false;
  return datahub_block_reclaim (false, note_file, &any, NULL) == DATAHUB_OK
      && any;
}

/**
 * datahub_producer_create:
 * @channel: the name, see datahub_channel_is_valid()
 * @options: sizes and limits; copied, the secret is not kept
 * @producer: (out): the producer
 * @error: (out) (optional): why it failed
 *
 * Creates a block that is not visible yet. Commits are possible at once;
 * consumers can attach after datahub_producer_publish(). All memory is
 * allocated here: a full file system is %DATAHUB_ERROR_NO_SPACE with the
 * numbers, never a SIGBUS later. Files that dead processes of this
 * user left are removed first: of a part of all names, and of all if the space is
 * short. `may_go_on` can end the allocation; then nothing is
 * left, and the block of a dead producer is as it was.
 *
 * With `adopt` the block of a dead producer of that name is continued instead,
 * if it is not damaged and has the sizes, zones, mode and secret that @options
 * require (defaults fit any). Its consumers stay attached, and sequences and
 * counts continue. Committed records become visible with
 * datahub_producer_publish(), or earlier if they would fill the ring. A producer
 * that is closed before that leaves the block of the dead producer as it was.
 * datahub_producer_get_stats() shows whether a block was adopted. Takes up to
 * 0.2 s if the name is taken.
 *
 * Returns: %DATAHUB_OK, %DATAHUB_INTERRUPTED, or a failure
 */
DatahubResult
datahub_producer_create (const char *channel,
    const DatahubProducerOptions *options, DatahubProducer **producer,
    DatahubError *error)
{
  DatahubError local;
  DatahubProducerOptions known;
  DatahubResult result;
  error = error ? error : &local;
  *producer = NULL;
  result_begin (error);
  result = block_init_library (error);
  if (result != DATAHUB_OK)
    return result;
  if (!datahub_channel_is_valid (channel, error))
    return DATAHUB_ERROR_NAME;
  datahub_producer_options_init (&known);
  result = sized_in (&options_type, &known, options, error);
  if (result == DATAHUB_OK)
    result = check_options (&known, error);
  if (result != DATAHUB_OK)
    return result;
  result = create_once (channel, &known, producer, error);
  /* a start examines a part of the names: other dead blocks may hold the space */
  if (result == DATAHUB_ERROR_NO_SPACE && reclaims_any ())
    result = create_once (channel, &known, producer, error);
  return result_end (error, result);
}
