/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All data that other processes see, and nothing else: fixed width, little
 * endian, with asserted offsets. docs/memory-layout.md describes it field by
 * field for readers in other languages; both must change together. */
#ifndef DATAHUB_BLOCK_LAYOUT_PRIVATE_H
#define DATAHUB_BLOCK_LAYOUT_PRIVATE_H

#include "core/base/atomics-private.h"

#include <datahub/types.h>

#include <stddef.h>

#define BLOCK_MAGIC UINT64_C (0x0BADF00DFEEDFACE)
#define POOL_MAGIC UINT64_C (0x0BADF00DDA7A5107)
#define LOCK_MAGIC UINT64_C (0x0BADF00D10C4F11E)
#define BLOCK_ENDIAN UINT32_C (0x01020304)
#define BLOCK_MAJOR 1
#define BLOCK_MINOR 1
#define BLOCK_LINE 64
#define BLOCK_PAGE 4096

/* Memory without names, handed out by a socket; rows are objects of their own. */
#define FEATURE_STRICT UINT64_C (1)
/* Feature bits this build understands; an unknown incompatible one refuses. */
#define FEATURES_INCOMPAT_KNOWN FEATURE_STRICT
#define FEATURES_RO_COMPAT_KNOWN UINT64_C (0)
/* Compatible features: a reader may ignore them, a producer must maintain them.
 * A producer that does not know one of a block must not adopt that block: it
 * would leave stale values behind. */
#define FEATURE_ROW_EXTRA UINT64_C (1) /* a RowExtra in each row, whole pages */
#define FEATURE_TELEMETRY UINT64_C (2) /* clocks, limits, ProducerCounters */
#define FEATURE_ERRORS UINT64_C (4) /* SECTION_ERRORS */
#define FEATURES_COMPAT_KNOWN                                                  \
  (FEATURE_ROW_EXTRA | FEATURE_TELEMETRY | FEATURE_ERRORS)

/* Hard limits: a record index is 16 bits with 0xffff for "none", the waiter
 * mask has 256 bits. */
#define MAX_RECORDS 65534u
#define MAX_ROWS DATAHUB_MAX_CONSUMERS
#define MAX_RING (1u << 15)
#define MAX_POOLS 16u
#define N_WAITER_WORDS 4u
#define RECORD_NONE 0xffffu
#define PIN_WORDS_MAX ((MAX_RECORDS + 63) / 64)
#define MEMORIES_MAX 4u

/* Ring and sticky words: sequence:48 | record:16. */
#define SEQUENCE_BITS 48
#define SEQUENCE_MASK ((UINT64_C (1) << SEQUENCE_BITS) - 1)
#define RING_WORD(sequence, record)                                            \
  ((((uint64_t) (sequence)) << 16) | (uint16_t) (record))
#define RING_SEQUENCE(word) ((uint64_t) (word) >> 16)
#define RING_RECORD(word) ((uint32_t) ((word) &0xffff))

/* Gate word of a row: low bits of its incarnation:16 | sequence needed:48. */
#define GATE_OPEN (SEQUENCE_MASK) /* gates nothing */
#define GATE_EVICTED (SEQUENCE_MASK - 1) /* reported at its next call */
#define GATE_WORD(incarnation, sequence)                                       \
  ((((uint64_t) (incarnation) &0xffff) << SEQUENCE_BITS)                       \
      | ((uint64_t) (sequence) &SEQUENCE_MASK))
#define GATE_SEQUENCE(word) ((uint64_t) (word) &SEQUENCE_MASK)

/* Event and limits word of a row: low bits of the claim of its writer:16 |
 * count:36 | size of the bytes that belong to it:12. */
#define MAIL_COUNT_BITS 36
#define MAIL_SIZE_BITS 12
#define MAIL_COUNT_MASK ((UINT64_C (1) << MAIL_COUNT_BITS) - 1)
#define MAIL_SIZE_MASK ((UINT64_C (1) << MAIL_SIZE_BITS) - 1)
#define MAIL_WORD(claim, count, size)                                          \
  ((((uint64_t) (claim) &0xffff) << (MAIL_COUNT_BITS + MAIL_SIZE_BITS))        \
      | (((uint64_t) (count) &MAIL_COUNT_MASK) << MAIL_SIZE_BITS)              \
      | ((uint64_t) (size) &MAIL_SIZE_MASK))
#define MAIL_CLAIM(word)                                                       \
  ((uint64_t) (word) >> (MAIL_COUNT_BITS + MAIL_SIZE_BITS))
