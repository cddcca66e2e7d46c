/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of a caller that was compiled with other headers.
 * Tests: core-api-sizes */
#include "commit-sizes-private.h"
#include "core/base/result-private.h"
#include "core/base/sized-private.h"

#include <string.h>

static const SizedType commit_type = { "DatahubCommit", "datahub_commit_init",
  SIZE_WITH (DatahubCommit, memories), sizeof (DatahubCommit) };

void
datahub_commit_init_sized (DatahubCommit *commit, size_t struct_size,
    DatahubRecordType type)
{
  DatahubCommit defaults = { .struct_size = struct_size,
    .type = type,
    .pts = DATAHUB_NONE,
    .dts = DATAHUB_NONE,
    .duration = DATAHUB_NONE,
    .offset = DATAHUB_NONE,
    .offset_end = DATAHUB_NONE,
    .instant_ns = INT64_MIN };
  sized_out (commit, struct_size, &defaults, sizeof defaults);
}

/* Copies records that are smaller than those of this version to @known, @n of
 * them; fails if their sizes are wrong. */
DatahubResult
commit_convert (DatahubCommit *known, const DatahubCommit *records, uint32_t n,
    DatahubError *error)
{
  DatahubResult result = sized_check (&commit_type, records, error);
  for (uint32_t i = 0; i < n && result == DATAHUB_OK; i++) {
    const void *given =
        (const uint8_t *) records + i * (size_t) records->struct_size;
    datahub_commit_init (&known[i], DATAHUB_RECORD_BUFFER);
    result = sized_in (&commit_type, &known[i], given, error);
    if (result == DATAHUB_OK
        && memcmp (given, &records->struct_size, sizeof (size_t)) != 0)
      result = result_fail (error, DATAHUB_ERROR_INVALID, 0,
          "The records of a batch have different sizes; call "
          "datahub_commit_init() for each.");
  }
  return result;
}
