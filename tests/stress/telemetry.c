/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an observer reads of a producer that was killed: its clocks and the errors
 * that it noted. */
#include "sweep-parts.h"

#include <string.h>

/* What the core notes in these scenarios; a torn entry would mix two of them. */
static bool
is_known (const DatahubBlockError *error)
{
  static const struct
  {
    DatahubResult code;
    const char *begin, *end;
  } known[] = {
    { DATAHUB_EVICTED, "Consumer \"", ") was evicted after block-timeout." },
    { DATAHUB_OWNER_DIED, "Consumer \"", ") died." },
    { DATAHUB_DROPPED, "A buffer was dropped: every ", " is held." },
    { DATAHUB_ERROR_NO_SPACE, "Slots are short and the block cannot grow",
        "." },
  };
  size_t length = strlen (error->text);
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    size_t end = strlen (known[i].end);
    if (error->code == known[i].code && length > end
        && strstr (error->text, known[i].begin) == error->text
        && strcmp (error->text + length - end, known[i].end) == 0)
      return error->count > 0 && error->first_ns > 0 && error->last_ns > 0;
  }
  return false;
}

/* Wherever the producer died, its clocks can be read, and each error that is shown
 * is whole. */
void
telemetry_check (void)
{
  DatahubBlockError errors[DATAHUB_MAX_BLOCK_ERRORS];
  DatahubBlockInfo info;
  DatahubError error;
  uint32_t n;
  if (datahub_block_inspect (CHANNEL, &info, &error) != DATAHUB_OK)
    return;
  CHECK (info.has_telemetry && info.clock_monotonic_ns > 0);
  if (datahub_block_inspect_errors (CHANNEL, errors, DATAHUB_MAX_BLOCK_ERRORS,
          &n, &error)
      != DATAHUB_OK)
    return;
  for (uint32_t i = 0; i < n; i++)
    if (!is_known (&errors[i]))
      check_fail (__FILE__, __LINE__, "error %u: %s, \"%s\"", i,
          datahub_result_name (errors[i].code), errors[i].text);
}
