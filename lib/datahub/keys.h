/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CURVE key files: 40 characters of Z85, mode 0600, in a directory 0700. */
#ifndef DATAHUB_KEYS_H
#define DATAHUB_KEYS_H

#include <glib.h>
#include <datahub/types.h>

G_BEGIN_DECLS

/* Characters of a key in Z85, and the bytes behind it. */
#define DATAHUB_KEY_TEXT 40
#define DATAHUB_KEY_SIZE 32

DATAHUB_API gboolean datahub_keys_generate (const char *secret_file,
    const char *public_file, GError **error);
DATAHUB_API gboolean datahub_keys_load_public (const char *file,
    char key[DATAHUB_KEY_TEXT + 1], GError **error);
DATAHUB_API gboolean datahub_keys_load_secret (const char *file,
    char key[DATAHUB_KEY_TEXT + 1], GError **error);
DATAHUB_API char *datahub_runtime_dir (GError **error);

G_END_DECLS

#endif /* DATAHUB_KEYS_H */
