/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One mapped DataBlock, as used by producer, consumer and inspection. */
#ifndef DATAHUB_BLOCK_PRIVATE_H
#define DATAHUB_BLOCK_PRIVATE_H

#include "geometry-private.h"
#include "core/base/names-private.h"
#include "core/os/os-private.h"
#include "core/base/steps-private.h"

#include <datahub/block.h>

/* A sleeper looks at the producer's lock after this time (W3), or later if no record was
 * due or none has come for a while: at the latest after IDLE_SLICE_NS. That is half of
 * DATAHUB_STALLED_NS: a thread that sleeps gives signs of life in time. */
#define SLEEP_SLICE_NS (100 * NS_PER_MS)
#define IDLE_SLICE_NS (3 * NS_PER_S / 2)
/* A producer waiting for room retries everything this often (W5): twice in the
 * 10 ms within which a killed consumer's slots are to be back. */
#define ROOM_SLICE_NS (5 * NS_PER_MS)

/* The access that the server of a strict block granted to this process. */
typedef struct
{
  int connection; /* receives pools */
  int token; /* its lock marks this client as alive; -1: an observer */
  uint32_t row, quota;
  uint8_t *row_map;
  uint32_t n_pools; /* received and not mapped yet */
  struct
  {
    uint32_t gen;
    int fd;
  } pools[2 * MAX_POOLS];
  const shared_u32 *interrupted; /* interrupts a wait for a pool; may be NULL */
  uint32_t n_infos; /* of an observer: the consumers that the server listed */
  DatahubConsumerInfo infos[MAX_ROWS];
} Access;

struct _DatahubWatch;
/* A request for access to a block, with its proof. */
typedef struct
{
  const uint8_t *secret; /* or NULL; a ticket is made from it */
  const uint8_t *ticket; /* or NULL */
  uint32_t max_pinned;
  int64_t timeout_ns;
  struct _DatahubWatch *watch; /* its interrupt ends the wait; may be NULL */
  const shared_u32 *interrupted; /* ends a wait for a pool; or NULL */
  bool observes; /* requests only the access of an observer, without a row */
} AccessRequest;

int watch_interrupt_fd (struct _DatahubWatch *watch);
bool watch_is_interrupted (struct _DatahubWatch *watch);

typedef struct _Block Block;

/* A private, checked copy of an entry of the pool table. */
typedef struct
{
  uint32_t gen;
  uint32_t kind;
  uint32_t n_slots;
  uint64_t stride;
  uint64_t size;
} PoolShape;

/* How a process gets at the memory of a block that it did not make: it opens the
 * files of a named block, and a server sends it those of a strict block. Chosen
 * once, when the entry is opened. */
typedef struct
{
  /* Maps the parts of @block; its entry is open. */
  DatahubResult (*open) (Block *block, BlockAccess access,
      const AccessRequest *request, DatahubError *error);
  /* Unmaps the consumer table and gives back the rest of what open() got. */
  void (*close) (Block *block);

  /* Pools. A descriptor that the caller owns; -1 and errno. */
  int (*open_pool) (const Block *block, uint32_t gen, bool writable);
  bool (*is_pool_size) (const Block *block, int fd, const PoolShape *shape,
      uint64_t size);
  void (*forget_pools) (const Block *block); /* that are in no table */

  /* Rows. A row for a new consumer, or -1. */
  int (*take_row) (const Block *block);
  /* False: the consumers agree on quotas among themselves. */
  bool (*get_quota) (const Block *block, uint32_t *quota);
  uint32_t (*read_rows) (const Block *block, int lock_fd,
      DatahubConsumerInfo *infos, uint32_t max_infos);
  bool
      keeps_row_byte; /* a consumer locks the byte of its row when it attaches */
} ClientFuncs;

extern const ClientFuncs named_client;
extern const ClientFuncs strict_client;

/* Times of CLOCK_MONOTONIC from here on are no times. */
#define CLOCK_TIME_MAX (INT64_C (1) << 62)

/* How the CLOCK_MONOTONIC of a producer is seen from this process. */
typedef struct
{
  DatahubClockState state;
  int64_t offset_ns; /* add it to the producer's times; 0 unless MAPPED */
  int64_t shown_ns; /* the offset that its pair shows, believed or not */
  int64_t own_difference; /* CLOCK_REALTIME - CLOCK_MONOTONIC of this process */
} ClockOffset;

