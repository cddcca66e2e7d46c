/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at a block for what is wrong with it. */
#ifndef DATAHUB_INTEGRITY_H
#define DATAHUB_INTEGRITY_H

#include <datahub/types.h>

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
  DATAHUB_FINDING_BELL,
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

DATAHUB_API const char *datahub_finding_name (DatahubFindingKind kind);
DATAHUB_API DatahubResult datahub_block_validate (const char *channel,
    uint32_t flags, DatahubFindingFunc func, void *user_data,
    DatahubIntegrityReport *report, DatahubError *error);

DATAHUB_END_DECLS

#endif /* DATAHUB_INTEGRITY_H */
