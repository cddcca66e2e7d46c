/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Failures with a message: fills a DatahubError. */
#ifndef DATAHUB_RESULT_PRIVATE_H
#define DATAHUB_RESULT_PRIVATE_H

#include <datahub/types.h>

DatahubResult result_fail (DatahubError *error, DatahubResult code,
    int sys_errno, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

#endif /* DATAHUB_RESULT_PRIVATE_H */