struct _Block
{
  const ClientFuncs *client; /* of the producer's own block: named_client */
  int dir;
  int lck; /* own open description; holds the locks of this handle */
  uint32_t user; /* the number in the names of its files */
  uint32_t owner; /* of its files, as this process sees it */
  Uuid uuid;
  char uuid_text[DATAHUB_UUID_TEXT];
  uint32_t producer_pid; /* as in lck; for messages only */
  char channel[DATAHUB_CHANNEL_MAX + 1];
  Geometry g;
  /* mappings; ctl is read-only except for the producer */
  BlockHeader *header;
  WakePage *wake;
  /* inside them */
  PoolEntry *pools;
  shared_u64 *sticky;
  shared_u64 *ring;
  uint8_t *records;
  ErrorEntry *errors; /* N_ERRORS; NULL: the block has no FEATURE_ERRORS */
  uint8_t *rows;
  shared_u32 *rows_hwm; /* rows ever used */
  shared_u64 *claims; /* of a strict block: the consumers in rows, or NULL */
  Access *access; /* of a client of a strict block; else NULL */
  ClockOffset clock; /* as it was opened; of the producer's own block: 0 */
};

/* Whether readers can begin with a buffer of these flags. */
static inline bool
flags_begin (uint32_t flags)
{
  return !(flags & (DATAHUB_FLAG_DELTA_UNIT | DATAHUB_FLAG_INSIDE));
}

static inline BlockRecord *
block_record (const Block *block, uint32_t record)
{
  return (BlockRecord *) (block->records
      + (size_t) record * block->g.rec_stride);
}

static inline ConsumerRow *
block_row (const Block *block, uint32_t row)
{
  return (ConsumerRow *) (block->rows + (size_t) row * block->g.row_stride);
}

/* NULL: the rows of the block have none. */
static inline RowExtra *
block_row_extra (const Block *block, uint32_t row)
{
  if (block->g.row_extra_off == 0)
    return NULL;
  return (RowExtra *) ((uint8_t *) block_row (block, row)
      + block->g.row_extra_off);
}

static inline shared_u64 *
block_ring_word (const Block *block, uint64_t sequence)
{
  return &block->ring[sequence & (block->g.ring_size - 1)];
}

/* Whether a pool is in the table. */
static inline bool
block_names_pool (const Block *block, uint32_t gen)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (load_seq (&block->pools[i].gen) == gen)
      return true;
  return false;
}

/* The number of rows that may be in use, limited to the size of the table (the
 * word is not trusted). */
static inline uint32_t
block_rows_in_use (const Block *block)
{
  uint32_t rows = load_seq (block->rows_hwm); /* A0, A4 */
  return rows < block->g.max_rows ? rows : block->g.max_rows;
}

/* Whether the block belongs to another user than this process. */
static inline bool
block_is_foreign (const Block *block)
{
  return block->owner != os_user ();
}

/* A time of the producer as one of this process; what is no time is left as it
 * is. The offset is at most 2^60. */
static inline int64_t
clock_to_own (int64_t time, int64_t offset_ns)
{
  return time > -CLOCK_TIME_MAX && time < CLOCK_TIME_MAX ? time + offset_ns
                                                         : time;
}

/* The same for a word, which cannot be before 0. */
static inline uint64_t
clock_word_to_own (uint64_t time, int64_t offset_ns)
{
  int64_t own;
  if (offset_ns == 0 || time == 0 || time >= (uint64_t) CLOCK_TIME_MAX)
    return time;
  own = clock_to_own ((int64_t) time, offset_ns);
  return own > 0 ? (uint64_t) own : 1;
}

/* The time since a heartbeat, which is a time of this process. Its owner writes the
 * word: a time in the future counts as now. */
static inline uint64_t
silence_since (uint64_t heartbeat)
{
  uint64_t now = (uint64_t) os_now ();
  return heartbeat && heartbeat < now ? now - heartbeat : 0;
}

/* The time since a commit, of which the producer wrote the time; negative: it is of the
 * future, or no time. */
