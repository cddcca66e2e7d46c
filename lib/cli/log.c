/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's log: one line of "key=value" fields per event, on standard
 * error. */
#include "cli.h"

static const char *
level_word (GLogLevelFlags level)
{
  switch (level & G_LOG_LEVEL_MASK) {
    case G_LOG_LEVEL_ERROR:
    case G_LOG_LEVEL_CRITICAL:
      return "error";
    case G_LOG_LEVEL_WARNING:
      return "warning";
    case G_LOG_LEVEL_MESSAGE:
      return "notice";
    default:
      return "info";
  }
}

static const char *
field (const GLogField *fields, gsize n_fields, const char *key)
{
  for (gsize i = 0; i < n_fields; i++)
    if (g_strcmp0 (fields[i].key, key) == 0 && fields[i].length < 0)
      return fields[i].value;
  return NULL;
}

/* Escapes @text as in C, but keeps characters that are not ASCII: @text is
 * UTF-8. */
static char *
quote (const char *text)
{
  char utf8[129] = { 0 };

  for (guint i = 0; i < sizeof utf8 - 1; i++)
    utf8[i] = (char) (0x80 + i);
  return g_strescape (text, utf8);
}

/* The fields that only some events have, as " name=VALUE". */
static char *
describe (const GLogField *fields, gsize n_fields)
{
  static const char *const names[][2] = { { "DATAHUB_NAME", "name" },
    { "DATAHUB_RIGHT", "right" }, { "DATAHUB_KEY", "key" },
    { "DATAHUB_PID", "pid" }, { "DATAHUB_ADDRESS", "address" } };
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    const char *value = field (fields, n_fields, names[i][0]);
    g_autofree char *safe = cli_safe (value ? value : "");
    if (value)
      g_string_append_printf (text, " %s=%s", names[i][1], safe);
  }
  return g_string_free (text, FALSE);
}

static GLogWriterOutput
write_line (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer user_data)
{
  const char *event = field (fields, n_fields, "DATAHUB_EVENT");
  const char *message = field (fields, n_fields, "MESSAGE");

  if ((level & G_LOG_LEVEL_DEBUG) && !g_getenv ("G_MESSAGES_DEBUG"))
    return G_LOG_WRITER_HANDLED;
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%S.%fZ");
  g_autofree char *safe = cli_safe (message ? message : "");
  g_autofree char *quoted = quote (safe);
  g_autofree char *details = describe (fields, n_fields);
  g_printerr ("time=%s level=%s event=%s%s msg=\"%s\"\n", time,
      level_word (level), event ? event : "log", details, quoted);
  return G_LOG_WRITER_HANDLED;
}

/* Makes write_line() the writer of all log messages of the process. */
void
cli_log_to_stderr (void)
{
  g_log_set_writer_func (write_line, NULL, NULL);
}

static GLogWriterOutput
drop_notices (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer user_data)
{
  if ((level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO)) != 0
      && g_strcmp0 (field (fields, n_fields, "GLIB_DOMAIN"), "datahub") == 0
      && !g_getenv ("G_MESSAGES_DEBUG"))
    return G_LOG_WRITER_HANDLED;
  return g_log_writer_default (level, fields, n_fields, user_data);
}

/* A command prints its error itself. */
void
cli_log_quietly (void)
{
  g_log_set_writer_func (drop_notices, NULL, NULL);
}
