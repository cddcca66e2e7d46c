/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate in front of the broker's socket. libzmq ends the process if accept()
 * fails for want of a descriptor, so libzmq accepts only connections from here,
 * one at a time, and only if descriptors are left for it. The gate accepts all
 * others, has a limit for those without a proven key, and closes the one with the
 * least progress if more come. The limits are separate for each endpoint: a flood
 * by tcp takes nothing from clients by ipc.
 *
 * The gate has one thread, and nothing outlives it: if the process is killed, all
 * its sockets close, and the clients connect to the next broker.
 * Tests: broker-gate, hub-election */
#include "control/wire/control-log-private.h"
#include "control/wire/control-error-private.h"
#include "control/wire/resources-private.h"
#include "core/os/os-limits-private.h"
#include "gate-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections of one endpoint without a proven key. By ipc there are many at once
 * after the end of a broker, all of this user. */
#define HALF_MAX_STRANGERS 64
#define HALF_MAX_OWN 256
#define HALF_US (3 * G_TIME_SPAN_SECOND)
/* What a client by tcp has at least. With HALF_MAX_STRANGERS it limits what a flood costs;
 * by ipc a client must not wait in the queue behind a flood. */
#define HALF_LEAST_US (100 * G_TIME_SPAN_MILLISECOND)
/* Descriptors of a connection: the client's, the gate's to libzmq, libzmq's. */
#define DESCRIPTORS 3
/* Descriptors that are not for tcp. */
#define OWN_SHARE_MAX 768
#define ACCEPTS_AT_ONCE 16
#define EVENTS_AT_ONCE 64
#define TICK_MS 20 /* while something waits */
#define IDLE_MS 500 /* while a client has no proven key, or does not read */
/* After this time without a descriptor the broker is of no use here. */
#define STARVED_US (G_TIME_SPAN_SECOND)
#define DRAIN_US (300 * G_TIME_SPAN_MILLISECOND)

struct _Gate
{
  int epoll;
  GateEnd wake; /* an eventfd */
  guint reserve; /* descriptors that stay free */
  gboolean strangers; /* the clients are not this user's */
  int inner; /* of the name that leads to libzmq's socket */
  char inner_path[108];
  GPtrArray *listeners; /* of GateListener; owned */
  GThread *thread;
  GateStarved starved;
  gpointer user_data;
  int state, n_open; /* atomic */
  GateAsking asking;

  /* The thread's own. */
  GPtrArray *connections; /* of GateConnection; owned */
  gboolean told_starved;
  gint64 end_us;
};

enum
{
  STATE_OPEN,
  STATE_SHUT, /* takes no connections */
  STATE_END /* and ends when the broker has closed all */
};

int
gate_epoll (Gate *gate)
{
  return gate->epoll;
}

GateAsking *
gate_asking (Gate *gate)
{
  return &gate->asking;
}

/* ---- the way to libzmq ---- */

/* Returns a connected socket, or -1 with errno; EAGAIN: later. */
int
gate_dial (Gate *gate)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int number;

  if (!os_has_descriptors (gate->reserve)) {
    errno = EAGAIN;
    return -1;
  }
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  g_strlcpy (address.sun_path, gate->inner_path, sizeof address.sun_path);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  number = errno;
  close (fd);
  errno = number;
  return -1;
}

/* The socket of libzmq is at @path. It loses its name, so that only the gate
 * connects to it. */
gboolean
gate_lead_to (Gate *gate, const char *path, GError **error)
{
  g_strlcpy (gate->inner_path, path, sizeof gate->inner_path);
  gate->inner = open (path, O_PATH | O_CLOEXEC);
  if (gate->inner < 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_FAILED,
        "cannot open %s: %s", path, os_reason (errno));
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", gate->inner);
  /* Without /proc the name stays, in a directory of this user alone. */
  if (access (link, F_OK) == 0) {
    g_strlcpy (gate->inner_path, link, sizeof gate->inner_path);
    unlink (path);
  }
  return TRUE;
}

/* ---- taking connections ---- */

/* The connection without a proven key that has made the least progress. */
static GateConnection *
find_least (Gate *gate, const GateListener *listener)
{
  GateConnection *least = NULL;

  for (guint i = 0; i < gate->connections->len; i++) {
    GateConnection *one = g_ptr_array_index (gate->connections, i);
    guint64 bytes = one->inward.passed + one->inward.end;
    if (one->listener != listener || !one->half || one->dead)
      continue;
    if (!least || bytes < least->inward.passed + least->inward.end)
      least = one; /* the first is the oldest of equal ones */
  }
  return least;
}

/* Strangers can use half of the descriptors: the others are for the own user. */
static gboolean
has_room (const Gate *gate)
{
  struct rlimit limit;
  guint64 need = gate->reserve + DESCRIPTORS;

  if (gate->strangers && getrlimit (RLIMIT_NOFILE, &limit) == 0
      && limit.rlim_cur > need)
    need += MIN ((limit.rlim_cur - need) / 2, OWN_SHARE_MAX);
  return os_has_descriptors (need);
}

