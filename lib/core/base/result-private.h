/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Failures with a message: fills a DatahubError. */
#ifndef DATAHUB_RESULT_PRIVATE_H
#define DATAHUB_RESULT_PRIVATE_H

#include <datahub/types.h>

/* A public function that takes a DatahubError begins and ends with these two. Its
 * @error->code is then what it returns: also on success, for an ordinary outcome,
 * and if a failure inside was overcome. */
static inline void
result_begin (DatahubError *error)
{
  if (error)
    error->code = DATAHUB_OK;
}

void result_set (DatahubError *error, DatahubResult result);

static inline DatahubResult
result_end (DatahubError *error, DatahubResult result)
{
  if (error && error->code != result)
    result_set (error, result);
  return result;
}

DatahubResult result_fail (DatahubError *error, DatahubResult code,
    int sys_errno, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

#endif /* DATAHUB_RESULT_PRIVATE_H */
