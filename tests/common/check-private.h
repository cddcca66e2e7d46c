/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the test framework. */
#ifndef TESTS_CHECK_PRIVATE_H
#define TESTS_CHECK_PRIVATE_H

#include "check.h"

/* Whether @fd has something to read before the limit has passed. */
bool check_poll_in_time (int fd, uint64_t limit_ns);

void check_directory_make (void);
void check_directory_remove (void);

#endif /* TESTS_CHECK_PRIVATE_H */