#define MAIL_COUNT(word)                                                       \
  (((uint64_t) (word) >> MAIL_SIZE_BITS) & MAIL_COUNT_MASK)
#define MAIL_SIZE(word) ((uint64_t) (word) &MAIL_SIZE_MASK)

/* Owner word of a user lock: participant:16 | incarnation:16 | thread:32. */
#define PARTICIPANT_PRODUCER 1u
#define PARTICIPANT_ROW 2u
#define PARTICIPANT_ABANDONED 0xffffu /* from a dead owner, held by none */
#define OWNER_WORD(participant, incarnation, thread)                           \
  ((uint64_t) (participant) << 48 | ((uint64_t) (incarnation) &0xffff) << 32   \
      | (uint32_t) (thread))
#define OWNER_PARTICIPANT(word) ((uint32_t) ((word) >> 48))
#define OWNER_INCARNATION(word) ((uint32_t) ((word) >> 32) & 0xffff)
#define OWNER_THREAD(word) ((uint32_t) (word))

/* Bytes of the lock file on which kernel locks are taken. */
#define LOCK_BYTE_PRODUCER 0
#define LOCK_BYTE_JANITOR 1 /* held by a repairer of the block */
#define LOCK_BYTE_REGISTRY 2
#define LOCK_BYTE_ROW 16

/* Bits of the mode of a row. */
#define MODE_RELIABLE 1u
#define MODE_NOTIFY 2u /* wants "data-ready" through the broker */

/* Bits of producer_waiting: what the sleeping producer waits for. */
#define WAITING_GATE 1u /* reliable consumers have to move on */
#define WAITING_SLOT 2u /* any released slot or record helps */

typedef enum
{
  SECTION_POOLS = 1,
  SECTION_STICKY,
  SECTION_RING,
  SECTION_RECORDS,
  SECTION_ERRORS /* of a block with FEATURE_ERRORS */
} SectionKind;
#define N_SECTIONS 4u /* that each block has */
#define SECTIONS_MAX 8u /* room of the table */
#define N_CLOCK_PAIRS 2u
#define N_ERRORS DATAHUB_MAX_BLOCK_ERRORS
#define N_USER_LOCKS 8u
/* A reader has the time of two writes to copy one. */
#define ZONE_COPIES 4u
#define USER_LOCK_NAME 24

typedef enum
{
  POOL_PAYLOAD = 0,
  POOL_SMALL = 1 /* bodies of events and metas too big for the record */
} PoolKind;
#define N_POOL_KINDS 2

/* Sticky words: the four contexts, then EOS. */
#define STICKY_EOS 4u
#define N_STICKY 5u
#define N_STICKY_WORDS 8u

typedef struct
{
  uint32_t kind;
  uint32_t flags;
  uint64_t offset;
  uint64_t size;
  uint32_t count;
  uint32_t stride;
} BlockSection;

/* The first 256 bytes never change after creation. */
typedef struct
{
  uint64_t magic;
  uint32_t endian;
  uint16_t major;
  uint16_t minor;
  uint32_t header_size;
  uint32_t line;
  uint64_t feat_incompat;
  uint64_t feat_ro_compat;
  uint64_t feat_compat;
  uint8_t uuid[16];
  uint64_t epoch;
  uint64_t ctl_size;
  uint64_t con_size;
  uint64_t dat_size; /* of a payload pool of n_slots slots */
  uint32_t n_slots; /* the first payload pool has at most as many */
  uint32_t n_recs;
  uint64_t slot_stride; /* of the first payload pool */
  uint32_t ring_size;
  uint32_t rec_stride;
  uint32_t max_rows;
  uint32_t row_stride;
  uint32_t pin_words;
  uint32_t max_quota;
  uint32_t n_sections;
  uint32_t section_off;
  uint8_t secret_tag[32];
  uint64_t created_ns; /* CLOCK_REALTIME */
  uint32_t owner_uid;
  uint32_t producer_pid;
  uint32_t lease_budget; /* slots that all quotas together may take */
  uint32_t con_rows_off;
  uint64_t zone_off; /* in ctl: written by the producer */
  uint64_t zone_size; /* of one copy; 0: none */
  uint64_t shared_zone_off; /* in con: written by all under a lock */
  uint64_t shared_zone_size;
  uint64_t claims_off; /* of a strict block, in ctl: u64 per row */
  uint64_t layout_hash;
  uint64_t header_check; /* FNV-1a of the bytes before it */
} BlockIdentity;

