/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the other headers share: results, errors, limits, small structures.
 *
 * Structures come in four kinds; docs/api.md has the rules.
 *   filled in by the caller   first member struct_size, set by ..._init()
 *   filled in by the library  written up to a size that the header passes
 *   frozen                    the size never changes; marked so below
 *   made by the library       may grow at the end; never copied by value
 */
#ifndef DATAHUB_TYPES_H
#define DATAHUB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define DATAHUB_BEGIN_DECLS extern "C" {
#define DATAHUB_END_DECLS }
#else
#define DATAHUB_BEGIN_DECLS
#define DATAHUB_END_DECLS
#endif

#define DATAHUB_API __attribute__ ((visibility ("default")))

/* "No value" of every 64-bit time and offset, as GST_CLOCK_TIME_NONE. */
#define DATAHUB_NONE UINT64_MAX
/* Timeouts are int64 nanoseconds of CLOCK_MONOTONIC: 0 tries once, < 0 waits
 * without a limit. A wait ends early if it is interrupted. */
#define DATAHUB_FOREVER INT64_C (-1)
/* Memories of one record. */
#define DATAHUB_MAX_MEMORIES 4
/* Records of one commit; a block with a small ring may allow fewer, see
 * datahub_producer_get_batch_max(). */
#define DATAHUB_MAX_BATCH 64u
/* Rows of the consumer table; a block may have fewer. */
#define DATAHUB_MAX_CONSUMERS 256u
/* Bytes of the secret of a block. */
#define DATAHUB_SECRET_SIZE 32
/* Characters of a channel's name. */
#define DATAHUB_CHANNEL_MAX 64
#define DATAHUB_UUID_TEXT 33 /* 32 hexadecimal digits and the end */
#define DATAHUB_CONSUMER_NAME_MAX 40 /* with the end */
/* Bytes of an event that a consumer posts to the producer. */
#define DATAHUB_UPSTREAM_EVENT_MAX 1024u
/* Characters of the caps that a consumer is limited to, with the end. */
#define DATAHUB_LIMITS_MAX 2048u
/* Distinct errors of a producer that a block keeps, and the bytes of the text of
 * one, with the end. */
#define DATAHUB_MAX_BLOCK_ERRORS 32u
#define DATAHUB_BLOCK_ERROR_TEXT_MAX 96
/* A live consumer without a sign of life for this long is marked as stalled. */
#define DATAHUB_STALLED_NS INT64_C (3000000000)

DATAHUB_BEGIN_DECLS

/* Values below DATAHUB_ERROR_FIRST are ordinary outcomes, the others are
 * failures. */
typedef enum
{
  DATAHUB_OK = 0,
  DATAHUB_TIMEOUT, /* the time is up, or a try found nothing */
  DATAHUB_INTERRUPTED, /* the wait was ended by an interrupt call */
  DATAHUB_CLOSED, /* the producer closed the block; nothing is left */
  DATAHUB_PRODUCER_LOST, /* the producer died; nothing is left to read */
  DATAHUB_EVICTED, /* this reliable consumer held the producer too long */
  DATAHUB_DROPPED, /* no room within max-bytes, no consumer to wait for */
  DATAHUB_OWNER_DIED, /* done, but the previous owner died: check the data */

  DATAHUB_ERROR_FIRST = 64,
  DATAHUB_ERROR_NAME = 64, /* the channel name is not allowed */
  DATAHUB_ERROR_INVALID, /* an argument is not valid */
  DATAHUB_ERROR_NOT_FOUND, /* no such block */
  DATAHUB_ERROR_BUSY, /* a live producer has the name; or handle in use */
  DATAHUB_ERROR_DENIED, /* owner, mode or secret forbid it */
  DATAHUB_ERROR_NO_SPACE, /* the shared memory file system is full */
  DATAHUB_ERROR_VERSION, /* the block is of another version */
  DATAHUB_ERROR_CORRUPT, /* the block contradicts itself */
  DATAHUB_ERROR_TOO_BIG, /* cannot fit even when everything is free */
  DATAHUB_ERROR_FULL, /* the consumer table is full */
  DATAHUB_ERROR_FORKED, /* the handle belongs to the parent process */
  DATAHUB_ERROR_SYSTEM, /* a system call failed; see sys_errno */
  DATAHUB_ERROR_CHECKSUM /* a record does not match its checksum */
} DatahubResult;

/* Frozen. Each function that takes one, which may be NULL, sets `code` to its
 * result, DATAHUB_OK included. The other members are set unless it is
 * DATAHUB_OK. It needs no initialisation. */
typedef struct
{
  DatahubResult code;
  int sys_errno; /* 0: no system call failed */
  char message[320]; /* an English sentence with the numbers */
} DatahubError;

typedef enum
{
  DATAHUB_RECORD_BUFFER = 1,
  DATAHUB_RECORD_STREAM_START,
  DATAHUB_RECORD_CAPS,
  DATAHUB_RECORD_SEGMENT,
  DATAHUB_RECORD_TAGS,
  DATAHUB_RECORD_GAP,
  DATAHUB_RECORD_EOS,
  DATAHUB_RECORD_EVENT /* any other serialized event */
} DatahubRecordType;

/* Computed over each record at commit, checked before it is delivered. */
typedef enum
{
  DATAHUB_CHECKSUM_NONE = 0,
  DATAHUB_CHECKSUM_CRC32C,
  DATAHUB_CHECKSUM_BLAKE2B
} DatahubChecksum;

