/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collecting what datahub_block_validate() and its siblings find. */
#ifndef TESTS_CORE_FINDINGS_H
#define TESTS_CORE_FINDINGS_H

#include "hostile.h"

typedef struct
{
  uint32_t n; /* told */
  uint32_t of_kind[DATAHUB_N_FINDINGS]; /* told */
  DatahubFinding last[DATAHUB_N_FINDINGS]; /* of each kind */
  DatahubIntegrityReport report;
} Findings;

/* DatahubFindingFunc for a Findings. */
void findings_note (const DatahubFinding *finding, void *user_data);
/* Validates "cam0", which must be possible. */
Findings findings_of (uint32_t flags);
/* That the block is in order; else says what is not. */
void check_healthy (void);
/* That there is at least one finding of that kind, and that its words say so. */
void check_found (DatahubFindingKind kind, const char *words);
void check_found_in (const Findings *found, DatahubFindingKind kind,
    const char *words);

/* Where things are in the mapped files of "cam0". */
void *section_of (Intrusion *ctl, uint32_t kind);
uint64_t *ring_word_of (Intrusion *ctl, uint64_t sequence);
BlockRecord *record_at (Intrusion *ctl, uint64_t sequence);
ConsumerRow *row_at (Intrusion *con, uint32_t row);

#endif /* TESTS_CORE_FINDINGS_H */
