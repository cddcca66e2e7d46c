/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a block. One thread at a time reads (attach, rejoin, begin_read,
 * get_context, read_sticky, wait, set_spin); all other functions may be called
 * from any thread. Of a process that was forked off, every call fails with
 * FORKED or does nothing. */
#ifndef DATAHUB_CONSUMER_H
#define DATAHUB_CONSUMER_H

#include <datahub/types.h>

DATAHUB_BEGIN_DECLS

typedef struct _DatahubConsumer DatahubConsumer;

/* The first record that is read. */
typedef enum
{
  DATAHUB_START_LATEST, /* the newest buffer */
  DATAHUB_START_OLDEST, /* the oldest record kept */
  /* the newest keyframe kept, else the next one; in a stream that has had none,
   * the next buffer */
  DATAHUB_START_KEYFRAME
} DatahubStart;

/* Set up by datahub_consumer_options_init(). What it points to is needed until
 * datahub_consumer_attach() returns. */
typedef struct
{
  size_t struct_size; /* set by datahub_consumer_options_init() */
  const char *name; /* how tools show it; NULL: the program's name */
  bool reliable; /* the producer waits for this consumer */
  DatahubStart start; /* init: KEYFRAME */
  uint32_t max_pinned; /* slots held without a copy; 0: 8 */
  bool notify; /* requests "data-ready" notifications through the broker */
  int64_t max_age_ns; /* older buffers are skipped; 0: no limit */
  const uint8_t *secret; /* DATAHUB_SECRET_SIZE bytes, or NULL: same user */
  /* for strict blocks: the producer answers */
  const uint8_t *ticket; /* DATAHUB_TICKET_SIZE bytes; NULL: by the secret */
  int64_t timeout_ns; /* for the answer; 0: automatic, 2 s */
  struct _DatahubWatch *watch; /* its interrupt ends the attach; or NULL */
  /* as datahub_consumer_set_limits(), before the producer counts the consumer;
   * an old block ignores it */
  const char *limits;
} DatahubConsumerOptions;

/* Frozen. */
typedef struct
{
  const uint8_t *data; /* read-only, until the lease ends */
  uint64_t size; /* bytes */
} DatahubViewMemory;

/* A lease on one record: its memories and its context stay unchanged until
 * datahub_consumer_end_read(). Plain data: copy it freely. Frozen: a later
 * version uses `reserved`, which this one leaves as it is. Times are in
 * nanoseconds, DATAHUB_NONE: not set. */
typedef struct
{
  uint64_t sequence;
  uint64_t ordinal; /* buffers committed before this record */
  DatahubRecordType type;
  uint32_t flags; /* DATAHUB_FLAG_... and the user's */
  uint64_t pts, dts, duration, offset, offset_end;
  /* Times of CLOCK_MONOTONIC of this process, see datahub_consumer_get_clock() */
  int64_t instant_ns; /* as committed */
  uint64_t commit_ns; /* at commit */
  uint64_t incarnation; /* of the producer; changes when it is restarted */
  uint64_t lost; /* buffers lost since the one delivered before */
  uint64_t expired; /* buffers skipped because of their age since then */
  bool discont; /* records were skipped, a flush, or another producer */
  bool flushed; /* a flush of the producer passed just before */
  bool must_copy; /* over the share: copy, and end the lease at once */
  uint32_t n_memories; /* 0 to DATAHUB_MAX_MEMORIES */
  DatahubViewMemory memories[DATAHUB_MAX_MEMORIES]; /* n_memories are set */
  const void *meta; /* metas of a buffer or body of an event; meta_size bytes */
  uint32_t meta_size;
  /* Sequences of the sticky records in effect; NONE: not set. */
  uint64_t context[DATAHUB_N_CONTEXTS];
  /* the library's own */
  uint32_t record;
  uint16_t context_records[DATAHUB_N_CONTEXTS];
  uint32_t n_slots;
  uint64_t reserved[8];
} DatahubView;

