/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_CONSUMER_H
#define DATAHUB_CONSUMER_H

#include <datahub/types.h>

DATAHUB_BEGIN_DECLS

typedef struct _DatahubConsumer DatahubConsumer;

typedef enum
{
  DATAHUB_START_LATEST,
  DATAHUB_START_OLDEST,
  DATAHUB_START_KEYFRAME
} DatahubStart;

typedef struct
{
  const char *name; /* how it appears in tools; NULL: the program's name */
  bool reliable; /* the producer waits for this consumer */
  DatahubStart start;
  uint32_t max_pinned; /* slots held without a copy; 0: automatic, 8 */
  bool notify; /* wants to hear "data-ready" through the broker */
  int64_t max_age_ns; /* older buffers are skipped; 0: none is too old */
  const uint8_t *secret; /* DATAHUB_SECRET_SIZE bytes, or NULL: same user */
  /* for strict blocks, whose producer answers */
  const uint8_t *ticket; /* DATAHUB_TICKET_SIZE bytes; NULL: by the secret */
  int64_t timeout_ns; /* 0: automatic, 2 s */
  struct _DatahubWatch *watch; /* its interrupt ends the attach; or NULL */
} DatahubConsumerOptions;

typedef struct
{
  const uint8_t *data; /* read-only, until the lease ends */
  uint64_t size;
} DatahubViewMemory;

/* A lease on one record: its memories and its context stay unchanged until
 * datahub_consumer_end_read(). Plain data: copy it freely. */
typedef struct
{
  uint64_t sequence;
  uint64_t ordinal; /* buffers committed before this record */
  DatahubRecordType type;
  uint32_t flags;
  uint64_t pts, dts, duration, offset, offset_end;
  int64_t instant_ns;
  uint64_t commit_ns; /* CLOCK_MONOTONIC at commit */
  uint64_t incarnation; /* of the producer; another one: it was restarted */
  uint64_t lost; /* buffers lost since the one delivered before */
  uint64_t expired; /* buffers skipped for their age since then */
  bool discont; /* skipped something, a flush, or another producer */
  bool flushed; /* a flush of the producer passed just before */
  bool must_copy; /* over the quota: copy, and end the lease at once */
  uint32_t n_memories;
  DatahubViewMemory memories[DATAHUB_MAX_MEMORIES]; /* n_memories are set */
  const void *meta;
  uint32_t meta_size;
  /* Their sequences, as the producer says; NONE: not set. */
  uint64_t context[DATAHUB_N_CONTEXTS];
  /* library's own */
  uint32_t record;
  uint16_t context_records[DATAHUB_N_CONTEXTS];
  uint32_t n_slots;
} DatahubView;

typedef struct
{
  uint64_t received; /* buffers */
  uint64_t lost; /* buffers, exact */
  uint64_t expired; /* buffers skipped for their age, exact; not lost */
  uint64_t damaged; /* records with a wrong checksum; buffers are lost too */
  uint64_t over_quota;
  uint64_t waits; /* times the consumer slept */
  uint32_t quota; /* slots granted */
  uint32_t pinned; /* slots held now */
  uint64_t cursor; /* next sequence */
  uint64_t head; /* next sequence of the producer */
  uint64_t bytes_mapped;
  uint32_t ring_size; /* records the block keeps */
} DatahubConsumerStats;

DATAHUB_API void datahub_consumer_options_init (DatahubConsumerOptions
        *options);
DATAHUB_API DatahubResult datahub_consumer_attach (const char *channel,
    const DatahubConsumerOptions *options, DatahubConsumer **consumer,
    DatahubError *error);
DATAHUB_API DatahubResult datahub_consumer_rejoin (DatahubConsumer *consumer,
    DatahubError *error);
DATAHUB_API void datahub_consumer_close (DatahubConsumer *consumer);

DATAHUB_API DatahubResult
datahub_consumer_begin_read (DatahubConsumer *consumer, int64_t timeout_ns,
    DatahubView *view, DatahubError *error);
DATAHUB_API void datahub_consumer_hold (DatahubConsumer *consumer,
    const DatahubView *view);
DATAHUB_API void datahub_consumer_end_read (DatahubConsumer *consumer,
    const DatahubView *view);
/* The sticky record a leased record stands in; ends with the lease of @of. */
DATAHUB_API DatahubResult
datahub_consumer_get_context (DatahubConsumer *consumer, const DatahubView *of,
    DatahubContext context, DatahubView *view, DatahubError *error);
/* The newest sticky record, before any buffer came: a lease of its own. */
DATAHUB_API DatahubResult
datahub_consumer_read_sticky (DatahubConsumer *consumer, DatahubRecordType type,
    DatahubView *view, DatahubError *error);
DATAHUB_API DatahubResult datahub_consumer_wait (DatahubConsumer *consumer,
    int64_t timeout_ns);

DATAHUB_API void datahub_consumer_set_interrupted (DatahubConsumer *consumer,
    bool interrupted);
DATAHUB_API void datahub_consumer_request (DatahubConsumer *consumer,
    uint32_t requests);
/* Spins this long for new data before it sleeps; 0 never spins. */
DATAHUB_API void datahub_consumer_set_spin (DatahubConsumer *consumer,
    uint64_t spin_ns);

/* A sign of life, where nothing is read for a while. */
DATAHUB_API void datahub_consumer_beat (DatahubConsumer *consumer);
/* Skips buffers committed longer ago than this; 0: none is too old. */
DATAHUB_API void datahub_consumer_set_max_age (DatahubConsumer *consumer,
    int64_t max_age_ns);

DATAHUB_API const char *datahub_consumer_get_uuid (DatahubConsumer *consumer);
DATAHUB_API void datahub_consumer_get_indices (DatahubConsumer *consumer,
    DatahubIndices *indices);
DATAHUB_API void datahub_consumer_get_stats (DatahubConsumer *consumer,
    DatahubConsumerStats *stats);

DATAHUB_END_DECLS

#endif /* DATAHUB_CONSUMER_H */
