/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two ways into the broker. The own user's clients come by a socket in a directory
 * that only this user can enter, all others by tcp. Each way has a context of libzmq
 * with a thread, a socket and a gate of its own, so what strangers send or do not read
 * takes nothing from the own user. What a client writes about itself does not choose the
 * way: the socket that it reaches does.
 * Tests: broker-doors, broker-gate, broker-access */
#include "control/wire/control-log-private.h"
#include "broker-private.h"
#include "control/wire/control-error-private.h"
#include "control/wire/endpoint-private.h"
#include "control/wire/runtime-dir-private.h"
#include "control/wire/zap-private.h"
#include "control/wire/zmq-source-private.h"

/* Messages waiting for one client: the notices of a burst of others, while it has no
 * time to read. They are shared, and charged to the client that caused them. */
#define SEND_QUEUE 1024
#define RECEIVE_QUEUE 64 /* messages of one client that wait for us */
#define LINGER_MS 200
#define HANDSHAKE_MS 3000
#define BACKLOG 4

static gboolean
fail_zmq (GError **error, const char *what)
{
  g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_FAILED, "%s: %s",
      what, zmq_strerror (zmq_errno ()));
  return FALSE;
}

PortNumber
port_of_endpoint (const char *endpoint)
{
  return endpoint_is_private (endpoint) ? PORT_OWN : PORT_STRANGERS;
}

static gboolean
zap_check (const char *key, gpointer user_data)
{
  BrokerPort *port = user_data;
  gboolean known = rights_knows (port->broker->rights, key);

  if (known)
    return TRUE;
  g_autofree char *from = gate_asking_describe (gate_asking (port->gate));
  denials_log (&port->broker->strangers,
      &(Refusal){ .key = key, .from = from });
  return FALSE;
}

static void
zap_readable (gpointer user_data)
{
  BrokerPort *port = user_data;

  zap_answer (port->zap, zap_check, port);
}

static void
monitor_readable (gpointer user_data)
{
  BrokerPort *port = user_data;
  int event, value;

  while (wire_monitor_read (port->monitor, &event, &value))
    if (event == ZMQ_EVENT_DISCONNECTED)
      broker_probe_soon (port);
}

/* No heartbeats of libzmq: it ends the process if their timer expires on a connection that
 * the client ended while its messages waited (out_event() asserts !_io_error). The gate
 * notices half-open links. */
static gboolean
set_options (void *router, const Keypair *pair)
{
  const struct
  {
    int option, value;
  } numbers[] = {
    { ZMQ_CURVE_SERVER, 1 },
    { ZMQ_ROUTER_MANDATORY, 1 },
    { ZMQ_SNDHWM, SEND_QUEUE },
    { ZMQ_RCVHWM, RECEIVE_QUEUE },
    { ZMQ_LINGER, LINGER_MS },
    { ZMQ_BACKLOG, BACKLOG },
    { ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
  };
  gint64 max_size = MESSAGE_MAX;

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (zmq_setsockopt (router, numbers[i].option, &numbers[i].value,
            sizeof numbers[i].value)
        != 0)
      return FALSE;
  return zmq_setsockopt (router, ZMQ_MAXMSGSIZE, &max_size, sizeof max_size)
      == 0
      && zmq_setsockopt (router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN,
             sizeof ZAP_DOMAIN - 1)
      == 0
      && zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, pair->secret_key,
             DATAHUB_KEY_TEXT + 1)
      == 0;
}

/* libzmq listens at a place of its own, and the gate at the endpoints. */
static gboolean
open_gate (BrokerPort *port, guint reserve, GError **error)
{
  gboolean strangers = port->number == PORT_STRANGERS;
  g_autofree char *path =
      runtime_file (strangers ? BROKER_INNER_STRANGERS : BROKER_INNER, FALSE,
          error);

  if (!path)
    return FALSE;
  g_autofree char *inner = g_strconcat ("ipc://", path, NULL);
  if (zmq_bind (port->router, inner) != 0)
    return fail_zmq (error, "cannot bind the broker's own socket");
  port->gate = gate_new (reserve, strangers, error);
  return port->gate && gate_lead_to (port->gate, path, error);
}

/* The ZAP handler is bound first: there is no moment without one. */
gboolean
port_open (BrokerPort *port, const Keypair *pair, guint reserve, GError **error)
{
  port->zmq_context = zmq_ctx_new ();
  port->zap = zap_open (port->zmq_context);
  port->router = zmq_socket (port->zmq_context, ZMQ_ROUTER);
  if (!port->zap || !port->router || !set_options (port->router, pair))
    return fail_zmq (error, "cannot make the broker's sockets");
  port->monitor = wire_monitor_open (port->zmq_context, port->router,
      ZMQ_EVENT_DISCONNECTED);
  if (!port->monitor)
    return fail_zmq (error, "cannot watch the broker's socket");
  return open_gate (port, reserve, error);
}

gboolean
port_bind (BrokerPort *port, const char *endpoint, char **bound, GError **error)
{
  return gate_add_listener (port->gate, endpoint, bound, error);
}

void
port_attach (BrokerPort *port, GMainContext *context)
{
  if (!port->gate)
    return;
  port->zap_source =
      wire_source_attach (port->zap, zap_readable, port, context);
  port->router_source =
      wire_source_attach (port->router, broker_read, port, context);
  port->monitor_source =
      wire_source_attach (port->monitor, monitor_readable, port, context);
}

void
port_detach (BrokerPort *port)
{
  wire_source_clear (&port->router_source);
  wire_source_clear (&port->zap_source);
  wire_source_clear (&port->monitor_source);
  wire_source_clear (&port->probe_source);
}

static void
close_router (BrokerPort *port)
{
  if (port->gate)
    gate_shut (port->gate);
  wire_monitor_close (port->router, &port->monitor);
  wire_close_socket (&port->router);
  wire_close_socket (&port->zap);
}

/* The last messages of all ports are sent at the same time. */
void
ports_close (BrokerPort ports[N_PORTS])
{
  for (guint i = 0; i < N_PORTS; i++)
    close_router (&ports[i]);
  for (guint i = 0; i < N_PORTS; i++) {
    if (ports[i].zmq_context)
      zmq_ctx_term (ports[i].zmq_context);
    ports[i].zmq_context = NULL;
  }
  for (guint i = 0; i < N_PORTS; i++)
    if (ports[i].gate)
      gate_end (ports[i].gate);
  for (guint i = 0; i < N_PORTS; i++)
    g_clear_pointer (&ports[i].gate, gate_free);
}

/* How many connections there are. */
guint
ports_count (BrokerPort ports[N_PORTS])
{
  guint n = 0;

  for (guint i = 0; i < N_PORTS; i++)
    if (ports[i].gate)
      n += gate_count (ports[i].gate);
  return n;
}
