/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing a block. One thread at a time commits; all other functions may be
 * called from any thread. Of a process that was forked off, every call fails with
 * FORKED or does nothing. */
#ifndef DATAHUB_PRODUCER_H
#define DATAHUB_PRODUCER_H

#include <datahub/types.h>

DATAHUB_BEGIN_DECLS

typedef struct _DatahubProducer DatahubProducer;

/* Pages wanted for the payload; those in use are page_size of the statistics. */
typedef enum
{
  DATAHUB_HUGEPAGES_ADVISE = 0, /* transparent ones, where the system has any */
  DATAHUB_HUGEPAGES_NEVER,
  DATAHUB_HUGEPAGES_2M, /* reserved ones; else as ADVISE */
  DATAHUB_HUGEPAGES_1G
} DatahubHugePages;

/* Set up by datahub_producer_options_init(); 0 means "automatic" throughout. */
typedef struct
{
  size_t struct_size; /* set by datahub_producer_options_init() */
  uint64_t slot_size; /* bytes that a payload must fit in; required, > 0 */
  uint32_t slots; /* payload slots of the first pool; auto: 32, up to 128 of
                     small ones, fewer of big ones or if memory is short */
  uint32_t ring_size; /* records kept; a power of two, 4 to 32768 */
  uint64_t max_bytes; /* of all pools; auto: half of the file system, or of
                       * the memory limit of the control group */
  uint32_t max_consumers; /* auto: 128, at most DATAHUB_MAX_CONSUMERS */
  uint32_t max_pinned; /* slots that a consumer may hold at most; auto: what the
                          block may grow to, shared among all */
  bool pack; /* several small payloads share a slot */
  uint32_t mode; /* file permissions; more than 0600 needs strict; auto: 0600 */
  int64_t block_timeout_ns; /* until a reliable consumer that holds the producer
                               up is evicted; init: 5 s; < 0: never */
  const uint8_t *secret; /* DATAHUB_SECRET_SIZE bytes, or NULL; not kept */
  DatahubChecksum checksum; /* of each record; reads every byte once */
  uint32_t zone_size; /* flexible zone: bytes that only the producer writes */
  uint32_t shared_zone_size; /* flexible zone: bytes that all write, locked */
  DatahubHugePages hugepages;
  bool adopt; /* take over a dead producer's block if it fits; init: true */
  bool strict; /* sealed memory without names, passed on by the producer */
  /* Asked by datahub_producer_create() before each few MiB that it takes, in its
   * thread; false ends it with DATAHUB_INTERRUPTED. NULL: it is not asked. */
  bool (*may_go_on) (void *data);
  void *may_go_on_data;
} DatahubProducerOptions;

/* A loan of writable payload memory. Plain data: copy it freely; the loan is
 * ended once, by datahub_producer_abort() or by a releasing commit. Frozen. */
typedef struct
{
  uint8_t *data;
  uint64_t size; /* bytes that may be written at data */
  uint64_t offset; /* of data in the slot */
  uint32_t pool; /* generation of the pool */
  uint32_t slot;
} DatahubSlot;

/* Frozen. */
typedef struct
{
  const DatahubSlot *slot;
  uint64_t offset; /* of the valid bytes, from slot->data */
  uint64_t size; /* bytes */
} DatahubCommitMemory;

/* Set up by datahub_commit_init(). Nothing that it points to is needed after the
 * commit. Times are in nanoseconds, DATAHUB_NONE: not set. */
typedef struct
{
  size_t struct_size; /* set by datahub_commit_init() */
  DatahubRecordType type;
  uint32_t flags; /* DATAHUB_FLAG_... and the user's */
  uint64_t pts, dts, duration, offset, offset_end;
  int64_t instant_ns; /* CLOCK_MONOTONIC instant of the running time; signed;
                         INT64_MIN: not set */
  uint32_t n_memories; /* 0 to DATAHUB_MAX_MEMORIES */
  DatahubCommitMemory memories[DATAHUB_MAX_MEMORIES];
  /* Metas of a buffer or body of an event, meta_size bytes: copied. */
  const void *meta;
  uint32_t meta_size;
  /* The commit ends the loans of its memories, each once. No other record of the
   * batch may contain them then. */
  bool release;
} DatahubCommit;

