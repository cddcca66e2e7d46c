/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks by name: which there are, snapshots of them, and how to wait for one.
 * All functions work for the blocks of the calling user, may be called from any
 * thread, and do not block unless noted. */
#ifndef DATAHUB_BLOCK_H
#define DATAHUB_BLOCK_H

#include <datahub/types.h>

DATAHUB_BEGIN_DECLS

/* The life of a block; the word `state` of its header. */
typedef enum
{
  DATAHUB_STATE_UNINITIALISED = 0,
  DATAHUB_STATE_MUTEX_READY = 1,
  DATAHUB_STATE_READY = 2,
  DATAHUB_STATE_DRAINING = 3,
  DATAHUB_STATE_CLOSED = 4,
  DATAHUB_STATE_MOVED = 5
} DatahubBlockState;

/* A snapshot of a block, taken without a row and without a lock. Filled in by
 * the library. */
typedef struct
{
  char channel[DATAHUB_CHANNEL_MAX + 1];
  char uuid[DATAHUB_UUID_TEXT];
  DatahubBlockState state;
  bool producer_alive;
  int32_t producer_pid; /* as the producer wrote it */
  uint32_t major, minor; /* of the memory layout */
  uint64_t created_ns; /* CLOCK_REALTIME */
  uint64_t head, tail; /* sequences: the next one, and the oldest one kept */
  uint64_t buffers, bytes, dropped; /* since the block was created */
  uint32_t ring_size, n_records, max_consumers, max_pinned;
  uint32_t n_pools;
  uint64_t pool_bytes; /* of all pools linked now */
  uint64_t control_bytes; /* ctl and con */
  uint64_t slot_size; /* bytes; of the newest payload pool */
  uint32_t slots;
  uint32_t n_consumers; /* active ones */
  uint64_t heartbeat_ns; /* CLOCK_MONOTONIC of the last sign of life of the
                            producer */
  uint64_t silent_ns; /* time since then */
  bool strict; /* its memory has no names */
  char caps[1024]; /* the caps in effect; empty: none yet; cut if long */
  uint64_t features; /* feat_compat of the memory layout */
  /* Since the block was created. */
  uint64_t records; /* all records committed */
  uint64_t evictions;
  uint64_t reaped; /* rows cleaned after dead consumers */
  /* Of a producer that has telemetry, else 0. Counters since the block was
   * created. */
  bool has_telemetry;
  uint64_t wakes; /* wake system calls of commits */
  uint64_t waits; /* times the producer slept for room */
  uint64_t growths; /* pools added after the first */
  uint64_t given_up; /* buffers discarded early */
  uint64_t copied; /* buffers copied into a slot to commit them */
  /* Slots that each consumer may hold without a copy, and for how many consumers
   * that holds; a block of an older producer states none. */
  bool has_share;
  uint32_t share, share_consumers;
  /* CLOCK_MONOTONIC and CLOCK_REALTIME as the producer read them at one instant,
   * at most a second before its last heartbeat; 0: not known. */
  uint64_t clock_monotonic_ns, clock_realtime_ns;
  char boot_id[DATAHUB_UUID_TEXT]; /* of the kernel that the producer ran on, 32
                                      hexadecimal digits; empty: not known */
} DatahubBlockInfo;

/* One of the distinct errors that the producer of a block noted. Frozen: arrays
 * consist of it. */
typedef struct
{
  DatahubResult code;
  char text[DATAHUB_BLOCK_ERROR_TEXT_MAX]; /* printable ASCII */
  uint64_t count; /* times it was noted */
  uint64_t first_ns, last_ns; /* CLOCK_REALTIME */
  uint64_t reserved[4]; /* 0 */
} DatahubBlockError;

/* What the name of a block gives without its memory. Filled in by the
 * library. */
typedef struct
{
  char uuid[DATAHUB_UUID_TEXT];
  bool producer_alive;
  bool strict;
  int32_t producer_pid; /* as the producer wrote it */
  bool foreign; /* a strict block of another user: a ticket is needed */
} DatahubBlockGlance;

/* Called for each file that is removed or, on a dry run, would be. @file is
 * valid during the call. */
typedef void (*DatahubReclaimFunc) (const char *file, uint64_t bytes,
    void *user_data);
/* Called for each channel found. @channel is valid during the call. */
typedef void (*DatahubListFunc) (const char *channel, void *user_data);

typedef struct _DatahubWatch DatahubWatch;

/* Whether @channel, which may be NULL, is 1 to 64 letters, digits, '.', '_' and
 * '-', the first a letter or digit, and is not the name of a block's file.
 * Otherwise sets @error to NAME. */
