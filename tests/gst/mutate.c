/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mutate.h"

static void
ignore_warning (const gchar *domain, GLogLevelFlags level, const gchar *message,
    gpointer user_data)
{
}

void
mutate_allow_criticals (void)
{
  g_log_set_handler ("GStreamer", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL,
      ignore_warning, NULL);
}

void
mutate_bytes (GRand *random, guint8 *bytes, gsize size, gint most)
{
  for (gint k = g_rand_int_range (random, 1, most + 1); k > 0; k--)
    bytes[g_rand_int_range (random, 0, (gint) size)] =
        (guint8) g_rand_int (random);
}