/* Which waits datahub_producer_set_interrupted() ends. */
typedef enum
{
  DATAHUB_WAIT_ACQUIRE = 1 << 0,
  DATAHUB_WAIT_COMMIT = 1 << 1,
  DATAHUB_WAIT_CONSUMERS = 1 << 2,
  DATAHUB_WAIT_ATTENTION = 1 << 3,
  DATAHUB_WAIT_ALL = 15
} DatahubWait;

/* Requests of consumers to the producing pipeline. */
typedef enum
{
  DATAHUB_REQUEST_KEYFRAME = 1 << 0,
  DATAHUB_REQUEST_RECONFIGURE = 1 << 1
} DatahubRequest;

/* Counters since the block was created, and the present state. Filled in by the
 * library. */
typedef struct
{
  uint64_t commits; /* buffers committed */
  uint64_t records; /* all records committed */
  uint64_t bytes; /* payload bytes committed */
  uint64_t dropped; /* buffers refused for want of room */
  uint64_t evictions;
  uint64_t reaped; /* rows cleaned after dead consumers */
  uint64_t waits; /* times the producer slept for room */
  uint64_t wakes; /* wake system calls */
  uint64_t growths; /* pools added after the first */
  uint64_t given_up; /* buffers discarded early to make room for buffers of a
                        higher priority */
  uint64_t bytes_used; /* shared memory of all pools now */
  uint64_t max_bytes;
  uint64_t slot_size; /* bytes; of the newest payload pool */
  uint32_t slots; /* of that size, or up to twice as big */
  uint32_t free_slots;
  uint32_t ring_size;
  uint64_t page_size; /* bytes of the pages most of the newest pool is on */
  bool adopted; /* the block was a dead predecessor's; counters go on */
  uint64_t incarnation; /* 1, and one more for each adoption */
} DatahubProducerStats;

/* Sets the defaults; `slot_size` stays 0 and must be set. @struct_size is that of
 * the caller's structure. */
DATAHUB_API void datahub_producer_options_init_sized (
    DatahubProducerOptions *options, size_t struct_size);
static inline void
datahub_producer_options_init (DatahubProducerOptions *options)
{
  datahub_producer_options_init_sized (options, sizeof *options);
}
/* Sets up a record of @type without memories, metas, flags and times. */
DATAHUB_API void datahub_commit_init_sized (DatahubCommit *commit,
    size_t struct_size, DatahubRecordType type);
static inline void
datahub_commit_init (DatahubCommit *commit, DatahubRecordType type)
{
  datahub_commit_init_sized (commit, sizeof *commit, type);
}

/* Builds a block, not visible yet, or takes over that of a dead producer.
 * @options are copied. Allocates all memory; takes up to 0.2 s if the name is
 * taken. The caller closes @producer, which is NULL on failure: NAME, INVALID,
 * NO_SPACE, TOO_BIG or SYSTEM. */
DATAHUB_API DatahubResult datahub_producer_create (const char *channel,
    const DatahubProducerOptions *options, DatahubProducer **producer,
    DatahubError *error);
/* Makes the block visible under its name, once; takes up to 0.2 s. Fails with
 * BUSY if a live producer has the name, else SYSTEM or FORKED; the producer can
 * then only be closed. */
DATAHUB_API DatahubResult datahub_producer_publish (DatahubProducer *producer,
    DatahubError *error);
/* Closes the block and ends all waits; NULL is ignored. Consumers read what was
 * committed. Loans stay valid until abort. Takes up to 0.3 s if a consumer has
 * not opened the newest pool. */
DATAHUB_API void datahub_producer_close (DatahubProducer *producer);
/* Keeps the handle alive after a close by another thread; calls then fail with
 * CLOSED. Each ref is followed by one unref. Do not block. */
DATAHUB_API DatahubProducer *datahub_producer_ref (DatahubProducer *producer);
DATAHUB_API void datahub_producer_unref (DatahubProducer *producer);