/* Readings of CLOCK_MONOTONIC and CLOCK_REALTIME at one instant, as the producer
 * sees them, and the boot in which they were taken. */
typedef struct
{
  shared_u64 monotonic_ns;
  shared_u64 realtime_ns;
  shared_u64 boot_id[2]; /* 0, 0: not known */
} ClockPair;

/* Counters of what only the producer sees, since the block was created. */
typedef struct
{
  shared_u64 wakes; /* wake system calls of commits */
  shared_u64 waits; /* sleeps for room */
  shared_u64 growths; /* pools added after the first */
  shared_u64 given_up; /* buffers discarded early */
  shared_u64 copied; /* buffers copied into a slot to commit them */
} ProducerCounters;

/* Mutable lines, each written by the producer alone, 128 bytes apart so that
 * the adjacent-line prefetcher does not couple them. */
typedef struct
{
  BlockIdentity identity;
  /* 0x100: polled by every reader */
  shared_u64 head;
  shared_u32 wake;
  shared_u32 state;
  uint8_t pad0[112];
  /* 0x180 */
  shared_u64 tail;
  shared_u64 tail_claim;
  shared_u64 last_key_seq; /* newest buffer to begin with */
  shared_u64 last_buffer_seq; /* newest buffer */
  shared_u64 flush_seq; /* live readers skip records below it */
  uint8_t pad1[88];
  /* 0x200 */
  shared_u64 heartbeat;
  shared_u64 incarnation;
  shared_u32 producer_waiting;
  shared_u32 next_gen;
  shared_u32 pool_changes; /* bumped after every change of the pool table */
  uint32_t pad2;
  shared_u64 room_wanted; /* a gate that reaches it is worth a wake */
  uint8_t pad3[88];
  /* 0x280: counters */
  shared_u64 buffers;
  shared_u64 records;
  shared_u64 bytes;
  shared_u64 dropped;
  shared_u64 evictions;
  shared_u64 reaped;
  ProducerCounters more; /* with FEATURE_TELEMETRY, as all that follows */
  uint8_t pad4[40];
  /* 0x300: kept for full rotation: names of the neighbours in the chain */
  uint8_t next_uuid[16];
  uint8_t prev_uuid[16];
  /* pairs taken so far; the newest is clock[clock_turn % N_CLOCK_PAIRS] */
  shared_u64 clock_turn;
  uint8_t pad5[24];
  ClockPair clock[N_CLOCK_PAIRS]; /* 0x340 */
  /* 0x380: a SHARE_WORD. Read at each lease, so on a line that is rarely
   * written. */
  shared_u64 share;
  uint8_t pad6[120];
} BlockHeader;

/* How many slots each consumer may hold before it must copy, and for how many
 * consumers that holds; 0: no share is stated. */
#define SHARE_WORD(limit, counted) ((uint64_t) (counted) << 32 | ((limit) + 1))
#define SHARE_STATED(word) ((uint32_t) (word) != 0)
#define SHARE_LIMIT(word) ((uint32_t) (word) -1)
#define SHARE_COUNTED(word) ((uint32_t) ((word) >> 32))

/* One of the distinct errors of a producer. A reader copies it between two loads
 * of `turn`, which must be equal, even, and not 0. */
#define ERROR_TEXT_WORDS (DATAHUB_BLOCK_ERROR_TEXT_MAX / 8)
typedef struct
{
  shared_u32 turn; /* odd: the entry is being written; 0: never used */
  shared_u32 code; /* DatahubResult */
  shared_u64 count;
  shared_u64 first_ns; /* CLOCK_REALTIME */
  shared_u64 last_ns;
  shared_u64 text[ERROR_TEXT_WORDS]; /* with a zero byte */
} ErrorEntry;

typedef struct
{
  shared_u32 gen; /* 0: the entry is free; stored last with release */
  shared_u32 kind;
  shared_u32 n_slots;
  shared_u32 reserved;
  shared_u64 stride;
  shared_u64 size; /* of the file, its first page included */
} PoolEntry;

typedef struct
{
  uint32_t gen;
  uint32_t slot;
  uint64_t offset;
  uint64_t size;
  uint64_t maxsize;
} RecordMemory;

#define RECORD_INLINE 192
/* In the place of a buffer that was given up early; beside DatahubRecordType,
 * and never delivered. */
#define RECORD_TYPE_TOMBSTONE 9u

