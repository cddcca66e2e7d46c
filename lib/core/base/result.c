/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of results, and functions that fill a DatahubError.
 * Tests: core-names, core-hostile-header */
#include "result-private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct
{
  DatahubResult result;
  const char *name;
} result_names[] = {
  { DATAHUB_OK, "ok" },
  { DATAHUB_TIMEOUT, "timeout" },
  { DATAHUB_INTERRUPTED, "interrupted" },
  { DATAHUB_CLOSED, "closed" },
  { DATAHUB_PRODUCER_LOST, "producer-lost" },
  { DATAHUB_EVICTED, "evicted" },
  { DATAHUB_DROPPED, "dropped" },
  { DATAHUB_OWNER_DIED, "owner-died" },
  { DATAHUB_ERROR_NAME, "name" },
  { DATAHUB_ERROR_INVALID, "invalid" },
  { DATAHUB_ERROR_NOT_FOUND, "not-found" },
  { DATAHUB_ERROR_BUSY, "busy" },
  { DATAHUB_ERROR_DENIED, "denied" },
  { DATAHUB_ERROR_NO_SPACE, "no-space" },
  { DATAHUB_ERROR_VERSION, "version" },
  { DATAHUB_ERROR_CORRUPT, "corrupt" },
  { DATAHUB_ERROR_TOO_BIG, "too-big" },
  { DATAHUB_ERROR_FULL, "full" },
  { DATAHUB_ERROR_FORKED, "forked" },
  { DATAHUB_ERROR_SYSTEM, "system" },
  { DATAHUB_ERROR_CHECKSUM, "checksum" },
};

/**
 * datahub_result_name:
 * @result: an outcome
 *
 * Returns: the short, stable name of @result, for logs and JSON; static, never
 *   %NULL
 */
const char *
datahub_result_name (DatahubResult result)
{
  for (size_t i = 0; i < sizeof result_names / sizeof result_names[0]; i++)
    if (result_names[i].result == result)
      return result_names[i].name;
  return "unknown";
}

/* Fills in @error, which may be NULL, and returns @code so that a failure is
 * one line at its place. errno is recorded when @code is about the system. */
DatahubResult
result_fail (DatahubError *error, DatahubResult code, int sys_errno,
    const char *format, ...)
{
  if (error) {
    va_list args;
    error->code = code;
    error->sys_errno = sys_errno;
    va_start (args, format);
    vsnprintf (error->message, sizeof error->message, format, args);
    va_end (args);
  }
  return code;
}