/* Lends @size writable bytes or more; the caller ends the loan. Any number of
 * loans, in any order. Waits only for reliable consumers, with one attached for loans
 * if no live consumer holds a slot, and for the memory of a growth, ended by
 * WAIT_ACQUIRE. A growth that does not end in time is continued by
 * the next call. TIMEOUT, INTERRUPTED, DROPPED (nothing to wait for), CLOSED, or TOO_BIG,
 * NO_SPACE, SYSTEM, FORKED. */
DATAHUB_API DatahubResult
datahub_producer_acquire_slot (DatahubProducer *producer, uint64_t size,
    int64_t timeout_ns, DatahubSlot *slot, DatahubError *error);
/* As datahub_producer_acquire_slot() for a record with @flags: when slots are
 * short, a droppable buffer or a delta unit does not replace a keyframe. */
DATAHUB_API DatahubResult
datahub_producer_acquire_slot_for (DatahubProducer *producer, uint64_t size,
    uint32_t flags, int64_t timeout_ns, DatahubSlot *slot, DatahubError *error);
/* Ends a loan; records that were committed of it stay. Also after the close. Does
 * not block. */
DATAHUB_API void datahub_producer_abort (DatahubProducer *producer,
    const DatahubSlot *slot);
/* Publishes one record; @sequence may be NULL. Waits only for reliable consumers
 * that need the oldest record, ended by WAIT_COMMIT. The loans stay the caller's
 * unless `release` is set and the result is OK. TIMEOUT, INTERRUPTED, DROPPED,
 * CLOSED, or INVALID, TOO_BIG, NO_SPACE, SYSTEM, FORKED. */
DATAHUB_API DatahubResult datahub_producer_commit (DatahubProducer *producer,
    const DatahubCommit *record, int64_t timeout_ns, uint64_t *sequence,
    DatahubError *error);
/* Publishes @n_records at once or none; 1 to datahub_producer_get_batch_max().
 * Otherwise as datahub_producer_commit(). */
DATAHUB_API DatahubResult
datahub_producer_commit_batch (DatahubProducer *producer,
    const DatahubCommit *records, uint32_t n_records, int64_t timeout_ns,
    uint64_t *first_sequence, DatahubError *error);
/* Live consumers skip what they have not read; all see the next record marked
 * `flushed`. EOS and segment are forgotten. Does not block. OK or FORKED. */
DATAHUB_API DatahubResult datahub_producer_flush (DatahubProducer *producer);

/* Looks whether later consumers can find the block: another program may have removed
 * its files. Links again what can be linked. OK; NOT_FOUND: the names are gone for
 * good; BUSY: the name leads to another block; FORKED. One thread; not during a
 * publication or a close. Does not block. */
DATAHUB_API DatahubResult
datahub_producer_check_names (DatahubProducer *producer, DatahubError *error);
/* Publishes @successor, made with the same channel and `adopt` false, in place of
 * @producer, which is to be closed then: its consumers read what was committed and go
 * on with @successor. As datahub_producer_publish(); after a failure @producer is as
 * it was. */
DATAHUB_API DatahubResult datahub_producer_succeed (DatahubProducer *producer,
    DatahubProducer *successor, DatahubError *error);

/* While @interrupted is true, the DATAHUB_WAIT_... kinds of calls in @waits
 * return INTERRUPTED instead of waiting. Does not block. */
DATAHUB_API void datahub_producer_set_interrupted (DatahubProducer *producer,
    uint32_t waits, bool interrupted);
/* Waits until @n_consumers live consumers have joined: they miss nothing that is
 * committed from now on. Ended by WAIT_CONSUMERS. OK, TIMEOUT, INTERRUPTED,
 * FORKED. */
DATAHUB_API DatahubResult
datahub_producer_wait_consumers (DatahubProducer *producer,
    uint32_t n_consumers, int64_t timeout_ns);
/* Waits until consumers joined, left or sent a request, and cleans the rows of
 * dead consumers. @seen is 0 at first, renewed with OK. Ended by WAIT_ATTENTION.
 * OK, TIMEOUT, INTERRUPTED, FORKED. */
DATAHUB_API DatahubResult
datahub_producer_wait_attention (DatahubProducer *producer, uint32_t *seen,
    int64_t timeout_ns);
