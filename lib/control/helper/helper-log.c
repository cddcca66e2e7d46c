/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the messages of the helper process go: to the journal, if the system has one, or
 * to the file that DATAHUB_BROKER_LOG names. They do not go to the terminal of the
 * process that started the helper: the helper lives longer than that process, and a
 * pipe that it had open would not end.
 * Tests: hub-helper */
#include "control/wire/control-log-private.h"
#include "helper-private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static GLogWriterOutput
write_to_journal (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
    gpointer user_data)
{
  if (g_log_writer_default_would_drop (level, G_LOG_DOMAIN))
    return G_LOG_WRITER_HANDLED;
  g_log_writer_journald (level, fields, n_fields, NULL);
  return G_LOG_WRITER_HANDLED; /* without a journal it is lost */
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

void
helper_log_begin (void)
{
  g_log_set_writer_func (open_file () ? write_to_file : write_to_journal, NULL,
      NULL);
}
