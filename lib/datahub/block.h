/* SPDX-License-Identifier: LGPL-2.1-or-later */
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

/* A snapshot of a block, taken without a row and without a lock. */
typedef struct
{
  char channel[DATAHUB_CHANNEL_MAX + 1];
  char uuid[DATAHUB_UUID_TEXT];
  DatahubBlockState state;
  bool producer_alive;
  int32_t producer_pid; /* as the producer says */
  uint32_t major, minor;
  uint64_t created_ns; /* CLOCK_REALTIME */
  uint64_t head, tail;
  uint64_t buffers, bytes, dropped;
  uint32_t ring_size, n_records, max_consumers, max_pinned;
  uint32_t n_pools;
  uint64_t pool_bytes; /* of all pools linked now */
  uint64_t control_bytes; /* ctl and con */
  uint64_t slot_size; /* of the newest payload pool */
  uint32_t slots;
  uint32_t n_consumers; /* active ones */
  uint64_t
      heartbeat_ns; /* CLOCK_MONOTONIC of the producer's last sign of life */
  uint64_t silent_ns; /* passed since then */
  bool strict; /* its memory has no names */
  char caps[1024]; /* the caps in force; empty: none yet; cut if long */
} DatahubBlockInfo;

/* What the name of a block alone tells. */
typedef struct
{
  char uuid[DATAHUB_UUID_TEXT];
  bool producer_alive;
  bool strict;
  int32_t producer_pid; /* as the producer says */
} DatahubBlockGlance;

/* Called once per thing removed (or, on a dry run, that would be). */
typedef void (*DatahubReclaimFunc) (const char *file, uint64_t bytes,
    void *user_data);
/* Called once per channel found. */
typedef void (*DatahubListFunc) (const char *channel, void *user_data);

typedef struct _DatahubWatch DatahubWatch;

DATAHUB_API bool datahub_channel_is_valid (const char *channel,
    DatahubError *error);
DATAHUB_API const char *datahub_shm_directory (void);
DATAHUB_API DatahubResult datahub_block_glance (const char *channel,
    DatahubBlockGlance *glance, DatahubError *error);
DATAHUB_API DatahubResult datahub_block_inspect (const char *channel,
    DatahubBlockInfo *info, DatahubError *error);
DATAHUB_API DatahubResult datahub_block_inspect_consumers (const char *channel,
    DatahubConsumerInfo *infos, uint32_t max_infos, uint32_t *n_infos,
    DatahubError *error);
DATAHUB_API DatahubResult datahub_block_list (DatahubListFunc func,
    void *user_data, DatahubError *error);
DATAHUB_API DatahubResult datahub_block_reclaim (bool dry_run,
    DatahubReclaimFunc func, void *user_data, DatahubError *error);

/* Waits until the entry of a channel may have changed: inotify, and a rescan
 * each second. One thread waits; any thread interrupts. */
DATAHUB_API DatahubWatch *datahub_watch_new (const char *channel);
DATAHUB_API DatahubResult datahub_watch_wait (DatahubWatch *watch,
    int64_t timeout_ns);
DATAHUB_API void datahub_watch_set_interrupted (DatahubWatch *watch,
    bool interrupted);
DATAHUB_API void datahub_watch_free (DatahubWatch *watch);

DATAHUB_END_DECLS

#endif /* DATAHUB_BLOCK_H */