static gboolean
is_waited_at (const GateListener *listener)
{
  struct pollfd waiting = { listener->end.fd, POLLIN, 0 };

  return poll (&waiting, 1, 0) > 0;
}

/* Makes room for one more, which waits. */
static gboolean
make_room (Gate *gate, GateListener *listener)
{
  guint most = gate->strangers ? HALF_MAX_STRANGERS : HALF_MAX_OWN;

  if (listener->n_half < most && has_room (gate))
    return TRUE;
  GateConnection *least = find_least (gate, listener);
  if (!least || !is_waited_at (listener)
      || (gate->strangers
          && g_get_monotonic_time () - least->since_us < HALF_LEAST_US))
    return FALSE;
  g_ptr_array_remove (gate->connections, least);
  return has_room (gate);
}

static void
shut_listener (Gate *gate, GateListener *listener)
{
  gate_end_watch (gate, &listener->end, 0);
  if (listener->shut_us == 0)
    listener->shut_us = g_get_monotonic_time ();
}

/* Returns whether another one may wait. */
static gboolean
accept_one (Gate *gate, GateListener *listener)
{
  if (!make_room (gate, listener)) {
    shut_listener (gate, listener);
    return FALSE;
  }
  int fd = accept4 (listener->end.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM
        || errno == ENOBUFS)
      shut_listener (gate, listener);
    return errno == ECONNABORTED || errno == EINTR;
  }
  GateConnection *connection = gate_connection_new (gate, listener, fd);
  g_ptr_array_add (gate->connections, connection);
  gate_relay (connection);
  return TRUE;
}

static void
accept_some (Gate *gate, GateListener *listener)
{
  for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one (gate, listener); i++)
    continue;
}

/* ---- the thread ---- */

/* Removes what is over or stuck, and what has not proven its key in time; tries again
 * what waits for libzmq. Returns after how many milliseconds to do so again; -1: after the
 * next event. */
static int
tend_connections (Gate *gate, gint64 now)
{
  gboolean waits = FALSE, pending = FALSE;

  for (guint i = gate->connections->len; i > 0; i--) {
    GateConnection *one = g_ptr_array_index (gate->connections, i - 1);
    if ((one->half && now - one->since_us > HALF_US)
        || gate_is_stuck (one, now))
      one->dead = TRUE;
    if (!one->dead && one->broker.fd < 0 && one->client.events == 0)
      gate_relay (one);
    waits |= one->broker.fd < 0 && one->client.events == 0;
    pending |= one->half || one->outward.data;
    if (one->dead)
      g_ptr_array_remove_index (gate->connections, i - 1);
  }
  return waits ? TICK_MS : pending ? IDLE_MS : -1;
}

/* A broker that has no descriptor for a client that waits should end: another process
 * can host one. */
static void
look_for_starvation (Gate *gate, GateListener *listener, gint64 now)
{
  if (gate->told_starved || !gate->starved
      || now - listener->shut_us < STARVED_US || !is_waited_at (listener))
    return;
  gate->told_starved = TRUE;
  gate->starved (gate->user_data);
}

static gboolean
tend_listeners (Gate *gate, gint64 now)
{
  gboolean waits = FALSE;

  for (guint i = 0; i < gate->listeners->len; i++) {
    GateListener *listener = g_ptr_array_index (gate->listeners, i);
    if (listener->shut_us == 0)
      continue;
    if (now - listener->shut_us < TICK_MS * G_TIME_SPAN_MILLISECOND)
      waits = TRUE;
    else if (listener->n_half > 0 || has_room (gate)) {
      listener->shut_us = 0;
      gate_end_watch (gate, &listener->end, EPOLLIN);
    } else {
      look_for_starvation (gate, listener, now);
      waits = TRUE;
    }
  }
  return waits;
}

static void
close_listeners (Gate *gate)
{
  for (guint i = 0; i < gate->listeners->len; i++) {
    GateListener *listener = g_ptr_array_index (gate->listeners, i);
    gate_end_close (gate, &listener->end);
    listener->shut_us = 0;
  }
}

/* Returns whether the thread is to end. */
static gboolean
obey (Gate *gate, gint64 now)
{
  int state = g_atomic_int_get (&gate->state);

  if (state >= STATE_SHUT)
    close_listeners (gate);
  if (state < STATE_END)
    return FALSE;
  if (gate->end_us == 0)
    gate->end_us = now + DRAIN_US;
  for (guint i = gate->connections->len; i > 0; i--) {
    GateConnection *one = g_ptr_array_index (gate->connections, i - 1);
    if (one->broker.fd < 0)
      g_ptr_array_remove_index (gate->connections, i - 1);
  }
  return gate->connections->len == 0 || now > gate->end_us;
}

static void
handle (Gate *gate, GateEnd *end)
{
  guint64 count;

  switch (end->kind) {
    case GATE_WAKE:
      if (read (end->fd, &count, sizeof count) < 0)
        count = 0; /* it was read already */
      break;
    case GATE_LISTENER:
      accept_some (gate, end->owner);
      break;
    case GATE_CLIENT:
    case GATE_BROKER:
      gate_relay (end->owner);
      break;
  }
}

