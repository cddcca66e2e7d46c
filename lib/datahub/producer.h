/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_PRODUCER_H
#define DATAHUB_PRODUCER_H

#include <datahub/types.h>

DATAHUB_BEGIN_DECLS

typedef struct _DatahubProducer DatahubProducer;

/* What pages payload is to be on. Whether it is: page_size of the statistics. */
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
  uint64_t slot_size; /* bytes a payload must fit in; required */
  uint32_t slots; /* payload slots of the first pool; auto: 32 */
  uint32_t ring_size; /* records kept; a power of two */
  uint64_t max_bytes; /* of all pools; auto: half of the file system */
  uint32_t max_consumers; /* rows; auto: 128, at most 256 */
  uint32_t max_pinned; /* largest quota a consumer may ask for; auto: 8 */
  bool pack; /* several small payloads share a slot */
  uint32_t mode; /* file permissions; auto: 0600 */
  int64_t block_timeout_ns; /* eviction of a reliable consumer; < 0 never */
  const uint8_t *secret; /* DATAHUB_SECRET_SIZE bytes, or NULL */
  DatahubChecksum checksum; /* of each record; reads every byte once */
  uint32_t zone_size; /* flexible zone: bytes only the producer writes */
  uint32_t shared_zone_size; /* flexible zone: bytes anybody writes, locked */
  DatahubHugePages hugepages;
  bool adopt; /* go on with a dead predecessor's block if it fits; init: true */
  bool strict; /* sealed memory without names, handed out by the producer */
} DatahubProducerOptions;

/* A loan of writable payload memory. Plain data: copy it freely; the loan is
 * ended once, by datahub_producer_abort() or by a releasing commit. */
typedef struct
{
  uint8_t *data;
  uint64_t size; /* bytes that may be written at data */
  uint64_t offset; /* of data in the slot */
  uint32_t pool; /* generation of the pool */
  uint32_t slot;
} DatahubSlot;

typedef struct
{
  const DatahubSlot *slot;
  uint64_t offset; /* of the valid bytes, from slot->data */
  uint64_t size;
} DatahubCommitMemory;

typedef struct
{
  DatahubRecordType type;
  uint32_t flags;
  uint64_t pts, dts, duration, offset, offset_end; /* DATAHUB_NONE: unset */
  int64_t instant_ns; /* CLOCK_MONOTONIC instant of the running time; signed */
  uint32_t n_memories;
  DatahubCommitMemory memories[DATAHUB_MAX_MEMORIES];
  /* Metas of a buffer, or the body of an event: copied by the commit. */
  const void *meta;
  uint32_t meta_size;
  /* The commit ends the loans of its memories, each once; no other record of the
   * batch may be of them then. */
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

/* What consumers ask of the producing pipeline. */
typedef enum
{
  DATAHUB_REQUEST_KEYFRAME = 1 << 0,
  DATAHUB_REQUEST_RECONFIGURE = 1 << 1
} DatahubRequest;

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
  uint64_t given_up; /* buffers that went early, for what is worth more */
  uint64_t bytes_used; /* shared memory of all pools now */
  uint64_t max_bytes;
  uint64_t slot_size;
  uint32_t slots;
  uint32_t free_slots;
  uint32_t ring_size;
  uint64_t page_size; /* bytes of the pages most of the newest pool is on */
  bool adopted; /* the block was a dead predecessor's; counters go on */
  uint64_t incarnation; /* 1, and one more for each adoption */
} DatahubProducerStats;

DATAHUB_API void datahub_producer_options_init (DatahubProducerOptions
        *options);
DATAHUB_API DatahubResult datahub_producer_create (const char *channel,
    const DatahubProducerOptions *options, DatahubProducer **producer,
    DatahubError *error);
DATAHUB_API DatahubResult datahub_producer_publish (DatahubProducer *producer,
    DatahubError *error);
DATAHUB_API void datahub_producer_close (DatahubProducer *producer);
DATAHUB_API DatahubProducer *datahub_producer_ref (DatahubProducer *producer);
DATAHUB_API void datahub_producer_unref (DatahubProducer *producer);

DATAHUB_API DatahubResult
datahub_producer_acquire_slot (DatahubProducer *producer, uint64_t size,
    int64_t timeout_ns, DatahubSlot *slot, DatahubError *error);
/* The same for a buffer of which the record flags are known. */
DATAHUB_API DatahubResult
datahub_producer_acquire_slot_for (DatahubProducer *producer, uint64_t size,
    uint32_t flags, int64_t timeout_ns, DatahubSlot *slot, DatahubError *error);
DATAHUB_API void datahub_producer_abort (DatahubProducer *producer,
    const DatahubSlot *slot);
DATAHUB_API DatahubResult datahub_producer_commit (DatahubProducer *producer,
    const DatahubCommit *record, int64_t timeout_ns, uint64_t *sequence,
    DatahubError *error);
DATAHUB_API DatahubResult
datahub_producer_commit_batch (DatahubProducer *producer,
    const DatahubCommit *records, uint32_t n_records, int64_t timeout_ns,
    uint64_t *first_sequence, DatahubError *error);
DATAHUB_API DatahubResult datahub_producer_flush (DatahubProducer *producer);

DATAHUB_API void datahub_producer_set_interrupted (DatahubProducer *producer,
    uint32_t waits, bool interrupted);
DATAHUB_API DatahubResult
datahub_producer_wait_consumers (DatahubProducer *producer,
    uint32_t n_consumers, int64_t timeout_ns);
DATAHUB_API DatahubResult
datahub_producer_wait_attention (DatahubProducer *producer, uint32_t *seen,
    int64_t timeout_ns);
DATAHUB_API uint32_t datahub_producer_list_consumers (DatahubProducer *producer,
    DatahubConsumerInfo *infos, uint32_t max_infos);
DATAHUB_API uint32_t datahub_producer_take_requests (DatahubProducer *producer);

DATAHUB_API void datahub_producer_count_dropped (DatahubProducer *producer,
    uint64_t n_buffers);
DATAHUB_API const char *datahub_producer_get_uuid (DatahubProducer *producer);
DATAHUB_API uint32_t datahub_producer_get_batch_max (DatahubProducer *producer);
DATAHUB_API uint64_t datahub_producer_get_slot_size (DatahubProducer *producer);
DATAHUB_API void datahub_producer_get_indices (DatahubProducer *producer,
    DatahubIndices *indices);
DATAHUB_API void datahub_producer_get_stats (DatahubProducer *producer,
    DatahubProducerStats *stats);

DATAHUB_END_DECLS

#endif /* DATAHUB_PRODUCER_H */
