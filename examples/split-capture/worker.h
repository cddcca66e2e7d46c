/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Common code of the three processes: runs a pipeline until its end, an error
 * or a signal, and reports each second what passed its blocks. */
#ifndef SPLIT_WORKER_H
#define SPLIT_WORKER_H

#include <gst/gst.h>

typedef struct _Worker Worker;

/* Called to finish the output: must cause an EOS on the bus, or return FALSE if
 * there is nothing to finish. Main thread. */
typedef gboolean (*WorkerStop) (Worker *worker, gpointer user_data);

/* The options every worker has: --report, --streams, --name. Takes the workers'
 * own @entries too. Exits on a usage error. */
Worker *worker_new (const char *title, const char *summary,
    const GOptionEntry *entries, int *argc, char ***argv);
void worker_free (Worker *worker);

gboolean worker_has_video (Worker *worker);
gboolean worker_has_audio (Worker *worker);
/* The name of the block that carries @stream ("video", "audio"). */
gchar *worker_block_name (Worker *worker, const char *stream);

/* Takes a reference of @pipeline. */
void worker_set_pipeline (Worker *worker, GstElement *pipeline);
GstElement *worker_get_pipeline (Worker *worker);
void worker_set_stop (Worker *worker, WorkerStop stop, gpointer user_data);
/* Counts what passes the only pad of @element, a datahubsink or datahubsrc. */
void worker_watch (Worker *worker, const char *stream, GstElement *element);
/* The same, for the element of @pipeline that is called like the stream's
 * block. */
void worker_watch_block (Worker *worker, GstElement *pipeline,
    const char *stream);
/* Buffers that passed so far. Any thread. */
guint64 worker_get_buffers (Worker *worker, const char *stream);

/* Runs to the end; returns the exit status. */
int worker_run (Worker *worker);
/* Ends worker_run() with a failure. Any thread. */
void worker_fail (Worker *worker, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Prints why there is no pipeline, and what to do about it. */
void worker_refuse (Worker *worker, const GError *error);
/* A line for the person, or, for the launcher, "KEY value...". */
void worker_say (Worker *worker, const char *format, ...) G_GNUC_PRINTF (2, 3);
void worker_report (Worker *worker, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

#endif /* SPLIT_WORKER_H */
