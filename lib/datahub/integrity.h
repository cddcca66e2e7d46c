/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of a block, and repair of what dead programs left in it. All functions
 * work for the blocks of the calling user and may be called from any thread; none
 * is meant for a streaming thread. docs/integrity.md describes each finding. */
#ifndef DATAHUB_INTEGRITY_H
#define DATAHUB_INTEGRITY_H

#include <datahub/block.h>
#include <datahub/lock.h>

DATAHUB_BEGIN_DECLS

/* New kinds are added at the end. */
typedef enum
{
  /* the memory contradicts itself */
  DATAHUB_FINDING_HEADER,
  DATAHUB_FINDING_STATE,
  DATAHUB_FINDING_COUNTERS,
  DATAHUB_FINDING_RING_WORD,
  DATAHUB_FINDING_RECORD,
  DATAHUB_FINDING_CHECKSUM,
  DATAHUB_FINDING_STICKY_WORD,
  DATAHUB_FINDING_POOL,
  DATAHUB_FINDING_WAKE_PAGE,
  DATAHUB_FINDING_ROW,
  DATAHUB_FINDING_GATE,
  DATAHUB_FINDING_PINS,
  DATAHUB_FINDING_LOCK_WORD,
  DATAHUB_FINDING_LOCK_NAME,
  /* left by dead programs */
  DATAHUB_FINDING_PRODUCER_DEAD,
  DATAHUB_FINDING_BLOCK_LEFTOVER,
  DATAHUB_FINDING_CONSUMER_DEAD,
  DATAHUB_FINDING_LOCK_OWNER_DEAD,
  DATAHUB_FINDING_NAMES_DIRTY,
  DATAHUB_FINDING_POOL_LEFTOVER,
  /* live programs that are held up: datahub_block_diagnose() */
  DATAHUB_FINDING_PRODUCER_WAITS,
  DATAHUB_FINDING_PRODUCER_DROPS,
  DATAHUB_FINDING_PRODUCER_SILENT,
  DATAHUB_FINDING_CONSUMER_STALLED,
  DATAHUB_FINDING_CONSUMER_EVICTED,
  DATAHUB_FINDING_CONSUMER_LOSES,
  DATAHUB_FINDING_LEASES_KEPT,
  DATAHUB_FINDING_TABLE_FULL,
  DATAHUB_FINDING_LOCK_HELD,
  DATAHUB_FINDING_LOCK_SLOW,
  /* the memory contradicts itself */
  DATAHUB_FINDING_TELEMETRY,
  /* what a producer noted: datahub_block_diagnose() */
  DATAHUB_FINDING_NOTED_ERROR,
  /* a live program that is held up: datahub_block_diagnose() */
  DATAHUB_FINDING_CONSUMER_COPIES,
  DATAHUB_N_FINDINGS
} DatahubFindingKind;

/* The number of them is frozen. */
typedef enum
{
  DATAHUB_SEVERITY_NOTE, /* worth knowing */
  DATAHUB_SEVERITY_WARNING, /* a program is slowed down, or will be */
  DATAHUB_SEVERITY_LEFTOVER, /* a dead program left it; it can be cleaned up */
  DATAHUB_SEVERITY_DAMAGE, /* a program is faulty, or the memory was written to
                            */
  DATAHUB_N_SEVERITIES
} DatahubSeverity;

/* One fault. Made by the library, valid during the call. The message contains no
 * control characters. */
typedef struct
{
  DatahubFindingKind kind;
  DatahubSeverity severity;
  uint32_t index; /* of the word, record, row, lock or pool; else 0 */
  int64_t for_ns; /* for how long, at least or at most depending on the kind;
                     < 0: not known */
  char message[256]; /* an English sentence with the numbers */
} DatahubFinding;

/* Called for each finding, in the thread of the caller. */
typedef void (*DatahubFindingFunc) (const DatahubFinding *finding,
    void *user_data);

/* Filled in by the library. */
typedef struct
{
  uint32_t n_found[DATAHUB_N_SEVERITIES]; /* with those not reported */
  uint32_t n_untold; /* more of the same kind, counted only */
  bool truncated; /* there were so many faults that the rest was not checked */
  /* what was checked */
  uint32_t n_words; /* ring and sticky words that lead to a record */
  uint32_t n_checksums; /* verified, good or bad */
  uint32_t n_rows; /* in use */
  uint32_t n_pools;
} DatahubIntegrityReport;

/* Checks that datahub_block_validate() makes only on request. */
typedef enum
{
  DATAHUB_VALIDATE_CHECKSUMS = 1 << 0 /* read every byte that has a checksum */
} DatahubValidateFlags;

