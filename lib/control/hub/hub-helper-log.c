/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the helper process writes to its standard error, in the log of the process that
 * started it: a line of helper-log.c, or what a library wrote. A line is never of a
 * level that ends this process. Without a free descriptor there is no pipe.
 * Tests: hub-helper */
#include "control/wire/control-log-private.h"
#include "hub-helper-log-private.h"
#include "control/broker/broker-private.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

/* The helper gets a descriptor that is none of those which it has before. */
#define FIRST_FREE (HELPER_LOCK + 1)
#define PIPE_SIZE 65536
/* Helpers that are read: the last one, and those before it that have not ended yet. */
#define LOGS 3

struct _HelperLog
{
  HubCore *core; /* it owns this; NULL: it ends it */
  int fd;
  GSource *source; /* owned */
  char text[HELPER_LINE_MAX]; /* the line so far, without an end */
  gsize length;
};

static GLogLevelFlags
level_of (guint64 number)
{
  return number == G_LOG_LEVEL_INFO || number == G_LOG_LEVEL_DEBUG
      ? (GLogLevelFlags) number
      : G_LOG_LEVEL_MESSAGE;
}

/* "LEVEL EVENT MESSAGE", or anything else. */
static void
take_line (HelperLog *log, char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 3);
  guint64 level;

  if (g_strv_length (words) < 3
      || !g_ascii_string_to_unsigned (words[0], 10, 0, G_MAXINT, &level,
          NULL)) {
    control_log (G_LOG_LEVEL_MESSAGE, "helper-output",
        "the helper process of the broker: %s", line);
    return;
  }
  control_log (level_of (level), words[1],
      "the helper process of the broker: %s", words[2]);
  if (log->core && strcmp (words[1], HELPER_SERVES) == 0)
    hub_session_retry_now (log->core);
  if (log->core && strcmp (words[1], BROKER_STARVED) == 0)
    hub_host_rest (log->core);
}

static void
take_text (HelperLog *log, const char *text, gsize size)
{
  for (gsize i = 0; i < size; i++) {
    gboolean end = text[i] == '\n' || text[i] == '\0';
    if (!end)
      log->text[log->length++] = text[i];
    if (!end && log->length < sizeof log->text - 1)
      continue;
    log->text[log->length] = '\0';
    if (log->length > 0)
      take_line (log, log->text);
    log->length = 0;
  }
}

/* Returns whether there was something. */
static gboolean
take_some (HelperLog *log, gboolean *end)
{
  char text[HELPER_LINE_MAX];
  ssize_t size = read (log->fd, text, sizeof text);

  *end = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
  if (size > 0)
    take_text (log, text, (gsize) size);
  return size > 0;
}

static void
log_free (HelperLog *log)
{
  hub_clear_source (&log->source);
  take_text (log, "\n", 1); /* a line without an end is the last */
  close (log->fd);
  g_free (log);
}

static gboolean
readable (int fd, GIOCondition condition, gpointer user_data)
{
  HelperLog *log = user_data;
  gboolean end;

  take_some (log, &end);
  if (!end)
    return G_SOURCE_CONTINUE;
  log->core->host.logs = g_slist_remove (log->core->host.logs, log);
  log_free (log);
  return G_SOURCE_REMOVE;
}

static void
watch (HubCore *core, int fd)
{
  HelperLog *log = g_new0 (HelperLog, 1);

  log->core = core;
  log->fd = fd;
  log->source = g_unix_fd_source_new (fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  g_source_set_callback (log->source, (GSourceFunc) (void (*) (void)) readable,
      log, NULL);
  g_source_attach (log->source, core->context);
  core->host.logs = g_slist_prepend (core->host.logs, log);
}

/* What the helper has written is read first, but not more than a pipe has: it can go on
 * writing. */
static void
end_oldest (HubCore *core)
{
  HelperLog *log = g_slist_last (core->host.logs)->data;
  gboolean end;

  core->host.logs = g_slist_remove (core->host.logs, log);
  log->core = NULL;
  for (guint n = 0; n < PIPE_SIZE / HELPER_LINE_MAX; n++)
    if (!take_some (log, &end))
      break;
  log_free (log);
}

/* Returns the end that is for the helper, to be closed by the caller, or -1. The helper
 * before it can have a message left: that it ends. */
int
hub_helper_log_begin (HubCore *core)
{
  int ends[2], high;

  if (g_slist_length (core->host.logs) >= LOGS)
    end_oldest (core);
  if (pipe2 (ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return -1;
  high = fcntl (ends[1], F_DUPFD_CLOEXEC, FIRST_FREE);
  close (ends[1]);
  if (high < 0)
    close (ends[0]);
  else
    watch (core, ends[0]);
  return high;
}

void
hub_helper_log_end (HubCore *core)
{
  while (core->host.logs)
    end_oldest (core);
}
