/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_COMMIT_SIZES_PRIVATE_H
#define DATAHUB_COMMIT_SIZES_PRIVATE_H

#include <datahub/producer.h>

/* Whether all records are those of this version; the others are converted. */
static inline bool
commit_is_of_this_version (const DatahubCommit *records, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    if (!records || records[i].struct_size != sizeof *records)
      return false;
  return true;
}

DatahubResult commit_convert (DatahubCommit *known,
    const DatahubCommit *records, uint32_t n, DatahubError *error);

#endif /* DATAHUB_COMMIT_SIZES_PRIVATE_H */