/* Plain fields, unchanged while the record can be reached or is pinned. */
typedef struct
{
  uint64_t seq;
  uint64_t ordinal;
  uint64_t commit_ns;
  uint64_t pts;
  uint64_t dts;
  uint64_t duration;
  uint64_t offset;
  uint64_t offset_end;
  int64_t instant_ns;
  uint32_t flags;
  uint32_t type;
  uint32_t n_mem;
  uint32_t meta_size;
  uint32_t meta_gen; /* 0: in inline_bytes */
  uint32_t meta_slot;
  uint64_t meta_offset;
  uint16_t ctx[4];
  uint64_t ctx_seq[4];
  uint32_t checksum_kind;
  uint32_t reserved0;
  uint8_t checksum[32];
  RecordMemory mem[4];
  uint64_t incarnation; /* of the producer that committed it */
  uint8_t inline_bytes[RECORD_INLINE];
} BlockRecord;

/* One consumer. Written by the holder of its lock byte alone (the consumer, or
 * a reaper after its death); only gate is also written by the producer, which
 * may evict. Everything read from it is a claim to be checked. */
typedef struct
{
  /* 0x00: the consumer's own line */
  shared_u64 gate;
  shared_u64 cursor;
  shared_u64 received;
  shared_u64 lost;
  shared_u64 heartbeat;
  shared_u64 expired;
  shared_u64 reserved0[2];
  /* 0x40: claim and telemetry */
  shared_u64 incarnation;
  shared_u32 state;
  shared_u32 mode; /* MODE_ bits */
  shared_u32 quota;
  shared_u32 pid;
  shared_u32 requests;
  shared_u32 pools_seen; /* value of pool_changes up to which all are open */
  shared_u64 name[5];
  shared_u64 claim; /* incarnation at its claim; a rejoin keeps it */
  shared_u64 departures; /* a departures_note() word */
  shared_u64 reserved1[5];
  /* 0xc0: one bit per record */
  shared_u64 pins[];
} ConsumerRow;

/* The part of a row behind its pins, on a line boundary; a block that has it has
 * FEATURE_ROW_EXTRA. A consumer of an older version leaves the words of the row's
 * former owner in place. So each word names its owner: by the claim in it, or by
 * `owner`.
 *
 * event: size 0: the mailbox is empty. The consumer fills it, the producer empties
 * it by compare-and-swap. limits: count odd: being changed; size 0: none. The
 * latency is that from commit to delivery, of the sampled buffers. over_quota: leases
 * beyond what the consumer may hold, so that it has to copy. */
typedef struct
{
  shared_u64 owner; /* its claim */
  shared_u64 event;
  shared_u64 limits;
  shared_u64 latency_sum_ns;
  shared_u64 latency_count;
  shared_u64 latency_max_ns;
  shared_u64 over_quota;
  shared_u64 reserved[1];
  shared_u64 event_bytes[DATAHUB_UPSTREAM_EVENT_MAX / 8];
  shared_u64 limits_bytes[DATAHUB_LIMITS_MAX / 8]; /* text without an end */
} RowExtra;

/* A user spinlock, on a line of its own. owner: participant:16 |
 * incarnation:16 | thread:32, 0: free; participant 1 is the producer, 2 + i the
 * consumer of row i. The other words are the owner's while it owns. */
typedef struct
{
  shared_u64 owner;
  shared_u32 contended; /* a thread sleeps, or is about to */
  shared_u32 turn; /* futex, bumped by an unlock that wakes */
  shared_u32 depth;
  shared_u32 reclaims; /* taken from the dead */
  shared_u64 max_hold_ns;
  shared_u64 acquisitions;
  shared_u64 name[3]; /* under the registry's lock */
} UserLock;

/* First page of con. */
typedef struct
{
  shared_u64 waiters[N_WAITER_WORDS];
  uint8_t pad0[96];
  shared_u32 rows_hwm; /* 0x80 */
  uint8_t pad1[60];
  shared_u32 room; /* 0xc0: futex of a producer that waits for room */
  uint8_t pad2[60];
  shared_u32 attention; /* 0x100: joins, leaves, requests */
  shared_u32 joins; /* gates of reliable consumers that came */
  uint8_t pad3[56];
  shared_u32 registry_dirty; /* 0x140: names of locks are being changed */
  uint8_t pad_registry[60];
  UserLock user_locks[N_USER_LOCKS]; /* 0x180 */
  uint8_t pad4[2944];
  uint64_t magic; /* 0xf00 */
  uint8_t uuid[16];
  uint8_t pad5[232];
} WakePage;

