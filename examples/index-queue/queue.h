/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A queue of fixed-size items for one sender and one receiver, in the shared
 * zone of a DataBlock, without a lock: two words, each written by one side.
 *
 * Whichever side is killed, wherever, the other goes on, and its successor with
 * it: an item that was not sent whole is not seen, and one that was being
 * received is received again (so at least once, never half). What the other side
 * wrote is checked before it is used. */
#ifndef INDEX_QUEUE_H
#define INDEX_QUEUE_H

#include <datahub/zone.h>

#include <string.h>

/* The zone starts as zeroes, which is an empty queue. */
typedef struct
{
  uint64_t write_index; /* items sent, ever; the sender's */
  uint8_t pad0[56]; /* each on a line of its own */
  uint64_t read_index; /* items received, ever; the receiver's */
  uint8_t pad1[56];
  uint8_t items[];
} QueueZone;

/* A private view; both sides must mean the same numbers. */
typedef struct
{
  QueueZone *zone;
  uint64_t item_size;
  uint64_t capacity;
} Queue;

/* False: the zone is too small for one item. */
static inline bool
queue_open (Queue *queue, void *zone, uint64_t size, uint64_t item_size)
{
  *queue = (Queue){ .zone = zone, .item_size = item_size };
  if (zone && item_size && size > sizeof (QueueZone))
    queue->capacity = (size - sizeof (QueueZone)) / item_size;
  return queue->capacity > 0;
}

static inline uint8_t *
queue_item (const Queue *queue, uint64_t index)
{
  return queue->zone->items + index % queue->capacity * queue->item_size;
}

/* The sender's. False: the queue is full. */
static inline bool
queue_send (Queue *queue, const void *item)
{
  uint64_t write = queue->zone->write_index; /* only this side writes it */
  uint64_t read = datahub_index_load_acquire (&queue->zone->read_index);
  if (write - read >= queue->capacity) /* also where read makes no sense */
    return false;
  memcpy (queue_item (queue, write), item, queue->item_size);
  datahub_index_store_release (&queue->zone->write_index, write + 1);
  return true;
}

/* The receiver's. False: the queue is empty. */
static inline bool
queue_receive (Queue *queue, void *item)
{
  uint64_t read = queue->zone->read_index; /* only this side writes it */
  uint64_t write = datahub_index_load_acquire (&queue->zone->write_index);
  if (write - read - 1 >= queue->capacity) /* empty, or no sense */
    return false;
  memcpy (item, queue_item (queue, read), queue->item_size);
  datahub_index_store_release (&queue->zone->read_index, read + 1);
  return true;
}

#endif /* INDEX_QUEUE_H */
