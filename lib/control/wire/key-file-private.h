/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files; see key-file.c. */
#ifndef DATAHUB_KEY_FILE_PRIVATE_H
#define DATAHUB_KEY_FILE_PRIVATE_H

#include <datahub/keys.h>

typedef enum
{
  KEY_FILE_SECRET,
  KEY_FILE_PUBLIC
} KeyFileKind;

gboolean key_file_read (const char *file, KeyFileKind kind,
    char key[DATAHUB_KEY_TEXT + 1], GError **error);
gboolean key_file_write (const char *file, const char *key, GError **error);

#endif /* DATAHUB_KEY_FILE_PRIVATE_H */