/* The state of a record or a slot, as far as an observer can see it. */
typedef enum
{
  DATAHUB_RECORD_STATE_UNSEEN, /* free, lent to the producing program, or waiting
                                  for reuse: only its producer knows */
  DATAHUB_RECORD_STATE_RING, /* can be read */
  DATAHUB_RECORD_STATE_CONTEXT, /* out of the ring, but a sticky record that is in
                                   effect or referred to */
  DATAHUB_RECORD_STATE_HELD /* out of the ring, kept by consumers that hold it */
} DatahubRecordState;

/* No row, in members that name one. */
#define DATAHUB_NO_ROW UINT32_MAX

/* Frozen, as the other elements of DatahubDiagnosis. */
typedef struct
{
  uint32_t record;
  DatahubRecordState state;
  uint64_t sequence;
  DatahubRecordType type;
  uint32_t n_holders; /* rows that pin it */
  uint32_t holder; /* the first of them, or DATAHUB_NO_ROW */
  int64_t age_ns; /* since its commit, an upper bound of any hold; < 0: not
                     known */
  int64_t held_ns; /* by the same holder in all diagnoses since then */
  uint64_t reserved[2]; /* 0 */
} DatahubRecordInfo;

typedef struct
{
  uint32_t pool; /* generation */
  uint32_t slot;
  DatahubRecordState state;
  uint32_t n_records; /* that have bytes in it */
  uint64_t sequence; /* of the newest of them */
  uint32_t holder; /* a row that holds one of them, or DATAHUB_NO_ROW */
  int64_t age_ns, held_ns; /* of that one, as in DatahubRecordInfo */
  uint64_t reserved[2]; /* 0 */
} DatahubSlotInfo;

/* A row in use, or left in use by a dead consumer. */
typedef struct
{
  DatahubConsumerInfo info;
  bool sleeps; /* for new records */
  uint64_t behind; /* records it has not read */
  int64_t waiting_ns; /* since when the next of them can be read; < 0: it has
                         read all, or not known */
  int64_t still_ns; /* had data available but read nothing, in all diagnoses
                       since then */
  int64_t held_ns; /* the oldest record that it holds, in all diagnoses since
                      then */
  uint64_t reserved[4]; /* 0 */
} DatahubRowInfo;

typedef enum
{
  DATAHUB_HOLDER_NONE,
  DATAHUB_HOLDER_PRODUCER,
  DATAHUB_HOLDER_CONSUMER,
  DATAHUB_HOLDER_ABANDONED, /* can be taken; its last owner died */
  DATAHUB_HOLDER_UNKNOWN /* the word names no participant */
} DatahubHolder;

typedef struct
{
  DatahubSpinlockStats stats;
  DatahubHolder holder;
  uint32_t row; /* of a consumer, else DATAHUB_NO_ROW */
  uint32_t thread; /* in the holder's PID namespace */
  bool alive;
  int64_t held_ns; /* by the same owner in all diagnoses since then */
  uint64_t owner; /* the word itself */
  uint64_t reserved[2]; /* 0 */
} DatahubLockInfo;

/* The state of everything in a block. Made by the library; owns its arrays. */
typedef struct
{
  char channel[DATAHUB_CHANNEL_MAX + 1];
  char uuid[DATAHUB_UUID_TEXT];
  int64_t at_ns; /* when it was made, CLOCK_MONOTONIC */
  int64_t watched_ns; /* since the diagnosis it was compared with; 0: none */
  uint32_t state; /* DatahubBlockState, as stored in the block */
  bool producer_alive;
  uint32_t producer_waits; /* for room: 1 until consumers read on, 2 until
                              something is released; 3 both */
  int64_t silent_ns; /* since the producer's last sign of life; < 0: none */
  int64_t idle_ns; /* since its last commit; < 0: none */
  uint64_t head, tail;
  uint64_t buffers, dropped;
  uint32_t max_rows;
  DatahubRowInfo *rows;
  uint32_t n_rows;
  DatahubRecordInfo *records; /* all that there are */
  uint32_t n_records;
  DatahubSlotInfo *slots; /* of all pools, by generation */
  uint32_t n_slots;
  uint32_t n_slots_omitted; /* slots beyond the largest list */
  DatahubLockInfo locks[DATAHUB_N_SPINLOCKS];
  /* distinct errors that the producer noted, the newest first */
  DatahubBlockError errors[DATAHUB_MAX_BLOCK_ERRORS];
  uint32_t n_errors;
} DatahubDiagnosis;

/* Actions of datahub_block_repair(). New kinds are added at the end. */
typedef enum
{
  DATAHUB_REPAIR_ROW,
  DATAHUB_REPAIR_LOCK,
  DATAHUB_REPAIR_NAMES,
  DATAHUB_REPAIR_POOL_FILES,
  DATAHUB_REPAIR_CLOSE,
  DATAHUB_N_REPAIRS
} DatahubRepairKind;

