/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ZeroMQ socket in a GMainContext. The descriptor of a socket is
 * edge-triggered and only signals that the state may have changed. So
 * ZMQ_EVENTS is read in each iteration of the loop, and a callback can leave
 * messages for its next call.
 * Tests: hub-loss, broker-hostile */
#include "control-log-private.h"
#include "zmq-source-private.h"

#include <string.h>

typedef struct
{
  GSource base;
  void *socket;
  gpointer fd; /* its tag in the source */
} ZmqSource;

static gboolean
readable (ZmqSource *source)
{
  int events = 0;
  size_t size = sizeof events;

  return zmq_getsockopt (source->socket, ZMQ_EVENTS, &events, &size) == 0
      && (events & ZMQ_POLLIN);
}

static gboolean
prepare (GSource *source, int *timeout)
{
  *timeout = -1;
  return readable ((ZmqSource *) source);
}

/* The socket was not used since its events were read in this iteration, so a
 * later event shows at the descriptor: without one, the events need not be read
 * again. */
static gboolean
check (GSource *source)
{
  ZmqSource *zmq_source = (ZmqSource *) source;

  return g_source_query_unix_fd (source, zmq_source->fd) != 0
      && readable (zmq_source);
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  ((WireFunc) (void (*) (void)) callback) (user_data);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs zmq_source_funcs = {
  .prepare = prepare,
  .check = check,
  .dispatch = dispatch,
};

/* Calls @func in @context while @socket can be read. The socket belongs to the
 * thread that iterates @context and outlives the source. */
GSource *
wire_source_attach (void *socket, WireFunc func, gpointer user_data,
    GMainContext *context)
{
  int fd = -1;
  size_t size = sizeof fd;
  GSource *source = g_source_new (&zmq_source_funcs, sizeof (ZmqSource));

  ((ZmqSource *) source)->socket = socket;
  zmq_getsockopt (socket, ZMQ_FD, &fd, &size);
  ((ZmqSource *) source)->fd = g_source_add_unix_fd (source, fd, G_IO_IN);
  g_source_set_callback (source, (GSourceFunc) (void (*) (void)) func,
      user_data, NULL);
  g_source_set_name (source, "datahub-zmq");
  g_source_attach (source, context);
  return source;
}

void
wire_source_clear (GSource **source)
{
  if (*source) {
    g_source_destroy (*source);
    g_clear_pointer (source, g_source_unref);
  }
}

/* Starts telling @events of @socket on a socket of its own. */
void *
wire_monitor_open (void *zmq_context, void *socket, int events)
{
  static int counter;
  g_autofree char *address = g_strdup_printf ("inproc://datahub-monitor-%d",
      g_atomic_int_add (&counter, 1));
  void *monitor;
  int no_limit = 0;

  if (zmq_socket_monitor (socket, address, events) != 0)
    return NULL;
  monitor = zmq_socket (zmq_context, ZMQ_PAIR);
  if (monitor
      && (zmq_setsockopt (monitor, ZMQ_RCVHWM, &no_limit, sizeof no_limit) != 0
          || zmq_connect (monitor, address) != 0))
    wire_close_socket (&monitor);
  if (!monitor)
    zmq_socket_monitor (socket, NULL, 0);
  return monitor;
}

/* Ends the monitor first, its reader second, and both before @socket: libzmq's
 * own thread would wait for ever to send an event to a reader that is gone. */
void
wire_monitor_close (void *socket, void **monitor)
{
  if (socket && *monitor)
    zmq_socket_monitor (socket, NULL, 0);
  wire_close_socket (monitor);
}

/* Takes one event; FALSE when there is none now. */
gboolean
wire_monitor_read (void *monitor, int *event, int *value)
{
  guint8 head[6];
  char address[8];
  guint16 event16;
  gint32 value32;

  if (zmq_recv (monitor, head, sizeof head, ZMQ_DONTWAIT) != sizeof head)
    return FALSE;
  /* The second part is the address, which is not used. */
  zmq_recv (monitor, address, sizeof address, ZMQ_DONTWAIT);
  memcpy (&event16, head, sizeof event16);
  memcpy (&value32, head + 2, sizeof value32);
  *event = event16;
  *value = value32;
  return TRUE;
}

void
wire_close_socket (void **socket)
{
  if (*socket)
    zmq_close (*socket);
  *socket = NULL;
}
