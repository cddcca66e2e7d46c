/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What elements and pipelines say on their bus. */
#ifndef TESTS_GST_MESSAGES_H
#define TESTS_GST_MESSAGES_H

#include <gst/gst.h>

/* The next message of these types, at most 20 s from now. */
GstMessage *wait_message (GstElement *element, GstMessageType types);
/* That the next error is this one, has @word for the user and something for the
 * developer. */
void expect_error (GstElement *element, GQuark domain, gint code,
    const gchar *word);
/* Plays a pipeline, which must end with an error. */
GError *run_until_error (const gchar *line);

#endif /* TESTS_GST_MESSAGES_H */
