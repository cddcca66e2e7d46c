/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The session with the broker. */
#ifndef DATAHUB_HUB_SESSION_PRIVATE_H
#define DATAHUB_HUB_SESSION_PRIVATE_H

#include "hub-link-private.h"

typedef enum
{
  HUB_IDLE, /* no endpoint was given yet */
  HUB_WAITING, /* for the next attempt */
  HUB_CONNECTING, /* until the handshake is done */
  HUB_GREETING, /* until "hello" is answered */
  HUB_CONNECTED,
  HUB_CLOSED
} HubState;

/* The broker to connect to, and the keys for it. */
typedef struct
{
  gboolean automatic; /* the one of the runtime directory */
  char *endpoint, *server_key_file, *key_file;
} HubTarget;

typedef struct
{
  HubState state;
  GError *error; /* why there is no connection */
  gboolean reported; /* broker-lost was emitted with @error */
  /* Public, of this attempt: the file may be another one when it succeeds. */
  char key[DATAHUB_KEY_TEXT + 1];
  guint bad_handshakes; /* in a row */
  guint retries; /* since the last connection */
  gint64 failing_us; /* since when there is none; 0: there is */
  gboolean missing; /* that there is none was reported */
  gint64 connected_us; /* when the last connection began */
  guint brief; /* connections in a row that ended at once */
  GSource *attempt_source, *heartbeat_source;
  guint heartbeat_ms, heartbeats_missed;
  gboolean pinging;
  gint64 pinged_us; /* when the last one was sent */
  int broker_pid; /* the kernel shows whether it is stopped; 0: it does not */
  gboolean broker_stopped; /* at the last look */
} HubSession;

void hub_target_clear (HubTarget *target);
gboolean hub_session_start (gpointer core);
void hub_session_retry_now (HubCore *core);
void hub_session_up (HubCore *core);
void hub_session_down (HubCore *core, LinkEnd end);
void hub_session_closing (HubCore *core, gint64 hold_ms);
void hub_session_stop (HubCore *core);

#endif /* DATAHUB_HUB_SESSION_PRIVATE_H */