/* Fills in one of @infos for each live consumer that joined, evicted ones too; at
 * most @max_infos. Returns how many. Does not block. */
DATAHUB_API uint32_t datahub_producer_list_consumers (DatahubProducer *producer,
    DatahubConsumerInfo *infos, uint32_t max_infos);
/* Fills in @changes with the consumers that joined, left, died or were evicted since
 * the last call, each with its own end; at most @max_changes, 2 or more: if it fills
 * all but one, call again. Returns how many. One thread at a time; does not block. */
DATAHUB_API uint32_t datahub_producer_take_changes (DatahubProducer *producer,
    DatahubConsumerChange *changes, uint32_t max_changes);
/* Returns the DATAHUB_REQUEST_... bits that consumers sent since the last call.
 * Does not block. */
DATAHUB_API uint32_t datahub_producer_take_requests (DatahubProducer *producer);
/* Takes the next event that a consumer posted, each consumer in turn. @size is the
 * room at @bytes, then the size of the event. TIMEOUT: there is none; TOO_BIG: @size
 * is what it needs, and it stays; CORRUPT: one of @consumer_id was discarded;
 * FORKED. One thread at a time; does not block. */
DATAHUB_API DatahubResult
datahub_producer_take_event (DatahubProducer *producer, uint64_t *consumer_id,
    void *bytes, uint64_t *size, DatahubError *error);
/* Copies the caps that a consumer is limited to, a text of less than @size bytes.
 * NOT_FOUND: none, or it left; TIMEOUT: they are being changed, what was read
 * before holds; TOO_BIG; CORRUPT: no text, as none; FORKED. Any thread; does not
 * block. DATAHUB_LIMITS_MAX bytes suffice. */
DATAHUB_API DatahubResult
datahub_producer_get_limits (DatahubProducer *producer, uint64_t consumer_id,
    char *caps, uint64_t size, DatahubError *error);

/* Adds buffers that the caller did not commit to the statistics. The commits and
 * acquire_slot_for count those that end with DROPPED themselves. */
DATAHUB_API void datahub_producer_count_dropped (DatahubProducer *producer,
    uint64_t n_buffers);
/* Adds buffers that the caller copied into slots to commit them to the statistics
 * that datahub_block_inspect() shows. Any thread. */
DATAHUB_API void datahub_producer_count_copied (DatahubProducer *producer,
    uint64_t n_buffers);
/* Notes an error in the block, where datahub_block_inspect_errors() finds it. The
 * same @code and @text are counted as one; of 32 distinct errors that with the
 * oldest last time is replaced. @text is cut after 95 bytes; what is not printable
 * ASCII becomes '?'. Does not block. Any thread. */
DATAHUB_API void datahub_producer_note_error (DatahubProducer *producer,
    DatahubResult code, const char *text);
/* UUID of the block, 32 hexadecimal digits; owned by @producer. */
DATAHUB_API const char *datahub_producer_get_uuid (DatahubProducer *producer);
/* Records that one commit may have: 1 to DATAHUB_MAX_BATCH; half of the ring. */
DATAHUB_API uint32_t datahub_producer_get_batch_max (DatahubProducer *producer);
/* Bytes of a slot of the newest payload pool. */
DATAHUB_API uint64_t datahub_producer_get_slot_size (DatahubProducer *producer);
/* Snapshots of the indices and of the counters, all 0 in a forked process. Do
 * not block; the indices cost a system call for each consumer. */
DATAHUB_API void datahub_producer_get_indices_sized (DatahubProducer *producer,
    DatahubIndices *indices, size_t indices_size);
static inline void
datahub_producer_get_indices (DatahubProducer *producer,
    DatahubIndices *indices)
{
  datahub_producer_get_indices_sized (producer, indices, sizeof *indices);
}
DATAHUB_API void datahub_producer_get_stats_sized (DatahubProducer *producer,
    DatahubProducerStats *stats, size_t stats_size);
static inline void
datahub_producer_get_stats (DatahubProducer *producer,
    DatahubProducerStats *stats)
{
  datahub_producer_get_stats_sized (producer, stats, sizeof *stats);
}

DATAHUB_END_DECLS

#endif /* DATAHUB_PRODUCER_H */