/* The sticky records that are in effect when a record is committed. The number
 * of them is frozen. */
typedef enum
{
  DATAHUB_CONTEXT_STREAM_START,
  DATAHUB_CONTEXT_CAPS,
  DATAHUB_CONTEXT_SEGMENT,
  DATAHUB_CONTEXT_TAGS,
  DATAHUB_N_CONTEXTS
} DatahubContext;

/* Record flags. The low 24 bits are the user's (the elements put GstBufferFlags
 * there, shifted), the high ones the library's. */
#define DATAHUB_FLAG_DELTA_UNIT UINT32_C (0x80000000) /* not a keyframe */
#define DATAHUB_FLAG_LIVE UINT32_C (0x40000000) /* live producer */
#define DATAHUB_FLAG_DROPPABLE UINT32_C (0x20000000) /* nothing depends on it */
/* Inside of a unit that began before it, so no reader can begin with it, be it a
 * keyframe or not. */
#define DATAHUB_FLAG_INSIDE UINT32_C (0x10000000)
#define DATAHUB_FLAG_USER_MASK UINT32_C (0x00ffffff)

typedef enum
{
  DATAHUB_CONSUMER_FREE = 0,
  DATAHUB_CONSUMER_CLAIMED, /* joining */
  DATAHUB_CONSUMER_ACTIVE,
  DATAHUB_CONSUMER_EVICTED,
  DATAHUB_CONSUMER_LEAVING /* closed, still holds leases */
} DatahubConsumerState;

/* One row of the consumer table, as the producer or an inspector sees it.
 * Frozen: arrays and other structures contain it. */
typedef struct
{
  uint32_t row; /* 0 to DATAHUB_MAX_CONSUMERS - 1 */
  uint64_t id; /* row and incarnation: never the same for two consumers */
  DatahubConsumerState state;
  bool alive; /* by the kernel's lock, not by a timeout */
  bool reliable;
  bool notify; /* requests "data-ready" notifications through the broker */
  bool stalled; /* alive, but no sign of life for DATAHUB_STALLED_NS */
  int32_t pid; /* as the consumer wrote it; in its own PID namespace */
  char name[DATAHUB_CONSUMER_NAME_MAX];
  uint64_t received; /* buffers */
  uint64_t lost; /* buffers */
  uint64_t expired; /* buffers skipped because of their age */
  uint64_t cursor; /* next sequence to read */
  uint32_t pins; /* records held */
  uint32_t quota; /* slots that may be held without a copy */
  uint64_t heartbeat_ns; /* CLOCK_MONOTONIC of the last sign of life */
  uint64_t silent_ns; /* time since then */
  /* From commit to delivery, of buffers that were waited for and of one in 64 of
   * the others; 0 of an old block. */
  uint64_t latency_sum_ns;
  uint64_t latency_count;
  uint64_t latency_max_ns;
  uint64_t limits_sequence; /* another value for each change; 0: no limits */
  /* Leases beyond the quota: their buffers have to be copied. 0 of an old or strict
   * block. */
  uint64_t over_quota;
  uint64_t reserved[3]; /* 0 */
} DatahubConsumerInfo;

/* How the CLOCK_MONOTONIC of a producer is seen from this process. Later versions
 * may add states. */
typedef enum
{
  DATAHUB_CLOCK_SAME, /* as is */
  DATAHUB_CLOCK_MAPPED, /* it is in another time namespace; times are mapped */
  /* Another clock, and times are passed on as they are: */
  DATAHUB_CLOCK_OTHER_BOOT, /* of another kernel */
  DATAHUB_CLOCK_UNKNOWN, /* the producer shows no clocks to compare */
  DATAHUB_CLOCK_IMPLAUSIBLE /* the clocks that it shows contradict themselves */
} DatahubClockState;

typedef enum
{
  DATAHUB_CHANGE_JOINED = 1,
  DATAHUB_CHANGE_LEFT, /* closed by its program */
  DATAHUB_CHANGE_DIED, /* its process was killed, or ended without a close */
  DATAHUB_CHANGE_EVICTED /* after block-timeout; it may join again */
} DatahubChange;

/* A change of the consumer table. Frozen: arrays consist of it. */
typedef struct
{
  uint64_t id; /* as in DatahubConsumerInfo */
  DatahubChange event;
  char name[DATAHUB_CONSUMER_NAME_MAX]; /* printable ASCII */
  uint64_t reserved[2]; /* 0 */
} DatahubConsumerChange;

/* The raw indices of a stream, under the names of other shared-memory rings.
 * Filled in by the library. */
typedef struct
{
  uint64_t write_index; /* sequence that the next record will get */
  uint64_t commit_index; /* records committed: those below can be read */
  uint64_t read_index; /* next sequence of the slowest live consumer */
  uint64_t oldest_index; /* sequence of the oldest record kept */
  uint64_t current_slot_id; /* sequence of the newest record; NONE: none yet */
  uint32_t active_consumer_count; /* by kernel locks, so never stale */
} DatahubIndices;

/* The short, stable name of @result, as "not-found", for logs and JSON; static,
 * never NULL. Any thread. */
DATAHUB_API const char *datahub_result_name (DatahubResult result);
/* CRC-32C of @size bytes, as DATAHUB_CHECKSUM_CRC32C computes it. Any thread. */
DATAHUB_API uint32_t datahub_crc32c (const void *bytes, size_t size);

DATAHUB_END_DECLS

#endif /* DATAHUB_TYPES_H */
