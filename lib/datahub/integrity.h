/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at a block for what is wrong with it, and putting right what can be. */
#ifndef DATAHUB_INTEGRITY_H
#define DATAHUB_INTEGRITY_H

#include <datahub/lock.h>

DATAHUB_BEGIN_DECLS

/* What can be wrong. docs/integrity.md says of each what it means and what to
 * do. */
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
  /* left by the dead */
  DATAHUB_FINDING_PRODUCER_DEAD,
  DATAHUB_FINDING_BLOCK_LEFTOVER,
  DATAHUB_FINDING_CONSUMER_DEAD,
  DATAHUB_FINDING_LOCK_OWNER_DEAD,
  DATAHUB_FINDING_NAMES_DIRTY,
  DATAHUB_FINDING_POOL_LEFTOVER,
  /* the living, held up: datahub_block_diagnose() */
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
  DATAHUB_N_FINDINGS
} DatahubFindingKind;

typedef enum
{
  DATAHUB_SEVERITY_NOTE, /* worth knowing */
  DATAHUB_SEVERITY_WARNING, /* somebody is slowed down, or will be */
  DATAHUB_SEVERITY_LEFTOVER, /* the dead left it; it can be cleaned up */
  DATAHUB_SEVERITY_DAMAGE, /* a program is faulty, or the memory was written to
                            */
  DATAHUB_N_SEVERITIES
} DatahubSeverity;

/* One thing that is wrong. Its words were made harmless for a terminal. */
typedef struct
{
  DatahubFindingKind kind;
  DatahubSeverity severity;
  uint32_t index; /* of the word, record, row, lock or pool; else 0 */
  int64_t for_ns; /* for how long, at least or at most as the kind says; < 0:
                     not known */
  char message[256]; /* a sentence for a person, with the numbers */
} DatahubFinding;

/* Called once per finding. */
typedef void (*DatahubFindingFunc) (const DatahubFinding *finding,
    void *user_data);

typedef struct
{
  uint32_t n_found[DATAHUB_N_SEVERITIES]; /* those not told included */
  uint32_t n_untold; /* more of the same kind, counted only */
  bool truncated; /* so much was wrong that the rest was not looked at */
  /* what was looked at */
  uint32_t n_words; /* ring and sticky words that lead to a record */
  uint32_t n_checksums; /* verified, good or bad */
  uint32_t n_rows; /* in use */
  uint32_t n_pools;
} DatahubIntegrityReport;

/* What datahub_block_validate() does beyond its usual looks. */
typedef enum
{
  DATAHUB_VALIDATE_CHECKSUMS = 1 << 0 /* read every byte that has a sum */
} DatahubValidateFlags;

/* What a record or a slot is, as far as can be seen from outside. */
typedef enum
{
  DATAHUB_RECORD_STATE_UNSEEN, /* free, lent to the producing program, or waiting to be
                           used again: its producer alone knows */
  DATAHUB_RECORD_STATE_RING, /* can be read */
  DATAHUB_RECORD_STATE_CONTEXT, /* out of the ring, but what others stand in, or in
                            force */
  DATAHUB_RECORD_STATE_HELD /* out of the ring, kept by consumers that hold it */
} DatahubRecordState;

#define DATAHUB_NO_ROW UINT32_MAX

typedef struct
{
  uint32_t record;
  DatahubRecordState state;
  uint64_t sequence;
  DatahubRecordType type;
  uint32_t n_holders; /* rows that pin it */
  uint32_t holder; /* the first of them, or DATAHUB_NO_ROW */
  int64_t age_ns; /* since its commit, so nobody holds it for longer; < 0: not
                     known */
  int64_t held_ns; /* the same holder at every look since then */
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
} DatahubSlotInfo;

/* A row in use, or left in use by the dead. */
typedef struct
{
  DatahubConsumerInfo info;
  bool sleeps; /* for new records */
  uint64_t behind; /* records it has not read */
  int64_t waiting_ns; /* for how long the next of them is there; < 0: it has
                         read all, or nobody can tell */
  int64_t still_ns; /* could have read, and has not, at every look since then */
  int64_t held_ns; /* the oldest of what it holds, at every look since then */
} DatahubRowInfo;

