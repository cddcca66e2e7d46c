/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CURVE keys: pairs, their files, and the pair that authenticates the broker's
 * own user. Secrets are wiped after use and are never in a message.
 * Tests: keys-files, cli-commands */
#include "control-log-private.h"
#include "keys-private.h"
#include "key-file-private.h"
#include <datahub/hub.h>
#include "runtime-dir-private.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

void
keypair_wipe (Keypair *pair)
{
  sodium_memzero (pair, sizeof *pair);
}

static gboolean
fail (GError **error, const char *text)
{
  g_set_error_literal (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_KEY, text);
  return FALSE;
}

gboolean
keypair_generate (Keypair *pair, GError **error)
{
  if (zmq_curve_keypair (pair->public_key, pair->secret_key) != 0)
    return fail (error, "this build of libzmq has no CURVE");
  return TRUE;
}

static gboolean
complete_pair (Keypair *pair, GError **error)
{
  if (zmq_curve_public (pair->public_key, pair->secret_key) != 0)
    return fail (error, "a public key could not be made from the secret one");
  return TRUE;
}

/* A public key is a valid secret one by its form. The names of the files show which is
 * which. */
static gboolean
check_name_of_secret (const char *file, GError **error)
{
  if (!g_str_has_suffix (file, ".pub"))
    return TRUE;
  g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_KEY,
      "key file %s is a public key by its name; give the file of the secret "
      "key, which has no .pub",
      file);
  return FALSE;
}

/* Loads a secret key and works out its public one. */
gboolean
keypair_load (Keypair *pair, const char *secret_file, GError **error)
{
  return check_name_of_secret (secret_file, error)
      && key_file_read (secret_file, KEY_FILE_SECRET, pair->secret_key, error)
      && complete_pair (pair, error);
}

/* Another process of the user may be first: its file is as good as ours. */
static gboolean
write_if_missing (const char *file, const char *key, KeyFileKind kind,
    gboolean *written, GError **error)
{
  g_autoptr (GError) local = NULL;

  *written = FALSE;
  if (g_file_test (file, G_FILE_TEST_EXISTS))
    return TRUE;
  *written = key_file_write (file, key, kind, &local);
  if (*written || g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_EXIST))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Stores @pair as the key of the user's broker, both halves, if there is none. A public
 * half without a secret one is of a key that was removed. It goes first: a process that
 * is killed here leaves none of another key, and the next one writes what is missing. */
gboolean
keypair_keep_broker (const Keypair *pair, GError **error)
{
  g_autofree char *secret = runtime_file (BROKER_SECRET, TRUE, error);
  if (!secret)
    return FALSE;
  if (g_file_test (secret, G_FILE_TEST_EXISTS))
    return TRUE;
  g_autofree char *public = runtime_file (BROKER_PUBLIC, FALSE, error);
  gboolean written;
  if (!public)
    return FALSE;
  unlink (public);
  return write_if_missing (secret, pair->secret_key, KEY_FILE_PLAIN, &written,
             error)
      && (!written
          || write_if_missing (public, pair->public_key, KEY_FILE_PUBLIC,
              &written, error));
}

/* The key pair of the user's broker, made on first use when @create. The public
 * half is stored beside it, so that it can be copied to another machine. */
gboolean
keypair_load_broker (Keypair *pair, gboolean create, GError **error)
{
  g_autofree char *secret = runtime_file (BROKER_SECRET, create, error);
  if (!secret)
    return FALSE;
  if (create && !g_file_test (secret, G_FILE_TEST_EXISTS)
      && (!keypair_generate (pair, error)
          || !keypair_keep_broker (pair, error)))
    return FALSE;
  if (!keypair_load (pair, secret, error))
    return FALSE;

  g_autofree char *public = runtime_file (BROKER_PUBLIC, FALSE, error);
  gboolean written;
  if (!public)
    return FALSE;
  return !create
      || write_if_missing (public, pair->public_key, KEY_FILE_PUBLIC, &written,
          error);
}

/* The pair of the broker's own user: a keyed hash of the broker's secret, so
 * that only a user that can read broker.key (0600) can compute it. */
gboolean
keypair_derive_own_client (const Keypair *broker, Keypair *client,
    GError **error)
{
  static const char purpose[] = "datahub own-user client key, version 1";
  guint8 secret[DATAHUB_KEY_SIZE], derived[DATAHUB_KEY_SIZE];

  gboolean done = zmq_z85_decode (secret, broker->secret_key)
      && crypto_generichash (derived, sizeof derived,
             (const unsigned char *) purpose, sizeof purpose - 1, secret,
             sizeof secret)
          == 0
      && zmq_z85_encode (client->secret_key, derived, sizeof derived);
  sodium_memzero (secret, sizeof secret);
  sodium_memzero (derived, sizeof derived);
  if (!done)
    return fail (error, "the broker's key could not be read");
  return complete_pair (client, error);
}

gboolean
datahub_keys_generate (const char *secret_file, const char *public_file,
    GError **error)
{
  g_auto (Keypair) pair = { 0 };

  g_return_val_if_fail (secret_file && public_file, FALSE);
  return keypair_generate (&pair, error)
      && key_file_write (secret_file, pair.secret_key, KEY_FILE_SECRET, error)
      && key_file_write (public_file, pair.public_key, KEY_FILE_PUBLIC, error);
}

gboolean
datahub_keys_load_public (const char *file, char key[DATAHUB_KEY_TEXT + 1],
    GError **error)
{
  g_autofree char *base = g_strdup (file);
  if (g_str_has_suffix (base, ".key"))
    base[strlen (base) - strlen (".key")] = '\0';
  g_autofree char *sibling = g_strconcat (base, ".pub", NULL);

  if (g_file_test (file, G_FILE_TEST_EXISTS)
      && g_file_test (sibling, G_FILE_TEST_EXISTS)) {
    g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_KEY,
        "key file %s is a secret key, because %s is beside it; give that file",
        file, sibling);
    return FALSE;
  }
  return key_file_read (file, KEY_FILE_PUBLIC, key, error);
}

gboolean
datahub_keys_load_secret (const char *file, char key[DATAHUB_KEY_TEXT + 1],
    GError **error)
{
  return key_file_read (file, KEY_FILE_SECRET, key, error);
}
