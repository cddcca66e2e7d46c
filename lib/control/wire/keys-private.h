/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_KEYS_PRIVATE_H
#define DATAHUB_KEYS_PRIVATE_H

#include <datahub/keys.h>

/* Lives on the stack of its user, and is wiped when it goes out of scope. */
typedef struct
{
  char public_key[DATAHUB_KEY_TEXT + 1];
  char secret_key[DATAHUB_KEY_TEXT + 1];
} DatahubKeypair;

void keypair_wipe (DatahubKeypair *pair);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DatahubKeypair, keypair_wipe)

gboolean keypair_generate (DatahubKeypair *pair, GError **error);
gboolean keypair_load (DatahubKeypair *pair, const char *secret_file,
    GError **error);
gboolean keypair_load_broker (DatahubKeypair *pair, gboolean create,
    GError **error);
gboolean keypair_derive_own_client (const DatahubKeypair *broker,
    DatahubKeypair *client, GError **error);
gboolean key_is_valid (const char *text);

#endif /* DATAHUB_KEYS_PRIVATE_H */
