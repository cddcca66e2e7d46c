/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flexible zone: descriptors and small messages beside the stream. One part
 * is written by the producer and read as a whole; the other is memory that
 * producer and consumers write, each under a user lock. Any thread; nothing here
 * blocks. */
#ifndef DATAHUB_ZONE_H
#define DATAHUB_ZONE_H

#include <datahub/consumer.h>
#include <datahub/producer.h>

DATAHUB_BEGIN_DECLS

/* Copies @size bytes to @offset of the producer's part; readers see all of the
 * change or none. Fails with INVALID (outside of `zone_size`), CLOSED, FORKED. */
DATAHUB_API DatahubResult
datahub_producer_write_zone (DatahubProducer *producer, uint64_t offset,
    const void *bytes, uint64_t size, DatahubError *error);
/* Copies @size bytes at @offset, all of one version, to @bytes. @version, which
 * may be NULL, grows by one with each write. TIMEOUT: the producer changed it
 * during a thousand attempts; INVALID, FORKED. */
DATAHUB_API DatahubResult datahub_consumer_read_zone (DatahubConsumer *consumer,
    uint64_t offset, void *bytes, uint64_t size, uint64_t *version,
    DatahubError *error);
/* Bytes of the producer's part; 0: there is none. */
DATAHUB_API uint64_t datahub_consumer_get_zone_size (DatahubConsumer *consumer);
/* The shared part, 64-byte aligned, valid until the handle is gone, and its size
 * in bytes; NULL and 0: there is none. Its content was written by other
 * processes: check it. */
DATAHUB_API void *datahub_producer_get_shared_zone (DatahubProducer *producer,
    uint64_t *size);
DATAHUB_API void *datahub_consumer_get_shared_zone (DatahubConsumer *consumer,
    uint64_t *size);

/* Load and store an aligned word of the shared part: what the storing process
 * wrote before is visible after the load of that value. Only one process stores
 * to a word. */
DATAHUB_API uint64_t datahub_index_load_acquire (const uint64_t *word);
DATAHUB_API void datahub_index_store_release (uint64_t *word, uint64_t value);

DATAHUB_END_DECLS

#endif /* DATAHUB_ZONE_H */