/* Counters since the attach, and the present state. Filled in by the library. */
typedef struct
{
  uint64_t received; /* buffers */
  uint64_t lost; /* buffers, exact */
  uint64_t expired; /* buffers skipped because of their age, exact; not lost */
  uint64_t damaged; /* records with a wrong checksum; buffers are lost too */
  uint64_t over_quota; /* leases that must be copied */
  uint64_t waits; /* times the consumer slept */
  uint32_t quota; /* slots that may be held without a copy */
  uint32_t pinned; /* slots held now */
  uint64_t cursor; /* next sequence */
  uint64_t head; /* next sequence of the producer */
  uint64_t bytes_mapped;
  uint32_t ring_size; /* records the block keeps */
} DatahubConsumerStats;

/* Sets the defaults: not reliable, from the newest keyframe, the quota of the
 * block. @struct_size is that of the caller's structure. */
DATAHUB_API void datahub_consumer_options_init_sized (
    DatahubConsumerOptions *options, size_t struct_size);
static inline void
datahub_consumer_options_init (DatahubConsumerOptions *options)
{
  datahub_consumer_options_init_sized (options, sizeof *options);
}

/* Joins the block that has the name now, also if its producer is dead. @options
 * are copied, NULL: the defaults. Does not wait for a block, see
 * datahub_watch_new(); waits for the producer of a strict block, at most
 * `timeout_ns`. The caller closes @consumer, which is NULL on failure: TIMEOUT,
 * INTERRUPTED, NAME, INVALID, NOT_FOUND, DENIED, VERSION, CORRUPT, FULL, SYSTEM. */
DATAHUB_API DatahubResult datahub_consumer_attach (const char *channel,
    const DatahubConsumerOptions *options, DatahubConsumer **consumer,
    DatahubError *error);
/* Joins again after EVICTED, never before what was read; leases stay valid. Does
 * not block. Fails with FORKED or CORRUPT. */
DATAHUB_API DatahubResult datahub_consumer_rejoin (DatahubConsumer *consumer,
    DatahubError *error);
/* Leaves the stream; NULL is ignored. Leases stay valid, also for hold and
 * end_read; the last end_read frees the rest. No thread may be in another call. */
DATAHUB_API void datahub_consumer_close (DatahubConsumer *consumer);

/* Waits for the next record and leases it into @view; the caller ends the lease.
 * OK, TIMEOUT, INTERRUPTED; PRODUCER_LOST once, then waits for a successor;
 * CLOSED; EVICTED until rejoin. CHECKSUM and CORRUPT: the record was skipped,
 * read on. BUSY: another thread reads. SYSTEM: nothing was skipped, try again. */
DATAHUB_API DatahubResult
datahub_consumer_begin_read (DatahubConsumer *consumer, int64_t timeout_ns,
    DatahubView *view, DatahubError *error);
/* Adds a lease on a leased record; each one is ended. Does not block. */
DATAHUB_API void datahub_consumer_hold (DatahubConsumer *consumer,
    const DatahubView *view);
/* Ends one lease; the memory may change at once. Does not block. */
DATAHUB_API void datahub_consumer_end_read (DatahubConsumer *consumer,
    const DatahubView *view);
/* Views the sticky record that was in effect for @of, as part of the lease of
 * @of: it is not ended separately. NOT_FOUND: none was set. Does not block. */
DATAHUB_API DatahubResult
datahub_consumer_get_context (DatahubConsumer *consumer, const DatahubView *of,
    DatahubContext context, DatahubView *view, DatahubError *error);
/* Leases the newest record of a sticky @type (STREAM_START to TAGS, EOS), also
 * if no buffer was read yet; the caller ends the lease. NOT_FOUND: there is none;
 * INVALID: the type is not sticky. Does not block. */
DATAHUB_API DatahubResult
datahub_consumer_read_sticky (DatahubConsumer *consumer, DatahubRecordType type,
    DatahubView *view, DatahubError *error);
