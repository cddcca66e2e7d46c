/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resident.h"

#include <string.h>

gint64
resident_kib (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/status", &text, NULL, NULL));
  return g_ascii_strtoll (strstr (text, "VmRSS:") + 6, NULL, 10);
}
