/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_ZONE_H
#define DATAHUB_ZONE_H

#include <datahub/consumer.h>
#include <datahub/producer.h>

DATAHUB_BEGIN_DECLS

/* The flexible zone: descriptors and small messages beside the stream. One part
 * is written by the producer and read as a whole; the other is memory that
 * producer and consumers write, each under a user lock. */
DATAHUB_API DatahubResult
datahub_producer_write_zone (DatahubProducer *producer, uint64_t offset,
    const void *bytes, uint64_t size, DatahubError *error);
DATAHUB_API DatahubResult datahub_consumer_read_zone (DatahubConsumer *consumer,
    uint64_t offset, void *bytes, uint64_t size, uint64_t *version,
    DatahubError *error);
DATAHUB_API uint64_t datahub_consumer_get_zone_size (DatahubConsumer *consumer);
DATAHUB_API void *datahub_producer_get_shared_zone (DatahubProducer *producer,
    uint64_t *size);
DATAHUB_API void *datahub_consumer_get_shared_zone (DatahubConsumer *consumer,
    uint64_t *size);

/* Words of the shared zone that two processes hand each other. */
DATAHUB_API uint64_t datahub_index_load_acquire (const uint64_t *word);
DATAHUB_API void datahub_index_store_release (uint64_t *word, uint64_t value);

DATAHUB_END_DECLS

#endif /* DATAHUB_ZONE_H */
