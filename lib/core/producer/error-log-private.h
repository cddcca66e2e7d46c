/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The distinct errors of a producer, on its side. */
#ifndef DATAHUB_ERROR_LOG_PRIVATE_H
#define DATAHUB_ERROR_LOG_PRIVATE_H

#include "core/block/errors-private.h"

#include <pthread.h>

typedef struct
{
  /* Guards the members below, and the entries of the block. Innermost: may be
   * taken while the producer's or the reaper's lock is held. Never held across a
   * system call that can wait. */
  pthread_mutex_t lock;
  ErrorEntry *entries; /* NULL: the block has no FEATURE_ERRORS */
  DatahubBlockError own[N_ERRORS]; /* count 0: not in use */
} ErrorLog;

void error_log_init (ErrorLog *log);
void error_log_start (ErrorLog *log, const Block *block);
void error_log_note (ErrorLog *log, DatahubResult code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
void error_log_note_row (ErrorLog *log, DatahubResult code, const Block *block,
    uint32_t row, const char *what);

#endif /* DATAHUB_ERROR_LOG_PRIVATE_H */
