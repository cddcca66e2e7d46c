/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server of a strict block: a Unix socket beside its name, on which a
 * thread of the producer sends the descriptors of the block's memory. Its
 * messages are defined here and in docs/protocol.md, byte by byte. */
#ifndef DATAHUB_STRICT_PROTOCOL_PRIVATE_H
#define DATAHUB_STRICT_PROTOCOL_PRIVATE_H

#include "block-private.h"
#include "ticket-private.h"

#include <datahub/consumer.h>

#include <stddef.h>

#define STRICT_MAGIC UINT64_C (0x0BADF00DD0020A1E)
#define STRICT_VERSION 1u
#define STRICT_PART "sck"
/* From the connect to the end of the greeting. */
#define STRICT_GREETING_NS NS_PER_S

typedef enum
{
  STRICT_CONSUME = 1,
  STRICT_OBSERVE = 2
} StrictKind;

typedef enum
{
  STRICT_GRANTED = 0, /* descriptors: ctl, con, row, token, pools */
  STRICT_SHOWN = 1, /* to an observer: ctl, pools of events' bodies */
  STRICT_POOL = 2, /* to a consumer, unasked: one more pool */
  STRICT_REFUSED_VERSION = 16,
  STRICT_REFUSED_MALFORMED,
  STRICT_REFUSED_USER,
  STRICT_REFUSED_OTHER_BLOCK,
  STRICT_REFUSED_NO_TICKET,
  STRICT_REFUSED_FORGED,
  STRICT_REFUSED_EXPIRED,
  STRICT_REFUSED_TOO_LONG,
  STRICT_REFUSED_REPLAYED,
  STRICT_REFUSED_FULL, /* no row is free */
  STRICT_REFUSED_BUSY, /* too many at once: try again */
  STRICT_REFUSED_SYSTEM /* the producer is short of something */
} StrictStatus;

/* The one message of a client. */
typedef struct
{
  uint64_t magic;
  uint32_t version;
  uint32_t kind; /* StrictKind */
  uint8_t uuid[16];
  uint32_t max_pinned;
  uint32_t has_ticket;
  uint8_t reserved[24];
  Ticket ticket;
  uint8_t reserved1[64];
} StrictHello;
_Static_assert(sizeof (StrictHello) == 256, "hello");

#define STRICT_FDS_CTL 0
#define STRICT_FDS_CON 1
#define STRICT_FDS_ROW 2
#define STRICT_FDS_TOKEN 3
#define STRICT_FDS_POOLS 4
#define STRICT_FDS_MAX (STRICT_FDS_POOLS + MAX_POOLS)

/* Every message of the server. */
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
} StrictAnswer;
_Static_assert(sizeof (StrictAnswer) == 128, "answer");

/* A consumer, as reported to an observer, which cannot map its row. */
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
  uint64_t latency_sum_ns;
  uint64_t latency_count;
  char name[DATAHUB_CONSUMER_NAME_MAX];
} StrictConsumer;
_Static_assert(sizeof (StrictConsumer) == 128, "row");

typedef struct
{
  StrictAnswer answer;
  StrictConsumer rows[MAX_ROWS];
} StrictShown;
_Static_assert(sizeof (StrictShown) == 128 + 256 * 128, "shown");

/* strict-refusals.c */
DatahubResult strict_fail_refused (const Block *block,
    const StrictAnswer *answer, DatahubError *error);
DatahubResult strict_fail_late (const Block *block, StrictStatus obstacle,
    DatahubError *error);

#endif /* DATAHUB_STRICT_PROTOCOL_PRIVATE_H */
