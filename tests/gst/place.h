/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private place of a test: directories of its own, and what must not be
 * left in them; and other processes. */
#ifndef TESTS_GST_PLACE_H
#define TESTS_GST_PLACE_H

#include <gio/gio.h>
#include <gst/check/gstcheck.h>

/* Fixture. */
void place_setup (void);
void place_teardown (void);

const gchar *place_directory (void);
guint place_count_files (void);
guint place_count_fds (void);
gboolean place_is_shared (gconstpointer address, gsize size);

/* A pipeline in a process of its own; see pipeline-child.c. */
typedef struct
{
  GSubprocess *process;
  GDataInputStream *out;
} Child;

Child *child_start (const gchar *format, ...) G_GNUC_PRINTF (1, 2);
gchar *child_next (Child *child, const gchar *prefix);
void child_expect (Child *child, const gchar *prefix);
void child_signal (Child *child, int number);
int child_end (Child *child);
guint64 child_stat (const gchar *line, const gchar *field);

#endif /* TESTS_GST_PLACE_H */
