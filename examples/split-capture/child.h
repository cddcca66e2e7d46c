/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPLIT_CHILD_H
#define SPLIT_CHILD_H

#include <gio/gio.h>

typedef struct _Child Child;

typedef struct
{
  guint64 buffers, bytes, lost;
} ChildCount;

typedef enum
{
  CHILD_VIDEO,
  CHILD_AUDIO,
  CHILD_N_STREAMS
} ChildStream;

/* Called when the process has ended and all its output has been read. */
typedef void (*ChildEnded) (Child *child, gpointer user_data);

/* Starts @argv in a process group of its own, so that a Ctrl-C in the terminal
 * reaches this process alone; it gets SIGINT if this process dies. */
Child *child_start (const char *title, const gchar *const *argv,
    ChildEnded ended, gpointer user_data, GError **error);
void child_free (Child *child);

const char *child_get_title (Child *child);
const char *child_get_pid (Child *child);
gboolean child_is_running (Child *child);
void child_signal (Child *child, int signal_number);
ChildCount child_get_count (Child *child, ChildStream stream);
/* After the end. */
gboolean child_has_succeeded (Child *child);
gchar *child_describe_end (Child *child);

#endif /* SPLIT_CHILD_H */