/* Waits until begin_read would return without waiting: OK, TIMEOUT, INTERRUPTED,
 * BUSY or FORKED. */
DATAHUB_API DatahubResult datahub_consumer_wait (DatahubConsumer *consumer,
    int64_t timeout_ns);

/* While @interrupted is true, begin_read and wait return INTERRUPTED instead of
 * waiting. Any thread; does not block. */
DATAHUB_API void datahub_consumer_set_interrupted (DatahubConsumer *consumer,
    bool interrupted);
/* Sends DATAHUB_REQUEST_... bits to the producer. Does not block. */
DATAHUB_API void datahub_consumer_request (DatahubConsumer *consumer,
    uint32_t requests);
/* Posts @size bytes, 1 to DATAHUB_UPSTREAM_EVENT_MAX, to the producer: copied.
 * FULL: the producer has not taken the event before; TOO_BIG; VERSION: the block
 * has no mailboxes; INVALID; FORKED. Any thread; does not block. */
DATAHUB_API DatahubResult
datahub_consumer_post_event (DatahubConsumer *consumer, const void *bytes,
    uint64_t size, DatahubError *error);
/* Stores for the producer which caps this consumer can read; NULL: any. At most
 * DATAHUB_LIMITS_MAX - 1 characters, copied. TOO_BIG; VERSION: the block has no
 * room for them; INVALID: empty; FORKED. Any thread; does not block. */
DATAHUB_API DatahubResult
datahub_consumer_set_limits (DatahubConsumer *consumer, const char *caps,
    DatahubError *error);
/* Spins for at most @spin_ns before a sleep, if sleeps are short; 0, the
 * default, never spins; at most 0.1 s. */
DATAHUB_API void datahub_consumer_set_spin (DatahubConsumer *consumer,
    uint64_t spin_ns);

/* Gives a sign of life. Needed only if nothing is read for DATAHUB_STALLED_NS.
 * Does not block. */
DATAHUB_API void datahub_consumer_beat (DatahubConsumer *consumer);
/* Skips buffers that were committed longer ago than this, and the delta units
 * behind them; 0 or less: no limit. Does not block. */
DATAHUB_API void datahub_consumer_set_max_age (DatahubConsumer *consumer,
    int64_t max_age_ns);

/* Whether the producer has the CLOCK_MONOTONIC of this process. In another time
 * namespace it has not: then views have the producer's times with @offset_ns added,
 * and a time for the producer (in an upstream event) needs it subtracted. 0 unless
 * DATAHUB_CLOCK_MAPPED. May change with another producer. Any thread; does not
 * block. */
DATAHUB_API DatahubClockState
datahub_consumer_get_clock (DatahubConsumer *consumer, int64_t *offset_ns);

/* UUID of the block, 32 hexadecimal digits; owned by @consumer. */
DATAHUB_API const char *datahub_consumer_get_uuid (DatahubConsumer *consumer);
/* Whether the block is closed because its producer goes on in another block, under
 * the same name. */
DATAHUB_API bool datahub_consumer_has_successor (DatahubConsumer *consumer);
/* Snapshots of the indices and of the counters, all 0 in a forked process. Do
 * not block; the indices cost a system call for each consumer. */
DATAHUB_API void datahub_consumer_get_indices_sized (DatahubConsumer *consumer,
    DatahubIndices *indices, size_t indices_size);
static inline void
datahub_consumer_get_indices (DatahubConsumer *consumer,
    DatahubIndices *indices)
{
  datahub_consumer_get_indices_sized (consumer, indices, sizeof *indices);
}
DATAHUB_API void datahub_consumer_get_stats_sized (DatahubConsumer *consumer,
    DatahubConsumerStats *stats, size_t stats_size);
static inline void
datahub_consumer_get_stats (DatahubConsumer *consumer,
    DatahubConsumerStats *stats)
{
  datahub_consumer_get_stats_sized (consumer, stats, sizeof *stats);
}

DATAHUB_END_DECLS

#endif /* DATAHUB_CONSUMER_H */
