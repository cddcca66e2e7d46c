/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files and the runtime directory: what is made, and what is refused. */
#include "fixture.h"

#include "control/wire/keys-private.h"
#include "control/wire/runtime-dir-private.h"
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
assert_refused (gboolean done, GError **error, int code, const char *words)
{
  g_assert_false (done);
  g_assert_error (*error, DATAHUB_HUB_ERROR, code);
  if (!strstr ((*error)->message, words))
    g_error ("\"%s\" does not say \"%s\"", (*error)->message, words);
  g_clear_error (error);
}

static void
assert_mode (const char *file, guint mode)
{
  struct stat st;

  g_assert_cmpint (stat (file, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, mode);
}

static void
refuse_secret (const char *file, const char *words)
{
  g_autoptr (GError) error = NULL;
  char key[DATAHUB_KEY_TEXT + 1];

  assert_refused (datahub_keys_load_secret (file, key, &error), &error,
      DATAHUB_HUB_ERROR_KEY, words);
}

static void
test_generate (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *secret = fixture_file ("a.key");
  g_autofree char *public = fixture_file ("a.pub");
  char key[DATAHUB_KEY_TEXT + 1], public_key[DATAHUB_KEY_TEXT + 1];

  g_assert_true (datahub_keys_generate (secret, public, &error));
  assert_mode (secret, 0600);
  g_assert_true (datahub_keys_load_secret (secret, key, &error));
  g_assert_true (datahub_keys_load_public (public, public_key, &error));
  g_assert_cmpuint (strlen (key), ==, DATAHUB_KEY_TEXT);
  g_assert_cmpstr (key, !=, public_key);

  /* The pair fits together. */
  g_auto (Keypair) pair = { 0 };
  g_assert_true (keypair_load (&pair, secret, &error));
  g_assert_cmpstr (pair.public_key, ==, public_key);
}

static void
test_never_overwritten (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *secret = fixture_file ("a.key");
  g_autofree char *public = fixture_file ("a.pub");
  g_autofree char *before = NULL, *after = NULL;

  g_assert_true (datahub_keys_generate (secret, public, NULL));
  g_assert_true (g_file_get_contents (secret, &before, NULL, NULL));
  g_assert_false (datahub_keys_generate (secret, public, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_EXIST);
  g_assert_true (g_file_get_contents (secret, &after, NULL, NULL));
  g_assert_cmpstr (before, ==, after);
}

static void
test_nothing_half_written (void)
{
  const char *name;
  guint n = 0;
  g_autofree char *secret = fixture_file ("a.key");
  g_autofree char *public = fixture_file ("a.pub");

  g_assert_true (datahub_keys_generate (secret, public, NULL));
  g_assert_false (datahub_keys_generate (secret, public, NULL));
  g_autoptr (GDir) dir = g_dir_open (fixture_dir (), 0, NULL);
  while ((name = g_dir_read_name (dir)))
    n++;
  g_assert_cmpuint (n, ==, 2);
}

static void
test_modes_refused (void)
{
  g_autofree char *secret = fixture_file ("a.key");
  g_autofree char *public = fixture_file ("a.pub");
  char key[DATAHUB_KEY_TEXT + 1];
  g_autoptr (GError) error = NULL;

  g_assert_true (datahub_keys_generate (secret, public, NULL));
  g_chmod (secret, 0640);
  refuse_secret (secret, "chmod 600");
  g_chmod (secret, 0604);
  refuse_secret (secret, "chmod 600");
  g_chmod (secret, 0600);
  g_chmod (fixture_dir (), 0750);
  refuse_secret (secret, "chmod 700");
  g_chmod (fixture_dir (), 0700);
  g_assert_true (datahub_keys_load_secret (secret, key, NULL));

  g_chmod (public, 0644);
  g_assert_true (datahub_keys_load_public (public, key, NULL));
  g_chmod (public, 0664);
  assert_refused (datahub_keys_load_public (public, key, &error), &error,
      DATAHUB_HUB_ERROR_KEY, "chmod go-w");
}

static void
test_owner_refused (void)
{
  g_autofree char *secret = fixture_file ("a.key");
  g_autofree char *public = fixture_file ("a.pub");

  if (geteuid () != 0) {
    g_test_skip ("giving a file away needs root");
    return;
  }
  g_assert_true (datahub_keys_generate (secret, public, NULL));
  g_assert_cmpint (chown (secret, 12345, 12345), ==, 0);
  refuse_secret (secret, "belongs to user 12345");
}

static void
test_contents_refused (void)
{
  static const char *const contents[] = {
    "",
    "short",
    "0123456789012345678901234567890123456789extra",
    "0123456789012345678901234567890123456789 other",
    "0123456789012345678901234567890123456789 secret and more than that",
    /* 40 characters, one of which is none of Z85's. */
    "01234567890123456789012345678901234567~9",
    /* Z85 characters whose value overflows. */
    "########################################",
  };
  g_autofree char *file = fixture_file ("bad.key");
  g_autofree char *link = fixture_file ("link.key");
  g_autofree char *missing = fixture_file ("missing.key");

  for (guint i = 0; i < G_N_ELEMENTS (contents); i++) {
    fixture_write (file, contents[i], 0600);
    refuse_secret (file, "does not hold a key");
  }
  g_assert_cmpint (symlink (file, link), ==, 0);
  refuse_secret (link, "symbolic link");
  refuse_secret (fixture_dir (), "regular file");
  refuse_secret (missing, "No such file");

  g_autofree char *fifo = fixture_file ("fifo.key");
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  refuse_secret (fifo, "regular file");
}

/* A public key has the form of a secret one, so only its label shows what it is. */
static void
test_labels (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *secret = fixture_file ("a.key");
  g_autofree char *public = fixture_file ("a.pub");
  g_autofree char *other = fixture_file ("b");
  char key[DATAHUB_KEY_TEXT + 1], again[DATAHUB_KEY_TEXT + 1];

  g_assert_true (datahub_keys_generate (secret, public, NULL));
  g_assert_true (datahub_keys_load_public (public, key, NULL));
  g_assert_cmpint (rename (public, other), ==, 0);
  refuse_secret (other, "holds a public key");
  g_assert_cmpint (rename (secret, public), ==, 0);
  assert_refused (datahub_keys_load_public (public, again, &error), &error,
      DATAHUB_HUB_ERROR_KEY, "holds a secret key");
  /* of an older version, or written by hand */
  fixture_write (other, key, 0600);
  g_assert_true (datahub_keys_load_public (other, again, NULL));
  g_assert_cmpstr (again, ==, key);
  g_assert_true (datahub_keys_load_secret (other, again, NULL));
}

/* Clients and programs of older versions read the broker's key. */
static void
test_broker_key_is_plain (void)
{
  g_auto (Keypair) pair = { 0 };
  g_autofree char *file = fixture_file ("run/broker.key");
  g_autofree char *text = NULL;

  g_assert_true (keypair_load_broker (&pair, TRUE, NULL));
  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  g_assert_cmpstr (g_strchomp (text), ==, pair.secret_key);
}

static void
test_errors_tell_no_secret (void)
{
  g_autoptr (GError) error = NULL;
  char key[DATAHUB_KEY_TEXT + 1];
  g_autofree char *file = fixture_file ("bad.key");

  fixture_write (file, "almost-a-secret-that-must-not-be-shown~~", 0600);
  g_assert_false (datahub_keys_load_secret (file, key, &error));
  g_assert_null (strstr (error->message, "almost"));
}

static void
test_own_client (void)
{
  g_auto (Keypair) broker = { 0 }, again = { 0 }, other = { 0 };
  g_auto (Keypair) a = { 0 }, b = { 0 }, c = { 0 };

  g_assert_true (keypair_load_broker (&broker, TRUE, NULL));
  g_assert_true (keypair_load_broker (&again, FALSE, NULL));
  g_assert_cmpstr (broker.secret_key, ==, again.secret_key);
  g_assert_true (keypair_generate (&other, NULL));
  g_assert_true (keypair_derive_own_client (&broker, &a, NULL));
  g_assert_true (keypair_derive_own_client (&again, &b, NULL));
  g_assert_true (keypair_derive_own_client (&other, &c, NULL));
  g_assert_cmpstr (a.public_key, ==, b.public_key);
  g_assert_cmpstr (a.public_key, !=, c.public_key);
  g_assert_cmpstr (a.public_key, !=, broker.public_key);
}

/* --- the runtime directory --- */

static void
refuse_runtime (const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = datahub_runtime_dir (&error);

  assert_refused (path != NULL, &error, DATAHUB_HUB_ERROR_RUNTIME_DIR, words);
}

static void
test_runtime_made (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = datahub_runtime_dir (&error);

  g_assert_no_error (error);
  assert_mode (path, 0700);
}

static void
test_runtime_order (void)
{
  g_setenv ("XDG_RUNTIME_DIR", fixture_dir (), TRUE);
  g_unsetenv ("DATAHUB_RUNTIME_DIR");
  g_autofree char *path = datahub_runtime_dir (NULL);
  g_autofree char *expected = fixture_file ("datahub");
  g_assert_cmpstr (path, ==, expected);

  g_unsetenv ("XDG_RUNTIME_DIR");
  g_autofree char *fallback = runtime_dir_name ();
  g_autofree char *expected_fallback =
      g_strdup_printf ("/tmp/datahub-%u", (unsigned) geteuid ());
  g_assert_cmpstr (fallback, ==, expected_fallback);
}

static void
test_runtime_refused (void)
{
  const char *path = g_getenv ("DATAHUB_RUNTIME_DIR");
  g_autofree char *elsewhere = fixture_file ("elsewhere");

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  g_chmod (path, 0770);
  refuse_runtime ("chmod 700");
  g_chmod (path, 0705);
  refuse_runtime ("chmod 700");
  g_rmdir (path);

  g_assert_cmpint (g_mkdir (elsewhere, 0700), ==, 0);
  g_assert_cmpint (symlink (elsewhere, path), ==, 0);
  refuse_runtime ("symbolic link");
  g_unlink (path);

  fixture_write (path, "a file", 0600);
  refuse_runtime ("not a directory");
  g_unlink (path);

  g_autofree char *orphan = fixture_file ("no/such/parent");
  g_setenv ("DATAHUB_RUNTIME_DIR", orphan, TRUE);
  refuse_runtime ("DATAHUB_RUNTIME_DIR");
}

static void
test_runtime_owner_refused (void)
{
  const char *path = g_getenv ("DATAHUB_RUNTIME_DIR");

  if (geteuid () != 0) {
    g_test_skip ("giving a directory away needs root");
    return;
  }
  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  g_assert_cmpint (chown (path, 12345, 12345), ==, 0);
  refuse_runtime ("belongs to user 12345");
}

/* A user that may not write the parent of @path needs it only where @path is
 * missing. */
static int
see_obstacle (const char *path)
{
  enum
  {
    NOBODY = 65534
  };
  if (geteuid () == 0 && setresuid (NOBODY, NOBODY, NOBODY) != 0)
    return 2;
  g_autofree char *text = runtime_dir_obstacle (path);
  return text && strstr (text, path) && strstr (text, "Permission denied");
}

static int
exit_code_of_obstacle (const char *path)
{
  int status = 0;
  pid_t child = fork ();

  if (child == 0)
    _exit (see_obstacle (path));
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
test_obstacle (void)
{
  g_autofree char *there = fixture_file ("there");
  g_autofree char *missing = fixture_file ("missing");

  g_assert_cmpint (g_mkdir (there, 0755), ==, 0);
  g_assert_cmpint (g_chmod (fixture_dir (), 0555), ==, 0);
  int code = exit_code_of_obstacle (there);
  if (code == 2) {
    g_test_skip ("no other user can be had here");
  } else {
    g_assert_cmpint (code, ==, 0);
    g_assert_cmpint (exit_code_of_obstacle (missing), ==, 1);
  }
  g_assert_cmpint (g_chmod (fixture_dir (), 0700), ==, 0);
}

static void
test_long_path (void)
{
  g_autofree char *name = g_strnfill (100, 'x');
  g_autofree char *path = fixture_file (name);
  g_autoptr (GError) error = NULL;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_DEFAULT);
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();

  g_setenv ("DATAHUB_RUNTIME_DIR", path, TRUE);
  assert_refused (datahub_broker_start (broker, &error), &error,
      DATAHUB_HUB_ERROR_SETTINGS, "the limit of socket paths is 107");
  assert_refused (datahub_hub_connect_to (hub, "auto", NULL, NULL, &error),
      &error, DATAHUB_HUB_ERROR_SETTINGS, "the limit of socket paths is 107");
}

static void
add_tests (void)
{
  fixture_add ("/keys/generate", test_generate);
  fixture_add ("/keys/never-overwritten", test_never_overwritten);
  fixture_add ("/keys/nothing-half-written", test_nothing_half_written);
  fixture_add ("/keys/modes-refused", test_modes_refused);
  fixture_add ("/keys/owner-refused", test_owner_refused);
  fixture_add ("/keys/contents-refused", test_contents_refused);
  fixture_add ("/keys/labels", test_labels);
  fixture_add ("/keys/broker-key-is-plain", test_broker_key_is_plain);
  fixture_add ("/keys/errors-tell-no-secret", test_errors_tell_no_secret);
  fixture_add ("/keys/own-client", test_own_client);
  fixture_add ("/runtime-dir/made", test_runtime_made);
  fixture_add ("/runtime-dir/order", test_runtime_order);
  fixture_add ("/runtime-dir/refused", test_runtime_refused);
  fixture_add ("/runtime-dir/owner-refused", test_runtime_owner_refused);
  fixture_add ("/runtime-dir/obstacle", test_obstacle);
  fixture_add ("/runtime-dir/long-path", test_long_path);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
