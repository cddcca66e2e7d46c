/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CURVE key pairs; see keys.c. */
#ifndef DATAHUB_KEYS_PRIVATE_H
#define DATAHUB_KEYS_PRIVATE_H

#include <datahub/keys.h>

/* Lives on the stack of its user, and is wiped when it goes out of scope; a running
 * broker has one that is wiped when it ends. */
typedef struct
{
  char public_key[DATAHUB_KEY_TEXT + 1];
  char secret_key[DATAHUB_KEY_TEXT + 1];
} Keypair;

void keypair_wipe (Keypair *pair);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Keypair, keypair_wipe)

gboolean keypair_generate (Keypair *pair, GError **error);
gboolean keypair_load (Keypair *pair, const char *secret_file, GError **error);
gboolean keypair_keep_broker (const Keypair *pair, GError **error);
gboolean keypair_load_broker (Keypair *pair, gboolean create, GError **error);
gboolean keypair_derive_own_client (const Keypair *broker, Keypair *client,
    GError **error);
gboolean key_is_valid (const char *text);

#endif /* DATAHUB_KEYS_PRIVATE_H */
