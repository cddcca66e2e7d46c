/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection to a broker. */
#ifndef DATAHUB_HUB_LINK_PRIVATE_H
#define DATAHUB_HUB_LINK_PRIVATE_H

#include "hub-loop-private.h"

#include "control/wire/keys-private.h"
#include "control/wire/message-private.h"

/* Why a connection ended. */
typedef enum
{
  LINK_REFUSED, /* no process listens there */
  LINK_BAD_KEY, /* the handshake broke without a reason */
  LINK_DENIED, /* the broker does not admit this key */
  LINK_LOST /* it was there, and is not any more */
} LinkEnd;

/* What became of a message. */
typedef enum
{
  LINK_SENT,
  LINK_FULL, /* the connection takes none now, or has just ended */
  LINK_TOO_LARGE /* no connection takes it */
} LinkSend;

/* What the link reports, in the hub's thread. */
typedef struct
{
  void (*up) (HubCore *core); /* the handshake succeeded */
  void (*down) (HubCore *core, LinkEnd end);
  void (*received) (HubCore *core, const void *data, gsize size);
} HubLinkEvents;

typedef struct
{
  HubLinkEvents events; /* set before the first connection */
  void *zmq_context;
  void *socket, *monitor;
  GSource *socket_source, *monitor_source;
  gboolean in_parts; /* the next part is not the first of its message */
} HubLink;

gboolean hub_link_open (HubCore *core, const char *endpoint,
    const char *server_key, const Keypair *client, GError **error);
void hub_link_close (HubCore *core, int linger_ms);
void hub_link_end (HubCore *core);
LinkSend hub_link_send (HubCore *core, json_t *message);

#endif /* DATAHUB_HUB_LINK_PRIVATE_H */
