/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the messages of the helper process go: to the file that DATAHUB_BROKER_LOG names;
 * else to the log of the process that started the helper, through a pipe, as long as that
 * one reads; else to the journal, if the system has one. They do not go to the terminal
 * or to the standard error of that process: the helper lives longer, and a pipe that it
 * had open would not end.
 * Tests: hub-helper */
#include "control/wire/control-log-private.h"
#include "control/broker/broker-private.h"
#include "helper-private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
find_field (const GLogField *fields, gsize n_fields, const char *key)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, key) == 0 && fields[i].length < 0)
      return fields[i].value;
  return "-";
}

/* In one piece, which the pipe takes whole or not at all. */
static gboolean
write_line (GLogLevelFlags level, const char *event, const char *message)
{
  g_autofree char *line = g_strdup_printf ("%u %s %s",
      (unsigned) (level & G_LOG_LEVEL_MASK), event, message);
  gsize length = MIN (strlen (line), HELPER_LINE_MAX - 2);

  line[length] = '\0';
  g_strdelimit (line, "\n", ' ');
  line[length] = '\n';
  return write (STDERR_FILENO, line, length + 1) == (ssize_t) length + 1;
}

static GLogWriterOutput
write_to_starter (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer user_data)
{
  if (g_log_writer_default_would_drop (level, G_LOG_DOMAIN))
    return G_LOG_WRITER_HANDLED;
  if (!write_line (level, find_field (fields, n_fields, "DATAHUB_EVENT"),
          find_field (fields, n_fields, "MESSAGE")))
    g_log_writer_journald (level, fields, n_fields, NULL);
  return G_LOG_WRITER_HANDLED; /* without a journal it is lost */
}

static GLogWriterOutput
write_to_journal (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer user_data)
{
  if (!g_log_writer_default_would_drop (level, G_LOG_DOMAIN))
    g_log_writer_journald (level, fields, n_fields, NULL);
  return G_LOG_WRITER_HANDLED;
}

static GLogWriterOutput
write_to_file (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer user_data)
{
  if (g_log_writer_default_would_drop (level, G_LOG_DOMAIN))
    return G_LOG_WRITER_HANDLED;
  return g_log_writer_standard_streams (level, fields, n_fields, NULL);
}

/* Makes the file the standard error, for what other libraries write, too. */
static gboolean
open_file (void)
{
  const char *name = secure_getenv ("DATAHUB_BROKER_LOG");
  int fd = name && g_path_is_absolute (name)
      ? open (name,
          O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
          0600)
      : -1;

  if (fd < 0)
    return FALSE;
  dup2 (fd, STDOUT_FILENO);
  dup2 (fd, STDERR_FILENO);
  close (fd);
  return TRUE;
}

static gboolean
has_starter (void)
{
  struct stat st;

  return fstat (STDERR_FILENO, &st) == 0 && S_ISFIFO (st.st_mode);
}

/* Reports that clients can connect; also if no message of this level is wanted. */
void
helper_log_serves (void)
{
  if (has_starter ())
    write_line (G_LOG_LEVEL_DEBUG, HELPER_SERVES, HELPER_SERVES_TEXT);
  else
    control_log (G_LOG_LEVEL_DEBUG, HELPER_SERVES, HELPER_SERVES_TEXT);
}

void
helper_log_begin (void)
{
  gboolean to_file = open_file ();

  g_log_set_writer_func (to_file ? write_to_file
          : has_starter ()       ? write_to_starter
                                 : write_to_journal,
      NULL, NULL);
}
