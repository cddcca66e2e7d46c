/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types and functions that the files of the validation share.
 *
 * All checks race with running programs. A check copies the data that it
 * judges, and then tests whether the word that referred to it is unchanged:
 * only data that was wrong at one instant is a doubt. A doubt becomes a finding
 * if the same evidence exists in every scan of datahub_block_validate(). */
#ifndef DATAHUB_INTEGRITY_PRIVATE_H
#define DATAHUB_INTEGRITY_PRIVATE_H

#include "core/block/block-private.h"

#include <datahub/integrity.h>

/* So that a block that is wrong everywhere costs little memory and time. */
#define SUSPECTS_MAX 256u
#define REPORTED_MAX 8u

typedef struct
{
  DatahubFinding finding;
  uint64_t evidence; /* the words it rests on: others, other doubt */
} Doubt;

typedef struct _Scan Scan;
/* Returns whether thing number @index looks wrong, and fills in @doubt. */
typedef bool (*CheckFunc) (Scan *scan, uint32_t index, Doubt *doubt);

typedef struct
{
  CheckFunc check;
  uint32_t index;
  uint64_t evidence;
} Suspect;

struct _Scan
{
  Block block;
  uint32_t flags;
  DatahubFindingFunc func;
  void *user_data;
  DatahubIntegrityReport *report;
  bool first; /* of the looks: it alone counts */
  Suspect suspects[SUSPECTS_MAX];
  uint32_t n_suspects;
  uint32_t n_reported[DATAHUB_N_FINDINGS];
  PoolShape pools[MAX_POOLS]; /* shapes seen; those of a gen never change */
  uint32_t n_pools;
  uint32_t leftovers[SUSPECTS_MAX]; /* generations of pool files found */
  uint32_t n_leftovers;
};

bool doubt_set (Doubt *doubt, DatahubFindingKind kind, uint32_t index,
    uint64_t evidence, const char *format, ...)
    __attribute__ ((format (printf, 5, 6)));
void scan_examine (Scan *scan, CheckFunc check, uint32_t index);
void scan_report (Scan *scan, DatahubFinding *finding);
bool scan_find_pool (Scan *scan, uint32_t gen, PoolShape *shape);
int64_t block_age_of (const Block *block, uint64_t sequence);

const char *pool_fault_of_file (const Block *block, const PoolShape *shape,
    int *number);

void diagnosis_compare (DatahubDiagnosis *now, const DatahubDiagnosis *before);
void diagnosis_report (const DatahubDiagnosis *now,
    const DatahubDiagnosis *before, DatahubFindingFunc func, void *user_data);

void scan_ring (Scan *scan);
void scan_telemetry (Scan *scan);
void scan_rows (Scan *scan);
void scan_locks (Scan *scan);
void scan_files (Scan *scan);

#endif /* DATAHUB_INTEGRITY_PRIVATE_H */
