/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The refusals of a strict block's server as results with a message.
 * Tests: core-tickets, core-access, core-observers */
#include "strict-protocol-private.h"
#include "core/base/result-private.h"

#include <errno.h>

DatahubResult
strict_fail_refused (const Block *block, const StrictAnswer *answer,
    DatahubError *error)
{
  static const struct
  {
    StrictStatus status;
    DatahubResult result;
    const char *why;
  } refusals[] = {
    { STRICT_REFUSED_VERSION, DATAHUB_ERROR_VERSION,
        "the producer uses another version of the attach protocol: build both "
        "ends from the same release" },
    { STRICT_REFUSED_MALFORMED, DATAHUB_ERROR_VERSION,
        "the producer does not know this form of a ticket or of an attach: build "
        "both ends from the same release" },
    { STRICT_REFUSED_USER, DATAHUB_ERROR_DENIED,
        "it belongs to another user, and its shm-mode does not admit this "
        "one" },
    { STRICT_REFUSED_OTHER_BLOCK, DATAHUB_ERROR_DENIED,
        "the ticket is for another block" },
    { STRICT_REFUSED_NO_TICKET, DATAHUB_ERROR_DENIED,
        "a ticket of its broker is needed" },
    { STRICT_REFUSED_FORGED, DATAHUB_ERROR_DENIED,
        "the ticket is forged, or was made with another secret" },
    { STRICT_REFUSED_EXPIRED, DATAHUB_ERROR_DENIED,
        "the ticket has expired, "
        "or the clock of another machine made it and is behind" },
    { STRICT_REFUSED_TOO_LONG, DATAHUB_ERROR_DENIED,
        "the ticket is valid for longer than the limit, or the clock of another "
        "machine made it and is ahead" },
    { STRICT_REFUSED_REPLAYED, DATAHUB_ERROR_DENIED,
        "the ticket was used before" },
  };
  if (answer->status == STRICT_REFUSED_FULL)
    return result_fail (error, DATAHUB_ERROR_FULL, 0,
        "The DataBlock \"%s\" already has %u consumers; raise max-consumers of "
        "the producer.",
        block->channel, answer->n_rows);
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
    if (refusals[i].status == answer->status)
      return result_fail (error, refusals[i].result, 0,
          "The DataBlock \"%s\" refused this consumer: %s.", block->channel,
          refusals[i].why);
  return result_fail (error, DATAHUB_ERROR_SYSTEM, 0,
      "The DataBlock \"%s\" refused this consumer with an unknown status (%u).",
      block->channel, answer->status);
}

/* The last obstacle of a try that was answered is the reason. */
DatahubResult
strict_fail_late (const Block *block, StrictStatus obstacle,
    DatahubError *error)
{
  if (obstacle == STRICT_REFUSED_SYSTEM)
    return result_fail (error, DATAHUB_TIMEOUT, EMFILE,
        "The producer of the DataBlock \"%s\" has no file descriptors or memory "
        "left for this process. Raise its limit (ulimit -n), or end processes "
        "that attach and do not go on.",
        block->channel);
  if (obstacle == STRICT_REFUSED_BUSY)
    return result_fail (error, DATAHUB_TIMEOUT, EAGAIN,
        "The producer of the DataBlock \"%s\" is busy: too many processes attach "
        "at once, or do not read its answer.",
        block->channel);
  return result_fail (error, DATAHUB_TIMEOUT, 0,
      "The producer of the DataBlock \"%s\" does not answer.", block->channel);
}
