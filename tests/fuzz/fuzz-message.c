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
    const char *text = datahub_message_string (message, fields[i],
        DATAHUB_CAPS_MAX, i % 2 == 0, NULL);
    if (text && strlen (text) > DATAHUB_CAPS_MAX)
      abort ();
    datahub_message_integer (message, fields[i], -5, G_MAXINT32, &number, NULL);
    datahub_message_u64 (message, fields[i], &wide, NULL);
    datahub_message_token (message, fields[i], NULL);
    if (text && datahub_pattern_is_valid (text))
      datahub_pattern_matches (text, "camera-0.left");
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean present;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) told = NULL;
  g_autoptr (json_t) message = datahub_message_parse (data, size, &error);
  if (!message == !error)
    abort (); /* one of the two, always */
  if (!message)
    return 0;
  read_fields (message);
  datahub_message_name (message, NULL);
  datahub_message_uuid (message, NULL);
  datahub_message_secret (message, secret, &present, NULL);
  told = datahub_message_to_error (message);
  json_decref (datahub_message_error (told));
  datahub_message_wipe_secret (message);
  return 0;
}