/* First page of each pool file; slots follow at BLOCK_PAGE. */
typedef struct
{
  uint64_t magic;
  uint8_t uuid[16];
  uint32_t gen;
  uint32_t kind;
  uint32_t n_slots;
  uint32_t reserved;
  uint64_t stride;
} PoolPage;

/* The content of lck, and so of the entry, which is a second link to it. */
typedef struct
{
  uint64_t magic;
  uint8_t uuid[16];
  uint32_t major;
  uint32_t producer_pid; /* of now: an adopter writes its own */
  uint32_t max_rows;
  uint32_t flags;
} LockPage;

#define LOCK_FLAG_STRICT 1u
#define LOCK_FLAGS_KNOWN LOCK_FLAG_STRICT

#define ASSERT_AT(type, field, where)                                          \
  _Static_assert(offsetof (type, field) == (where), #type "." #field)
ASSERT_AT (BlockIdentity, n_slots, 0x060);
ASSERT_AT (BlockIdentity, ring_size, 0x070);
ASSERT_AT (BlockIdentity, pin_words, 0x080);
ASSERT_AT (BlockIdentity, secret_tag, 0x090);
ASSERT_AT (BlockIdentity, layout_hash, 0x0f0);
_Static_assert(sizeof (BlockIdentity) == 0x100, "identity");
ASSERT_AT (BlockHeader, head, 0x100);
ASSERT_AT (BlockHeader, tail, 0x180);
ASSERT_AT (BlockHeader, heartbeat, 0x200);
ASSERT_AT (BlockHeader, buffers, 0x280);
ASSERT_AT (BlockHeader, more, 0x2b0);
ASSERT_AT (BlockHeader, next_uuid, 0x300);
ASSERT_AT (BlockHeader, clock_turn, 0x320);
ASSERT_AT (BlockHeader, clock, 0x340);
ASSERT_AT (BlockHeader, share, 0x380);
_Static_assert(sizeof (BlockHeader) == 0x400, "header");
_Static_assert(sizeof (BlockSection) == 32, "section");
_Static_assert(sizeof (ClockPair) == 32, "clock pair");
_Static_assert(sizeof (ProducerCounters) == 40, "producer counters");
_Static_assert(sizeof (ErrorEntry) == 128, "error entry");
_Static_assert(sizeof (PoolEntry) == 32, "pool entry");
_Static_assert(sizeof (RecordMemory) == 32, "memory");
ASSERT_AT (BlockRecord, flags, 72);
ASSERT_AT (BlockRecord, ctx, 104);
ASSERT_AT (BlockRecord, mem, 184);
ASSERT_AT (BlockRecord, incarnation, 312);
ASSERT_AT (BlockRecord, inline_bytes, 320);
_Static_assert(sizeof (BlockRecord) == 512, "record");
ASSERT_AT (ConsumerRow, incarnation, 0x40);
ASSERT_AT (ConsumerRow, name, 0x60);
ASSERT_AT (ConsumerRow, departures, 0x90);
ASSERT_AT (ConsumerRow, pins, 0xc0);
ASSERT_AT (RowExtra, event, 0x08);
ASSERT_AT (RowExtra, limits, 0x10);
ASSERT_AT (RowExtra, latency_sum_ns, 0x18);
ASSERT_AT (RowExtra, over_quota, 0x30);
ASSERT_AT (RowExtra, event_bytes, 0x40);
ASSERT_AT (RowExtra, limits_bytes, 0x440);
_Static_assert(sizeof (RowExtra) == 0xc40, "row extra");
ASSERT_AT (WakePage, rows_hwm, 0x80);
ASSERT_AT (WakePage, room, 0xc0);
ASSERT_AT (WakePage, attention, 0x100);
ASSERT_AT (WakePage, joins, 0x104);
ASSERT_AT (WakePage, registry_dirty, 0x140);
ASSERT_AT (WakePage, user_locks, 0x180);
_Static_assert(sizeof (UserLock) == 64, "user lock");
ASSERT_AT (WakePage, magic, 0xf00);
_Static_assert(sizeof (WakePage) == BLOCK_PAGE, "wake page");
_Static_assert(sizeof (PoolPage) == 48, "pool page");
_Static_assert(sizeof (LockPage) == 40, "lock page");

#endif /* DATAHUB_BLOCK_LAYOUT_PRIVATE_H */
