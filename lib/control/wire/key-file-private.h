/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files; see key-file.c. */
#ifndef DATAHUB_KEY_FILE_PRIVATE_H
#define DATAHUB_KEY_FILE_PRIVATE_H

#include <datahub/keys.h>

typedef enum
{
  KEY_FILE_SECRET,
  KEY_FILE_PUBLIC,
  KEY_FILE_PLAIN /* to write: without a label */
} KeyFileKind;

gboolean key_file_read (const char *file, KeyFileKind kind,
    char key[DATAHUB_KEY_TEXT + 1], GError **error);
gboolean key_file_write (const char *file, const char *key, KeyFileKind kind,
    GError **error);
gboolean key_from_public_text (const char *text,
    char key[DATAHUB_KEY_TEXT + 1]);
gboolean key_text_is_secret (const char *text);

#endif /* DATAHUB_KEY_FILE_PRIVATE_H */
