/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ZeroMQ sockets in a GMainContext; see zmq-source.c. */
#ifndef DATAHUB_ZMQ_SOURCE_PRIVATE_H
#define DATAHUB_ZMQ_SOURCE_PRIVATE_H

#include <glib.h>
#include <zmq.h>

/* Takes only a few messages per call. The rest is taken in the next iteration,
 * after all other sources that are ready have run. */
typedef void (*WireFunc) (gpointer user_data);

GSource *wire_source_attach (void *socket, WireFunc func, gpointer user_data,
    GMainContext *context);
void wire_source_clear (GSource **source);

/* Events of a socket, as reported by libzmq's monitor. */
void *wire_monitor_open (void *zmq_context, void *socket, int events);
void wire_monitor_close (void *socket, void **monitor);
gboolean wire_monitor_read (void *monitor, int *event, int *value);

void wire_close_socket (void **socket);

#endif /* DATAHUB_ZMQ_SOURCE_PRIVATE_H */
