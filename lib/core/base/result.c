/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of results, and functions that fill a DatahubError.
 * Tests: core-names, core-hostile-header, core-api-errors */
#include "result-private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The name, and the sentence where the failing call has no better one. */
static const struct
{
  DatahubResult result;
  const char *name;
  const char *sentence;
} results[] = {
  { DATAHUB_OK, "ok", "" },
  { DATAHUB_TIMEOUT, "timeout", "The time is up." },
  { DATAHUB_INTERRUPTED, "interrupted", "The call was interrupted." },
  { DATAHUB_CLOSED, "closed", "The DataBlock is closed." },
  { DATAHUB_PRODUCER_LOST, "producer-lost", "The producer died." },
  { DATAHUB_EVICTED, "evicted",
      "The producer waited for this consumer for too long and went on." },
  { DATAHUB_DROPPED, "dropped",
      "There is no space within max-bytes and no consumer to wait for." },
  { DATAHUB_OWNER_DIED, "owner-died",
      "The previous owner died; the guarded data may be half changed." },
  { DATAHUB_ERROR_NAME, "name", "The name is not allowed." },
  { DATAHUB_ERROR_INVALID, "invalid", "An argument is not valid." },
  { DATAHUB_ERROR_NOT_FOUND, "not-found", "There is none." },
  { DATAHUB_ERROR_BUSY, "busy", "It is in use." },
  { DATAHUB_ERROR_DENIED, "denied", "Access is denied." },
  { DATAHUB_ERROR_NO_SPACE, "no-space", "The file system is full." },
  { DATAHUB_ERROR_VERSION, "version", "The DataBlock is of another version." },
  { DATAHUB_ERROR_CORRUPT, "corrupt", "The DataBlock is damaged." },
  { DATAHUB_ERROR_TOO_BIG, "too-big", "It is too big." },
  { DATAHUB_ERROR_FULL, "full", "The table is full." },
  { DATAHUB_ERROR_FORKED, "forked",
      "The handle belongs to the parent process." },
  { DATAHUB_ERROR_SYSTEM, "system", "A system call failed." },
  { DATAHUB_ERROR_CHECKSUM, "checksum",
      "The record does not match its checksum." },
};

const char *
datahub_result_name (DatahubResult result)
{
  for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
    if (results[i].result == result)
      return results[i].name;
  return "unknown";
}

/* Fills in @error with the sentence that the table has for @result. */
void
result_set (DatahubError *error, DatahubResult result)
{
  const char *sentence = "";
  for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
    if (results[i].result == result)
      sentence = results[i].sentence;
  error->code = result;
  error->sys_errno = 0;
  strcpy (error->message, sentence);
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