static inline int64_t
block_age_at (const Block *block, uint64_t commit_ns, int64_t now)
{
  uint64_t own = clock_word_to_own (commit_ns, block->clock.offset_ns);
  return own <= (uint64_t) now ? now - (int64_t) own : -1;
}

/* The heartbeat of the producer as a time of this process. */
static inline uint64_t
block_heartbeat (const Block *block)
{
  return clock_word_to_own (load_relaxed (&block->header->heartbeat),
      block->clock.offset_ns);
}

DatahubResult block_init_library (DatahubError *error);
void block_reset (Block *block);
DatahubResult block_open (Block *block, const char *channel, BlockAccess access,
    DatahubError *error);
DatahubResult block_open_entry (Block *block, const char *channel, bool *strict,
    DatahubError *error);
DatahubResult block_open_as (Block *block, const char *channel,
    BlockAccess access, const AccessRequest *request, DatahubError *error);
DatahubResult block_map_control (Block *block, int ctl, uint64_t ctl_size,
    int con, uint64_t con_size, BlockAccess access, DatahubError *error);
void block_release (Block *block);
bool block_is_writer_alive (const Block *block);
bool block_row_is_alive (const Block *block, int lock_fd, uint32_t row);
uint64_t block_row_claim (const Block *block, uint32_t row);
void block_set_pointers (Block *block);
void block_attend (Block *block);

bool pool_shape_read (const PoolEntry *entry, PoolShape *shape);
void *pool_open (const Block *block, const PoolShape *shape, int *fd,
    uint64_t *map_size, bool writable, DatahubError *error);

typedef void (*NameFunc) (int dir, const char *file, void *data);
void block_for_each_name (int dir, NameFunc func, void *data);
void block_for_some_names (int dir, int64_t *at, uint32_t most, NameFunc func,
    void *data);
bool block_is_own_file (int dir, const char *file);

/* Names: the rules and the order for unlinking (rule N1). */
DatahubResult block_take_over (int dir, const char *channel,
    DatahubError *error);
OsLock block_lock_for_producer (int fd);
uint32_t block_count_stray_pools (const Block *block, const uint32_t *gens,
    uint32_t n_gens);
void block_unlink_stray_pools (const Block *block, const uint32_t *gens,
    uint32_t n_gens);
bool block_close_for_the_dead (const char *channel, const Uuid *uuid);
bool block_names_lagging (const Block *block);
void block_unlink_parts (int dir, uint32_t user, const Uuid *uuid);
bool block_reclaim_dead (int dir, uint32_t user, const Uuid *uuid);
bool block_is_lock_file_dead (int dir, const char *file);
void block_reclaim_some (int dir);

/* Rows. */
bool row_holds_pins (const Block *block, ConsumerRow *row);
uint64_t departures_note (uint64_t word, uint64_t claim);
bool departures_has (uint64_t word, uint64_t claim);
void row_note_departure (ConsumerRow *row);
bool row_is_neutral (const Block *block, uint32_t row);
void row_clean (Block *block, uint32_t row);
void row_judge_silence (const Block *block, DatahubConsumerInfo *info);
void row_read_name (const ConsumerRow *row,
    char name[DATAHUB_CONSUMER_NAME_MAX]);
void row_clean_name (char name[DATAHUB_CONSUMER_NAME_MAX]);
bool row_read_info (const Block *block, int lock_fd, uint32_t row,
    DatahubConsumerInfo *info);
void block_read_indices (const Block *block, uint32_t own_row,
    DatahubIndices *indices);

uint32_t rows_read (const Block *block, int lock_fd, DatahubConsumerInfo *infos,
    uint32_t max_infos);

static inline uint32_t
block_read_rows (const Block *block, int lock_fd, DatahubConsumerInfo *infos,
    uint32_t max_infos)
{
  return block->client->read_rows (block, lock_fd, infos, max_infos);
}

DatahubResult block_fail_open (const char *channel, int number,
    DatahubError *error);
DatahubResult block_fail_owner (const char *channel, uint32_t owner,
    DatahubError *error);
void secret_tag (const uint8_t *secret, const Uuid *uuid, uint8_t tag[32]);

#endif /* DATAHUB_BLOCK_PRIVATE_H */
