/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The errors of hub, broker and keys.
 * Tests: message-strict, hub-questions */
#include "control-log-private.h"
#include "control-error-private.h"

GQuark
datahub_hub_error_quark (void)
{
  return g_quark_from_static_string ("datahub-hub-error-quark");
}

/* Fills in @error and is FALSE, so that a refusal is one line at its place. */
gboolean
message_refuse (GError **error, DatahubHubError code, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, DATAHUB_HUB_ERROR, code, text);
  return FALSE;
}
