/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which file a channel leads to for this process. */
#ifndef DATAHUB_ENTRY_PRIVATE_H
#define DATAHUB_ENTRY_PRIVATE_H

#include "block-private.h"

/* Ascending: of several files of one channel the highest counts. */
typedef enum
{
  ENTRY_NONE = 0,
  ENTRY_FOREIGN, /* of another user, under another number */
  ENTRY_TAKEN, /* under the own number is what cannot be an own block */
  ENTRY_OWN_ELSEWHERE, /* the own user's, under another number */
  ENTRY_OWN
} EntryRank;

typedef struct
{
  EntryRank rank;
  uint32_t user; /* the number in the name */
  uint32_t owner; /* of the file, as this process sees it */
  bool plain; /* a plain file */
} Entry;

Entry entry_find (int dir, const char *channel);
bool entry_has_live_twin (int dir, const char *channel, uint32_t user);
DatahubResult entry_fail_taken (const char *channel, const Entry *entry,
    DatahubError *error);
DatahubResult entry_fail_foreign (const char *channel, uint32_t owner,
    DatahubError *error);

#endif /* DATAHUB_ENTRY_PRIVATE_H */
