/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection to a broker: a socket and its monitor. Reconnection by libzmq
 * is off: each attempt uses a new socket, so that no message of an old
 * connection can arrive on a new one.
 * Tests: hub-loss, hub-election, hub-hostile-broker */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "control/wire/resources-private.h"
#include "control/wire/zmq-source-private.h"

#include <sodium.h>
#include <string.h>

#define MESSAGES_PER_TURN 64
#define TURN_US (5 * G_TIME_SPAN_MILLISECOND)
/* Messages in libzmq, each of MESSAGE_MAX bytes at most. */
#define SEND_QUEUE 4096
#define RECEIVE_QUEUE 256
/* What libzmq takes: the context with its two threads and their epolls; then the
 * socket, its monitor, that one's reader, the connection. */
#define CONTEXT_DESCRIPTORS 5
#define CONTEXT_THREADS 2
#define LINK_DESCRIPTORS 4

/* Takes one part of a message. A message has one part; the parts of another one are
 * dropped. Returns whether there was one. */
static gboolean
receive_part (HubCore *core)
{
  HubLink *link = &core->link;
  zmq_msg_t part;

  zmq_msg_init (&part);
  int size = zmq_msg_recv (&part, link->socket, ZMQ_DONTWAIT);
  if (size >= 0) {
    gboolean alone = !link->in_parts && !zmq_msg_more (&part);
    link->in_parts = zmq_msg_more (&part);
    if (alone)
      link->events.received (core, zmq_msg_data (&part), (gsize) size);
    /* It may have carried a secret. */
    sodium_memzero (zmq_msg_data (&part), (gsize) size);
  }
  zmq_msg_close (&part);
  return size >= 0;
}

/* A broker that sends without a pause must not keep the timers from running: what a turn
 * leaves is taken beside them. What came before a deadline is taken before it. */
static void
socket_readable (gpointer user_data)
{
  HubCore *core = user_data;
  gint64 end_us = g_get_monotonic_time () + TURN_US;
  gboolean more = TRUE;

  for (int i = 0; more && core->link.socket && i < MESSAGES_PER_TURN
       && g_get_monotonic_time () < end_us;
       i++)
    more = receive_part (core);
  if (core->link.socket_source)
    g_source_set_priority (core->link.socket_source,
        more ? HUB_TIMER_PRIORITY : G_PRIORITY_DEFAULT);
}

static void
monitor_event (HubCore *core, int event)
{
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      core->link.events.up (core);
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      core->link.events.down (core, LINK_BAD_KEY);
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      core->link.events.down (core, LINK_DENIED);
      break;
    case ZMQ_EVENT_CLOSED:
    case ZMQ_EVENT_CONNECT_RETRIED:
      core->link.events.down (core, LINK_REFUSED);
      break;
    case ZMQ_EVENT_DISCONNECTED:
      core->link.events.down (core, LINK_LOST);
      break;
    default:
      break;
  }
}

static void
monitor_readable (gpointer user_data)
{
  HubCore *core = user_data;
  int event, value;

  while (core->link.monitor
      && wire_monitor_read (core->link.monitor, &event, &value))
    monitor_event (core, event);
}

static gboolean
set_options (void *socket, const char *server_key, const Keypair *client)
{
  const struct
  {
    int option, value;
  } numbers[] = {
    { ZMQ_RECONNECT_IVL, -1 },
    { ZMQ_LINGER, 0 },
    { ZMQ_SNDHWM, SEND_QUEUE },
    { ZMQ_RCVHWM, RECEIVE_QUEUE },
    { ZMQ_IMMEDIATE, 0 },
  };
  gint64 max_size = MESSAGE_MAX;
  const gsize key_size = DATAHUB_KEY_TEXT + 1;

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (zmq_setsockopt (socket, numbers[i].option, &numbers[i].value,
            sizeof numbers[i].value)
        != 0)
      return FALSE;
  return zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &max_size, sizeof max_size)
      == 0
      && zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, server_key, key_size) == 0
      && zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, client->public_key,
             key_size)
      == 0
      && zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, client->secret_key,
             key_size)
      == 0;
}

/* Starts to connect; the session is notified of the result. */
gboolean
hub_link_open (HubCore *core, const char *endpoint, const char *server_key,
    const Keypair *client, GError **error)
{
  HubLink *link = &core->link;

  /* libzmq ends the process if it gets no epoll or no thread. */
  if (!wire_try_resources ("the connection to the broker",
          link->zmq_context ? LINK_DESCRIPTORS
                            : CONTEXT_DESCRIPTORS + LINK_DESCRIPTORS,
          link->zmq_context ? 0 : CONTEXT_THREADS, error))
    return FALSE;
  if (!link->zmq_context)
    link->zmq_context = zmq_ctx_new ();
  link->socket = zmq_socket (link->zmq_context, ZMQ_DEALER);
  if (link->socket && set_options (link->socket, server_key, client))
    link->monitor = wire_monitor_open (link->zmq_context, link->socket,
        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
            | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_CLOSED
            | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED);
  if (!link->monitor || zmq_connect (link->socket, endpoint) != 0) {
    g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS,
        "cannot connect to %s: %s", endpoint, zmq_strerror (zmq_errno ()));
    hub_link_close (core, 0);
    return FALSE;
  }
  link->in_parts = FALSE;
  link->socket_source =
      wire_source_attach (link->socket, socket_readable, core, core->context);
  link->monitor_source =
      wire_source_attach (link->monitor, monitor_readable, core, core->context);
  return TRUE;
}

/* Ends the connection; unsent messages are sent for up to @linger_ms. */
void
hub_link_close (HubCore *core, int linger_ms)
{
  HubLink *link = &core->link;

  wire_source_clear (&link->socket_source);
  wire_source_clear (&link->monitor_source);
  if (link->socket)
    zmq_setsockopt (link->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
  wire_monitor_close (link->socket, &link->monitor);
  wire_close_socket (&link->socket);
}

/* Ends the link for good; no connection can be opened after it. */
void
hub_link_end (HubCore *core)
{
  if (core->link.zmq_context)
    zmq_ctx_term (core->link.zmq_context);
  core->link.zmq_context = NULL;
}

/* Sends @message if the connection takes it now. Never waits. A connection that
 * has just ended takes no message before the monitor reports its end. */
LinkSend
hub_link_send (HubCore *core, json_t *message)
{
  LinkSend result = LINK_FULL;

  json_object_set_new (message, "v", json_integer (PROTOCOL_VERSION));
  char *text = json_dumps (message, JSON_COMPACT);
  if (!text)
    return LINK_TOO_LARGE;
  gsize size = strlen (text);
  if (size > MESSAGE_MAX)
    result = LINK_TOO_LARGE;
  else if (core->link.socket
      && zmq_send (core->link.socket, text, size, ZMQ_DONTWAIT) >= 0)
    result = LINK_SENT;
  if (json_object_get (message, "secret"))
    sodium_memzero (text, size);
  free (text);
  return result;
}
