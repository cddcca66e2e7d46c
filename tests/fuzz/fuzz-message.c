/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A message from a peer of hub or broker: parsed, and every field asked for in
 * every way. */
#include "fuzz.h"

#include "control/wire/message-private.h"

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  return 0;
}

static void
read_fields (json_t *message)
{
  static const char *const fields[] = { "v", "type", "name", "uuid", "secret",
    "caps", "epoch", "pattern", "reason" };
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++) {
    gint64 number;
    guint64 wide;
    const char *text =
        message_string (message, fields[i], CAPS_MAX, i % 2 == 0, NULL);
    if (text && strlen (text) > CAPS_MAX)
      abort ();
    message_integer (message, fields[i], -5, G_MAXINT32, &number, NULL);
    message_u64 (message, fields[i], &wide, NULL);
    message_token (message, fields[i], NULL);
    if (text && pattern_is_valid (text))
      pattern_matches (text, "camera-0.left");
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean present;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) told = NULL;
  g_autoptr (json_t) message = message_parse (data, size, &error);
  if (!message == !error)
    abort (); /* one of the two, always */
  if (!message)
    return 0;
  read_fields (message);
  message_name (message, NULL);
  message_uuid (message, NULL);
  message_secret (message, secret, &present, NULL);
  told = message_to_error (message);
  json_decref (message_error (told));
  message_wipe_secret (message);
  return 0;
}
