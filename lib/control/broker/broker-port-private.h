/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two ways into the broker; see broker-port.c. Only for the broker's thread, once
 * it runs. */
#ifndef DATAHUB_BROKER_PORT_PRIVATE_H
#define DATAHUB_BROKER_PORT_PRIVATE_H

#include <datahub/broker.h>
#include "control/wire/keys-private.h"
#include "gate-private.h"

typedef enum
{
  PORT_OWN, /* by a socket in a directory of this user alone */
  PORT_STRANGERS, /* by tcp, or by a socket that others can reach */
  N_PORTS
} PortNumber;

typedef struct
{
  DatahubBroker *broker;
  PortNumber number;
  void *zmq_context, *router, *zap, *monitor;
  Gate *gate; /* owned; NULL: the port is not open */
  GSource *router_source, *zap_source, *monitor_source, *probe_source;
  gint64 probed_us;
} BrokerPort;

/* What a port takes before its first client: libzmq's context with two threads and
 * their epolls, the sockets, the monitor with its reader, the gate. */
#define PORT_DESCRIPTORS 14
#define PORT_THREADS 3

PortNumber port_of_endpoint (const char *endpoint);
gboolean port_open (BrokerPort *port, const Keypair *pair, guint reserve,
    GError **error);
gboolean port_bind (BrokerPort *port, const char *endpoint, char **bound,
    GError **error);
void port_attach (BrokerPort *port, GMainContext *context);
void port_detach (BrokerPort *port);
void ports_close (BrokerPort ports[N_PORTS]);
guint ports_count (BrokerPort ports[N_PORTS]);

#endif /* DATAHUB_BROKER_PORT_PRIVATE_H */
