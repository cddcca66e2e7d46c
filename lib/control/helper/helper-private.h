/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper's log; see helper-log.c. */
#ifndef DATAHUB_HELPER_PRIVATE_H
#define DATAHUB_HELPER_PRIVATE_H

void helper_log_begin (void);
void helper_log_serves (void);

#endif /* DATAHUB_HELPER_PRIVATE_H */