DATAHUB_API bool datahub_channel_is_valid (const char *channel,
    DatahubError *error);
/* The directory of the blocks' files: $DATAHUB_SHM_DIR, else /dev/shm. Valid until
 * the environment changes. */
DATAHUB_API const char *datahub_shm_directory (void);

/* Reads the block's name alone. Never waits for its producer. Fails with NAME,
 * NOT_FOUND, DENIED, VERSION, CORRUPT or SYSTEM; @glance is then all 0. */
DATAHUB_API DatahubResult datahub_block_glance_sized (const char *channel,
    DatahubBlockGlance *glance, size_t glance_size, DatahubError *error);
static inline DatahubResult
datahub_block_glance (const char *channel, DatahubBlockGlance *glance,
    DatahubError *error)
{
  return datahub_block_glance_sized (channel, glance, sizeof *glance, error);
}

/* Takes a snapshot as an observer: takes no row, writes nothing. The producer of
 * a strict block is asked and has 0.1 s to answer: TIMEOUT. Fails as
 * datahub_block_glance(); @info is then all 0. */
DATAHUB_API DatahubResult datahub_block_inspect_sized (const char *channel,
    DatahubBlockInfo *info, size_t info_size, DatahubError *error);
static inline DatahubResult
datahub_block_inspect (const char *channel, DatahubBlockInfo *info,
    DatahubError *error)
{
  return datahub_block_inspect_sized (channel, info, sizeof *info, error);
}

/* Compares the clocks of the producer with those of this process. The library maps
 * the producer's times by @offset_ns, which is 0 unless @state is
 * DATAHUB_CLOCK_MAPPED. On failure both are 0. Blocks and fails as
 * datahub_block_inspect(). */
DATAHUB_API DatahubResult datahub_block_inspect_clock (const char *channel,
    DatahubClockState *state, int64_t *offset_ns, DatahubError *error);
/* Fills in one of @infos for each row in use, also of dead consumers that were
 * not cleaned up yet; at most @max_infos, DATAHUB_MAX_CONSUMERS are always
 * enough. Sets @n_infos, to 0 on failure. Blocks and fails as
 * datahub_block_inspect(). */
DATAHUB_API DatahubResult datahub_block_inspect_consumers (const char *channel,
    DatahubConsumerInfo *infos, uint32_t max_infos, uint32_t *n_infos,
    DatahubError *error);
/* Fills in @errors with the distinct errors that the producer of the block noted,
 * the newest first; at most @max_errors, DATAHUB_MAX_BLOCK_ERRORS are always
 * enough. Sets @n_errors, to 0 on failure and for a block of an earlier version.
 * Blocks and fails as datahub_block_inspect(). */
DATAHUB_API DatahubResult datahub_block_inspect_errors (const char *channel,
    DatahubBlockError *errors, uint32_t max_errors, uint32_t *n_errors,
    DatahubError *error);
/* Calls @func for each block that has a name, also those of dead producers.
 * Fails with SYSTEM. */
DATAHUB_API DatahubResult datahub_block_list (DatahubListFunc func,
    void *user_data, DatahubError *error);
/* Removes the blocks of which producer and consumers are all dead, by the
 * evidence of kernel locks; on a dry run removes nothing. @func may be NULL.
 * Fails with SYSTEM. */
DATAHUB_API DatahubResult datahub_block_reclaim (bool dry_run,
    DatahubReclaimFunc func, void *user_data, DatahubError *error);

/* A watch of the name of a channel, or of all (@channel NULL), with inotify and a
 * rescan each second. Make it, then try to attach, then wait: no change is missed.
 * NULL if the name is not valid or descriptors or memory are out. */
DATAHUB_API DatahubWatch *datahub_watch_new (const char *channel);
/* Waits until the name may have changed: OK, at least once a second; else TIMEOUT,
 * INTERRUPTED, or FORKED in a child of the process that made it. One thread waits.
 * All watches of a process share two descriptors, which stay open till its end. */
DATAHUB_API DatahubResult datahub_watch_wait (DatahubWatch *watch,
    int64_t timeout_ns);
/* While @interrupted is true, waits end at once with INTERRUPTED. Any thread. */
DATAHUB_API void datahub_watch_set_interrupted (DatahubWatch *watch,
    bool interrupted);
/* Frees @watch, which may be NULL. Must not be called while a thread waits. */
DATAHUB_API void datahub_watch_free (DatahubWatch *watch);

DATAHUB_END_DECLS

#endif /* DATAHUB_BLOCK_H */
