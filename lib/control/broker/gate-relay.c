/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection through the gate: bytes pass between the client's socket and one
 * to libzmq's. The gate does not look into them; it counts them.
 * Tests: broker-gate, hub-loss */
#include "control/wire/control-log-private.h"
#include "gate-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Every client of ZMTP begins with ten bytes before it waits. One that sends
 * less does not reach libzmq. */
#define HEAD 10
/* The broker's greeting and WELCOME. It sends more only to a client that has
 * proven a key that is admitted, and an ERROR, which is shorter than the rest. */
#define PROVEN (64 + 170 + 36)
/* A client has so long to take what the broker sent before it ended. */
#define LAST_US (3 * G_TIME_SPAN_SECOND)
/* A client takes something within this time, if something waits for it. */
#define IDLE_US (20 * G_TIME_SPAN_SECOND)
/* The kernel asks a silent link by tcp whether it is there: it is not if it does not
 * answer for 20 s. */
#define KEEP_IDLE_S 4
#define KEEP_INTERVAL_S 4
#define KEEP_COUNT 4
#define KEEP_MS 20000

/* Returns FALSE if the system refuses the epoll. */
gboolean
gate_end_watch (Gate *gate, GateEnd *end, guint32 events)
{
  struct epoll_event event = { .events = events, .data.ptr = end };
  int what = end->events == 0 ? EPOLL_CTL_ADD
      : events == 0           ? EPOLL_CTL_DEL
                              : EPOLL_CTL_MOD;

  if (end->fd < 0 || events == end->events)
    return TRUE;
  if (epoll_ctl (gate_epoll (gate), what, end->fd, &event) != 0)
    return FALSE;
  end->events = events;
  return TRUE;
}

void
gate_end_close (Gate *gate, GateEnd *end)
{
  gate_end_watch (gate, end, 0);
  if (end->fd >= 0)
    close (end->fd);
  end->fd = -1;
}

