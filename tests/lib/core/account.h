/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts what a producer has: every record and every slot is in exactly one
 * place, and every reference is somebody's (I6). Looks inside. */
#ifndef TESTS_CORE_ACCOUNT_H
#define TESTS_CORE_ACCOUNT_H

#include "common/check.h"

#include <datahub/core.h>

/* @n_loans: loans that the caller has. Any time between two calls. */
void account_check (DatahubProducer *producer, uint32_t n_loans);
/* All consumers are gone: cleans after the dead, retires the whole ring, and
 * finds everything free again but the sticky records. */
void account_check_all_back (DatahubProducer *producer, uint32_t n_loans);

#endif /* TESTS_CORE_ACCOUNT_H */
