/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The door of a strict block: a Unix socket beside its name, behind which a
 * thread of the producer hands out the descriptors of the block's memory. What
 * goes over it is here and in docs/protocol.md, byte by byte. */
#ifndef DATAHUB_DOOR_PRIVATE_H
#define DATAHUB_DOOR_PRIVATE_H

#include "block-private.h"
#include "ticket-private.h"

#include <datahub/consumer.h>

#include <stddef.h>

#define DOOR_MAGIC UINT64_C (0x0BADF00DD0020A1E)
#define DOOR_VERSION 1u
#define DOOR_PART "sck"
/* From the connection to the last word of a greeting. */
#define DOOR_PATIENCE_NS NS_PER_S

typedef enum
{
  DOOR_WISH_CONSUME = 1,
  DOOR_WISH_OBSERVE = 2
} DoorWish;

typedef enum
{
  DOOR_GRANTED = 0, /* descriptors: ctl, con, row, token, pools */
  DOOR_SHOWN = 1, /* to an observer: ctl, pools of events' bodies */
  DOOR_POOL = 2, /* to a consumer, unasked: one more pool */
  DOOR_REFUSED_VERSION = 16,
  DOOR_REFUSED_MALFORMED,
  DOOR_REFUSED_USER,
  DOOR_REFUSED_OTHER_BLOCK,
  DOOR_REFUSED_NO_TICKET,
  DOOR_REFUSED_FORGED,
  DOOR_REFUSED_EXPIRED,
  DOOR_REFUSED_TOO_LONG,
  DOOR_REFUSED_REPLAYED,
  DOOR_REFUSED_FULL, /* no row is free */
  DOOR_REFUSED_BUSY, /* too many at once: try again */
  DOOR_REFUSED_SYSTEM /* the producer is short of something */
} DoorStatus;

/* The one message of a client. */
typedef struct
{
  uint64_t magic;
  uint32_t version;
  uint32_t wish;
  uint8_t uuid[16];
  uint32_t max_pinned;
  uint32_t has_ticket;
  uint8_t reserved[24];
  Ticket ticket;
  uint8_t reserved1[64];
} DoorHello;
_Static_assert(sizeof (DoorHello) == 256, "hello");

#define DOOR_FDS_CTL 0
#define DOOR_FDS_CON 1
#define DOOR_FDS_ROW 2
#define DOOR_FDS_TOKEN 3
#define DOOR_FDS_POOLS 4
#define DOOR_FDS_MAX (DOOR_FDS_POOLS + MAX_POOLS)

/* Every message of the door. */
typedef struct
{
  uint64_t magic;
  uint32_t version;
  uint32_t status;
  uint8_t uuid[16];
  uint32_t row;
  uint32_t quota;
  uint32_t n_pools;
  uint32_t n_rows; /* to an observer: that follow; when full: that there are */
  uint32_t gens[MAX_POOLS]; /* of the pools, in the order of the descriptors */
  uint8_t reserved[16];
} DoorAnswer;
_Static_assert(sizeof (DoorAnswer) == 128, "answer");

/* A consumer, as an observer is told of it, who cannot see its row. */
typedef struct
{
  uint32_t row;
  uint32_t state;
  uint32_t reliable;
  int32_t pid;
  uint64_t id;
  uint64_t received;
  uint64_t lost;
  uint64_t cursor;
  uint32_t pins;
  uint32_t quota;
  uint64_t expired;
  uint64_t heartbeat_ns;
  uint8_t reserved[16];
  char name[DATAHUB_CONSUMER_NAME_MAX];
} DoorRow;
_Static_assert(sizeof (DoorRow) == 128, "row");

typedef struct
{
  DoorAnswer answer;
  DoorRow rows[MAX_ROWS];
} DoorShown;
_Static_assert(sizeof (DoorShown) == 128 + 256 * 128, "shown");

DatahubResult door_enter (Block *block, BlockAccess access,
    const Visitor *visitor, DatahubError *error);
int door_take_pool (const Block *block, uint32_t gen);
void door_forget_pools (const Block *block);
void door_leave (Block *block);

#endif /* DATAHUB_DOOR_PRIVATE_H */
