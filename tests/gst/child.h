/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pipelines in processes of their own, which tell what goes on and can be
 * stopped and killed; see pipeline-child.c. */
#ifndef TESTS_GST_CHILD_H
#define TESTS_GST_CHILD_H

#include <gio/gio.h>

#define TEST_PICTURE                                                           \
  "videotestsrc pattern=ball ! video/x-raw,width=64,height=64"

typedef struct
{
  GSubprocess *process;
  GDataInputStream *out;
} Child;

Child *child_start (const gchar *format, ...) G_GNUC_PRINTF (1, 2);
/* A datahubsrc called src for the block "cam0", which shows what it gets. */
Child *child_consumer (const gchar *properties);
/* The test picture at its own pace, into a datahubsink called sink for "cam0". */
Child *child_producer (const gchar *properties);

/* The next line that begins so, or NULL at the end. */
gchar *child_next (Child *child, const gchar *prefix);
/* That there is one, and in the second form that it has @word. */
void child_expect (Child *child, const gchar *prefix);
void child_expect_word (Child *child, const gchar *prefix, const gchar *word);
/* Takes @n lines about buffers of an element called show. */
void child_take_buffers (Child *child, guint n);
/* Reads to the end, and counts them. */
guint child_count_buffers (Child *child);

void child_signal (Child *child, int number);
/* SIGSTOP: the whole process stands still when this returns. */
void child_halt (Child *child);
/* Waits for its end. Returns the exit status, or minus the signal. */
int child_end (Child *child);
void child_kill (Child *child);
/* SIGINT: it must end within a second, and well. */
void child_stop (Child *child);
/* The same, whenever it ends. Returns its line "stats NAME ...". */
gchar *child_stop_and_tell (Child *child, const gchar *name);

/* A number of a line "stats". */
guint64 child_stat (const gchar *line, const gchar *field);
/* Fields of a line "buffer". */
gint64 child_pts (const gchar *line);
guint child_flags (const gchar *line);
gchar *child_sum (const gchar *line);

#endif /* TESTS_GST_CHILD_H */