typedef enum
{
  DATAHUB_REPAIR_DRY_RUN = 1 << 0, /* only report what would be done */
  DATAHUB_REPAIR_CLOSE_DEAD = 1 << 1 /* close a dead producer's block for good:
                                        no successor can adopt it */
} DatahubRepairFlags;

/* One action. Made by the library, valid during the call. */
typedef struct
{
  DatahubRepairKind kind;
  uint32_t index; /* of the row or lock; how many files */
  char message[256]; /* an English sentence */
} DatahubRepair;

/* Called for each action, in the thread of the caller. */
typedef void (*DatahubRepairFunc) (const DatahubRepair *action,
    void *user_data);

/* What datahub_block_release() can release. */
typedef enum
{
  DATAHUB_HELD_ROW, /* row: all that a consumer has */
  DATAHUB_HELD_RECORD, /* row, record: one record that a row holds */
  DATAHUB_HELD_SLOT, /* pool, slot: all that consumers hold in it */
  DATAHUB_HELD_LOCK /* lock */
} DatahubHeldKind;

/* Set up by datahub_held_thing_init(). */
typedef struct
{
  size_t struct_size; /* set by datahub_held_thing_init() */
  DatahubHeldKind kind;
  uint32_t row, record, pool, slot, lock; /* those that the kind needs */
  uint64_t holder; /* the expected holder: id of a consumer, owner word of a
                      lock; 0: any */
} DatahubHeldThing;

/* The short, stable name of a kind, as "ring-word", for logs and scripts; static,
 * "unknown" for a kind of a later version. */
DATAHUB_API const char *datahub_finding_name (DatahubFindingKind kind);
DATAHUB_API const char *datahub_repair_name (DatahubRepairKind kind);

/* Checks a block against the rules of its layout as an observer, also while it is
 * in use; takes some milliseconds, or as long as it takes to read the payload
 * (DATAHUB_VALIDATE_CHECKSUMS in @flags). @func may be NULL; it gets at most 8
 * findings of a kind. Damage is a finding and OK; fails with NAME, NOT_FOUND,
 * DENIED, VERSION, TIMEOUT or SYSTEM. */
DATAHUB_API DatahubResult datahub_block_validate_sized (const char *channel,
    uint32_t flags, DatahubFindingFunc func, void *user_data,
    DatahubIntegrityReport *report, size_t report_size, DatahubError *error);
static inline DatahubResult
datahub_block_validate (const char *channel, uint32_t flags,
    DatahubFindingFunc func, void *user_data, DatahubIntegrityReport *report,
    DatahubError *error)
{
  return datahub_block_validate_sized (channel, flags, func, user_data, report,
      sizeof *report, error);
}
/* Describes every record, slot, row and lock, as an observer. With @before, an
 * earlier diagnosis of the block, what did not move since then is reported to
 * @func, which may be NULL. The caller frees @diagnosis, NULL on failure. Blocks
 * and fails as datahub_block_inspect(). */
DATAHUB_API DatahubResult datahub_block_diagnose (const char *channel,
    const DatahubDiagnosis *before, DatahubFindingFunc func, void *user_data,
    DatahubDiagnosis **diagnosis, DatahubError *error);
/* Frees @diagnosis, which may be NULL. */
DATAHUB_API void datahub_diagnosis_free (DatahubDiagnosis *diagnosis);

/* Cleans up what dead programs left in a block (DATAHUB_REPAIR_... in @flags);
 * never takes anything from a live one, by the evidence of kernel locks. Waits up
 * to @timeout_ns for another repair, then BUSY. @func may be NULL; @n_done is the
 * number of actions. Fails also as datahub_block_inspect(); DENIED for a strict
 * block. */
DATAHUB_API DatahubResult datahub_block_repair (const char *channel,
    uint32_t flags, int64_t timeout_ns, DatahubRepairFunc func, void *user_data,
    uint32_t *n_done, DatahubError *error);

/* Sets @thing to @kind, any holder, and 0. @struct_size is that of the caller's
 * structure. */
DATAHUB_API void datahub_held_thing_init_sized (DatahubHeldThing *thing,
    size_t struct_size, DatahubHeldKind kind);
static inline void
datahub_held_thing_init (DatahubHeldThing *thing, DatahubHeldKind kind)
{
  datahub_held_thing_init_sized (thing, sizeof *thing, kind);
}
/* Releases one thing that a dead program holds. BUSY: its holder lives, or
 * another repair went on for 2 s; NOT_FOUND: it is not held, or by another than
 * the expected holder; INVALID; else as datahub_block_repair(). */
DATAHUB_API DatahubResult datahub_block_release (const char *channel,
    const DatahubHeldThing *thing, DatahubError *error);

DATAHUB_END_DECLS

#endif /* DATAHUB_INTEGRITY_H */
