/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub keygen`: makes a key pair for a client of a remote broker. */
#include "cli.h"

int
cli_keygen (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  char key[DATAHUB_KEY_TEXT + 1];

  if (!cli_parse (&argc, &argv, "NAME",
          "Writes the secret key to NAME.key (mode 0600) and the public key to "
          "NAME.pub.\nThe directory must have mode 0700.",
          "mkdir -m 700 keys && datahub keygen keys/encoder", NULL, NULL))
    return CLI_USAGE;
  if (argc != 2)
    return cli_fail (CLI_USAGE,
        "expected one NAME for the key pair, as in: datahub keygen "
        "keys/encoder");
  g_autofree char *secret_file = g_strconcat (argv[1], ".key", NULL);
  g_autofree char *public_file = g_strconcat (argv[1], ".pub", NULL);
  if (!datahub_keys_generate (secret_file, public_file, &error)
      || !datahub_keys_load_public (public_file, key, &error))
    return cli_fail (CLI_FAILED, "%s", error->message);
  g_print ("%s\n", key);
  return CLI_OK;
}
