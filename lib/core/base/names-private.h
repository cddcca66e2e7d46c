/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names in the directory of shared memory:
 *   datahub-<uid>-<channel>   the entry, a second link to lck
 *   datahub-<uid>-<uuid>.ctl  .con  .lck  .d<gen>
 *   datahub-<uid>-<uuid>.sck  the socket of a strict block, beside its .lck
 */
#ifndef DATAHUB_NAMES_PRIVATE_H
#define DATAHUB_NAMES_PRIVATE_H

#include <datahub/types.h>

#define FILE_NAME_MAX 128

typedef struct
{
  char text[FILE_NAME_MAX];
} FileName;

typedef struct
{
  uint8_t bytes[16];
} Uuid;

void uuid_generate (Uuid *uuid);
void uuid_to_text (const Uuid *uuid, char text[DATAHUB_UUID_TEXT]);
bool uuid_from_text (const char *text, Uuid *uuid);

FileName name_entry (uint32_t user, const char *channel);
FileName name_part (uint32_t user, const Uuid *uuid, const char *part);
FileName name_pool (uint32_t user, const Uuid *uuid, uint32_t gen);

/* The meaning of a file name. */
typedef enum
{
  NAME_FOREIGN = 0,
  NAME_ENTRY,
  NAME_PART
} NameKind;
NameKind name_split (const char *file, uint32_t *user, const char **channel,
    Uuid *uuid, const char **part);
NameKind name_parse (uint32_t user, const char *file, const char **channel,
    Uuid *uuid, const char **part);
bool name_is_entry_of (const char *file, const char *channel, uint32_t *user);

#endif /* DATAHUB_NAMES_PRIVATE_H */
