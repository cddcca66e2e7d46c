/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub keygen`: a pair of keys for a client of a broker elsewhere. */
#include "cli.h"

int
cli_keygen (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  char key[DATAHUB_KEY_TEXT + 1];

  if (!cli_parse (&argc, &argv, "NAME",
          "Writes NAME.key (secret, 0600, in a directory 0700) and NAME.pub.",
          "mkdir -m 700 keys && datahub keygen keys/encoder", NULL, NULL))
    return CLI_USAGE;
  if (argc != 2)
    return cli_fail (CLI_USAGE, "name one pair of keys, as in keys/encoder");
  g_autofree char *secret_file = g_strconcat (argv[1], ".key", NULL);
  g_autofree char *public_file = g_strconcat (argv[1], ".pub", NULL);
  if (!datahub_keys_generate (secret_file, public_file, &error)
      || !datahub_keys_load_public (public_file, key, &error))
    return cli_fail (CLI_FAILED, "%s", error->message);
  g_print ("%s\n", key);
  return CLI_OK;
}
