/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pipeline of this process with a datahubsink called sink. */
#ifndef TESTS_GST_PRODUCER_H
#define TESTS_GST_PRODUCER_H

#include <gst/gst.h>

typedef struct
{
  GstElement *pipeline;
  GstElement *sink;
} Producer;

/* It plays. */
Producer producer_start (const gchar *line);
void producer_end (Producer *producer);

#endif /* TESTS_GST_PRODUCER_H */