/* Without effect on a socket that is not tcp. */
static void
set_tcp_options (int fd)
{
  const struct
  {
    int level, option, value;
  } numbers[] = {
    { IPPROTO_TCP, TCP_NODELAY, 1 },
    { SOL_SOCKET, SO_KEEPALIVE, 1 },
    { IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
    { IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S },
    { IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT },
    { IPPROTO_TCP, TCP_USER_TIMEOUT, KEEP_MS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    setsockopt (fd, numbers[i].level, numbers[i].option, &numbers[i].value,
        sizeof numbers[i].value);
}

GateConnection *
gate_connection_new (Gate *gate, GateListener *listener, int fd)
{
  GateConnection *connection = g_new0 (GateConnection, 1);

  connection->gate = gate;
  connection->listener = listener;
  connection->client = (GateEnd){ GATE_CLIENT, fd, 0, connection };
  connection->broker = (GateEnd){ GATE_BROKER, -1, 0, connection };
  connection->half = TRUE;
  connection->since_us = g_get_monotonic_time ();
  listener->n_half++;
  listener->n_all++;
  set_tcp_options (fd);
  return connection;
}

void
gate_connection_free (GateConnection *connection)
{
  gate_asking_forget (gate_asking (connection->gate), connection);
  gate_end_close (connection->gate, &connection->client);
  gate_end_close (connection->gate, &connection->broker);
  connection->listener->n_half -= connection->half;
  connection->listener->n_all--;
  g_free (connection->inward.data);
  g_free (connection->outward.data);
  g_free (connection);
}

static gboolean
is_temporary (int number)
{
  return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

/* Sends what waits. Returns FALSE if the receiver has ended. */
static gboolean
flush (GatePipe *pipe, int to)
{
  while (pipe->data && pipe->begin < pipe->end) {
    ssize_t n = send (to, pipe->data + pipe->begin, pipe->end - pipe->begin,
        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
      return is_temporary (errno);
    pipe->begin += (gsize) n;
    pipe->passed += (guint64) n;
  }
  g_clear_pointer (&pipe->data, g_free);
  pipe->begin = pipe->end = 0;
  return TRUE;
}

/* Reads once, if there is room. */
static void
fill (GatePipe *pipe, int from)
{
  if (!pipe->data)
    pipe->data = g_malloc (GATE_PIECE);
  ssize_t n =
      recv (from, pipe->data + pipe->end, GATE_PIECE - pipe->end, MSG_DONTWAIT);
  if (n > 0)
    pipe->end += (gsize) n;
  else if (n == 0 || !is_temporary (errno))
    pipe->over = TRUE;
}

/* One step of one direction. Returns FALSE if the connection is over. */
static gboolean
pass (GatePipe *pipe, int from, int to)
{
  if (!flush (pipe, to))
    return FALSE;
  if (!pipe->data && !pipe->over) {
    fill (pipe, from);
    if (!flush (pipe, to))
      return FALSE;
  }
  return !pipe->over || pipe->data;
}

/* Opens the way to libzmq after the head. Returns FALSE if the connection is
 * over; the way may be open later. */
static gboolean
dial (GateConnection *connection)
{
  GatePipe *inward = &connection->inward;

  if (inward->end < HEAD)
    fill (inward, connection->client.fd);
  if (inward->end < HEAD)
    return !inward->over;
  connection->broker.fd = gate_dial (connection->gate);
  return connection->broker.fd >= 0 || is_temporary (errno);
}

static gboolean
watch_both (GateConnection *connection)
{
  GatePipe *in = &connection->inward, *out = &connection->outward;
  gboolean dialled = connection->broker.fd >= 0;
  gboolean may_read = dialled ? !in->data && !in->over : in->end < HEAD;

  return gate_end_watch (connection->gate, &connection->client,
             (may_read ? EPOLLIN : 0) | (out->data ? EPOLLOUT : 0))
      && gate_end_watch (connection->gate, &connection->broker,
          (!out->data && !out->over ? EPOLLIN : 0)
              | (dialled && in->data ? EPOLLOUT : 0));
}

static gboolean
step (GateConnection *connection)
{
  if (connection->broker.fd < 0 && !dial (connection))
    return FALSE;
  if (connection->broker.fd >= 0
      && (!pass (&connection->inward, connection->client.fd,
              connection->broker.fd)
          || !pass (&connection->outward, connection->broker.fd,
              connection->client.fd)))
    return FALSE;
  return watch_both (connection);
}

/* Moves what can be moved now; marks the connection as dead if it is over. */
void
gate_relay (GateConnection *connection)
{
  if (connection->dead)
    return;
  connection->dead = !step (connection);
  if (connection->half && connection->outward.passed > PROVEN) {
    connection->half = FALSE;
    connection->listener->n_half--;
  }
  gate_asking_look (gate_asking (connection->gate), connection);
}

/* Whether the client has taken nothing of what waits for it, for too long: it does not
 * read, or the link to it is dead. */
static gboolean
is_idle (GateConnection *connection, gint64 now)
{
  const GatePipe *out = &connection->outward;

  if (!out->data) {
    connection->taken_us = 0;
    return FALSE;
  }
  if (connection->taken_us == 0 || connection->taken != out->passed)
    connection->taken_us = now;
  connection->taken = out->passed;
  return now - connection->taken_us > IDLE_US;
}

/* Whether the broker has ended the connection, and the client does not take the rest,
 * for too long. Nothing is read behind bytes that wait, so no event reports this end. */
gboolean
gate_is_stuck (GateConnection *connection, gint64 now)
{
  struct pollfd broker = { connection->broker.fd, 0, 0 };

  if (is_idle (connection, now))
    return TRUE;
  if (!connection->outward.data || broker.fd < 0 || poll (&broker, 1, 0) <= 0)
    return FALSE;
  if (connection->over_us == 0)
    connection->over_us = now;
  return now - connection->over_us > LAST_US;
}
