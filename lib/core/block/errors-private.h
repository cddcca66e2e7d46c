/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The distinct errors that a block keeps. */
#ifndef DATAHUB_ERRORS_PRIVATE_H
#define DATAHUB_ERRORS_PRIVATE_H

#include "block-private.h"

/* Codes are small numbers: one beyond this was not written by a producer. */
#define ERROR_CODE_MAX 0xffffu

void error_text_clean (char text[DATAHUB_BLOCK_ERROR_TEXT_MAX]);
bool error_entry_read (const ErrorEntry *entry, DatahubBlockError *error);
uint32_t block_read_errors (const Block *block,
    DatahubBlockError errors[N_ERRORS]);

#endif /* DATAHUB_ERRORS_PRIVATE_H */