/* Listeners come last, because taking a connection can free another one, which can be
 * among @events: no event is looked at after that. */
static void
handle_all (Gate *gate, struct epoll_event *events, int n)
{
  GateEnd *listeners[EVENTS_AT_ONCE];
  int n_listeners = 0;

  for (int i = 0; i < n; i++) {
    GateEnd *end = events[i].data.ptr;
    if (end->kind == GATE_LISTENER)
      listeners[n_listeners++] = end;
    else
      handle (gate, end);
  }
  for (int i = 0; i < n_listeners; i++)
    handle (gate, listeners[i]);
}

static gpointer
run (gpointer data)
{
  Gate *gate = data;
  struct epoll_event events[EVENTS_AT_ONCE];
  int ms = -1;

  while (!obey (gate, g_get_monotonic_time ())) {
    if (g_atomic_int_get (&gate->state) == STATE_END)
      ms = TICK_MS;
    int n = epoll_wait (gate->epoll, events, EVENTS_AT_ONCE, ms);
    gint64 now = g_get_monotonic_time ();
    handle_all (gate, events, MAX (n, 0));
    ms = tend_connections (gate, now);
    if (tend_listeners (gate, now))
      ms = TICK_MS;
    g_atomic_int_set (&gate->n_open, (int) gate->connections->len);
  }
  g_ptr_array_set_size (gate->connections, 0);
  return NULL;
}

/* ---- other threads ---- */

static void
connection_free (gpointer connection)
{
  gate_connection_free (connection);
}

static void
listener_free (gpointer data)
{
  GateListener *listener = data;

  if (listener->end.fd >= 0)
    close (listener->end.fd);
  g_free (listener);
}

/* @reserve is the number of descriptors that the process keeps. @strangers: the clients
 * are not this user's, and have smaller limits. */
Gate *
gate_new (guint reserve, gboolean strangers, GError **error)
{
  Gate *gate = g_new0 (Gate, 1);

  gate->reserve = reserve;
  gate->strangers = strangers;
  gate->inner = -1;
  gate_asking_init (&gate->asking);
  gate->listeners = g_ptr_array_new_with_free_func (listener_free);
  gate->connections = g_ptr_array_new_with_free_func (connection_free);
  gate->epoll = epoll_create1 (EPOLL_CLOEXEC);
  gate->wake =
      (GateEnd){ GATE_WAKE, eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK), 0, gate };
  if (gate->epoll >= 0 && gate->wake.fd >= 0
      && gate_end_watch (gate, &gate->wake, EPOLLIN))
    return gate;
  message_refuse (error, DATAHUB_HUB_ERROR_LIMIT,
      "the broker's gate cannot be made: %s", os_reason (errno));
  gate_free (gate);
  return NULL;
}

gboolean
gate_add_listener (Gate *gate, const char *endpoint, char **bound,
    GError **error)
{
  GateListener *listener = g_new0 (GateListener, 1);

  listener->end = (GateEnd){ GATE_LISTENER, -1, 0, listener };
  g_ptr_array_add (gate->listeners, listener);
  return gate_listener_open (listener, endpoint, bound, error)
      && gate_end_watch (gate, &listener->end, EPOLLIN);
}

/* @starved is called in the gate's thread, once. */
gboolean
gate_start (Gate *gate, GateStarved starved, gpointer user_data, GError **error)
{
  gate->starved = starved;
  gate->user_data = user_data;
  gate->thread = wire_start_thread ("datahub-gate", run, gate, error);
  return gate->thread != NULL;
}

static void
set_state (Gate *gate, int state)
{
  guint64 one = 1;

  g_atomic_int_set (&gate->state, state);
  if (write (gate->wake.fd, &one, sizeof one) < 0)
    one = 0; /* full: it wakes */
}

/* How many connections there are. */
guint
gate_count (Gate *gate)
{
  return (guint) g_atomic_int_get (&gate->n_open);
}

/* Takes no connection from now on; those that there are go on. */
void
gate_shut (Gate *gate)
{
  if (gate->thread)
    set_state (gate, STATE_SHUT);
}

/* The broker has closed its socket: the thread passes what it sent last, for a short
 * time, and ends. */
void
gate_end (Gate *gate)
{
  if (gate->thread)
    set_state (gate, STATE_END);
}

void
gate_free (Gate *gate)
{
  if (!gate)
    return;
  gate_end (gate);
  if (gate->thread)
    g_thread_join (gate->thread);
  g_ptr_array_unref (gate->connections);
  g_ptr_array_unref (gate->listeners);
  if (gate->inner >= 0)
    close (gate->inner);
  if (gate->wake.fd >= 0)
    close (gate->wake.fd);
  if (gate->epoll >= 0)
    close (gate->epoll);
  gate_asking_clear (&gate->asking);
  g_free (gate);
}