typedef enum
{
  DATAHUB_HOLDER_NONE,
  DATAHUB_HOLDER_PRODUCER,
  DATAHUB_HOLDER_CONSUMER,
  DATAHUB_HOLDER_ABANDONED, /* there to be taken; its last owner died */
  DATAHUB_HOLDER_UNKNOWN /* the word names nobody */
} DatahubHolder;

typedef struct
{
  DatahubSpinlockStats stats;
  DatahubHolder holder;
  uint32_t row; /* of a consumer, else DATAHUB_NO_ROW */
  uint32_t thread; /* in the holder's PID namespace */
  bool alive;
  int64_t held_ns; /* by the same one at every look since then */
  uint64_t owner; /* the word itself */
} DatahubLockInfo;

/* One look at everything in a block. */
typedef struct
{
  char channel[DATAHUB_CHANNEL_MAX + 1];
  char uuid[DATAHUB_UUID_TEXT];
  int64_t at_ns; /* of this look, CLOCK_MONOTONIC */
  int64_t watched_ns; /* since the look it was compared with; 0: none */
  uint32_t state; /* DatahubBlockState, as it stands there */
  bool producer_alive;
  uint32_t producer_waits; /* for room: 1 until consumers read on, 2 until
                              anything is let go; 3 both */
  int64_t silent_ns; /* since its last sign of life; < 0: there was none */
  int64_t idle_ns; /* since its last commit; < 0: there was none */
  uint64_t head, tail;
  uint64_t buffers, dropped;
  uint32_t max_rows;
  DatahubRowInfo *rows;
  uint32_t n_rows;
  DatahubRecordInfo *records; /* all that there are */
  uint32_t n_records;
  DatahubSlotInfo *slots; /* of all pools, by generation */
  uint32_t n_slots;
  uint32_t n_slots_omitted; /* there are more than anybody would list */
  DatahubLockInfo locks[DATAHUB_N_SPINLOCKS];
} DatahubDiagnosis;

/* What is cleaned up after the dead. */
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
  DATAHUB_REPAIR_DRY_RUN = 1 << 0, /* only say what would be done */
  DATAHUB_REPAIR_CLOSE_DEAD = 1 << 1 /* close a dead producer's block for good:
                                        no successor goes on with it */
} DatahubRepairFlags;

typedef struct
{
  DatahubRepairKind kind;
  uint32_t index; /* of the row or lock; how many files */
  char message[256]; /* a sentence for a person */
} DatahubRepair;

/* Called once per action. */
typedef void (*DatahubRepairFunc) (const DatahubRepair *action,
    void *user_data);

/* One thing that somebody holds. */
typedef enum
{
  DATAHUB_HELD_ROW, /* row: all that a consumer has */
  DATAHUB_HELD_RECORD, /* row, record: one record that a row holds */
  DATAHUB_HELD_SLOT, /* pool, slot: whatever consumers hold in it */
  DATAHUB_HELD_LOCK /* lock */
} DatahubHeldKind;

typedef struct
{
  DatahubHeldKind kind;
  uint32_t row, record, pool, slot, lock; /* as the kind says */
  uint64_t holder; /* who is meant: id of a consumer, owner word of a lock; 0:
                      whoever holds it */
} DatahubHeldThing;

DATAHUB_API const char *datahub_finding_name (DatahubFindingKind kind);
DATAHUB_API DatahubResult datahub_block_validate (const char *channel,
    uint32_t flags, DatahubFindingFunc func, void *user_data,
    DatahubIntegrityReport *report, DatahubError *error);
DATAHUB_API DatahubResult datahub_block_diagnose (const char *channel,
    const DatahubDiagnosis *before, DatahubFindingFunc func, void *user_data,
    DatahubDiagnosis **diagnosis, DatahubError *error);
DATAHUB_API void datahub_diagnosis_free (DatahubDiagnosis *diagnosis);

/* These change a block; but never what somebody alive has. */
DATAHUB_API const char *datahub_repair_name (DatahubRepairKind kind);
DATAHUB_API DatahubResult datahub_block_repair (const char *channel,
    uint32_t flags, int64_t timeout_ns, DatahubRepairFunc func, void *user_data,
    uint32_t *n_done, DatahubError *error);
DATAHUB_API DatahubResult datahub_block_release (const char *channel,
    const DatahubHeldThing *thing, DatahubError *error);

DATAHUB_END_DECLS

#endif /* DATAHUB_INTEGRITY_H */
