/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CURVE key files: 40 characters of Z85, mode 0600, in a directory 0700. Any
 * thread; file system access is all that blocks. */
#ifndef DATAHUB_KEYS_H
#define DATAHUB_KEYS_H

#include <glib.h>
#include <datahub/types.h>

G_BEGIN_DECLS

/* Characters of a key in Z85, and the bytes behind it. */
#define DATAHUB_KEY_TEXT 40
#define DATAHUB_KEY_SIZE 32

/* Writes a new pair of keys to two new files; FALSE with a G_FILE_ERROR if
 * one exists or cannot be written. */
DATAHUB_API gboolean datahub_keys_generate (const char *secret_file,
    const char *public_file, GError **error);
/* Read a key. FALSE and DATAHUB_HUB_ERROR_KEY if the file is missing or has no key
 * in it, or if a secret one can be read by other users. The caller should wipe a
 * secret key after use. */
DATAHUB_API gboolean datahub_keys_load_public (const char *file,
    char key[DATAHUB_KEY_TEXT + 1], GError **error);
DATAHUB_API gboolean datahub_keys_load_secret (const char *file,
    char key[DATAHUB_KEY_TEXT + 1], GError **error);
/* The directory of the default broker's socket and keys, made if it is missing.
 * NULL and DATAHUB_HUB_ERROR_RUNTIME_DIR if it is not safe. The caller frees it
 * with g_free(). */
DATAHUB_API char *datahub_runtime_dir (GError **error);

G_END_DECLS

#endif /* DATAHUB_KEYS_H */
