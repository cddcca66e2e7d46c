/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate in front of the broker's socket; see gate.c. */
#ifndef DATAHUB_GATE_PRIVATE_H
#define DATAHUB_GATE_PRIVATE_H

#include <glib.h>

typedef struct _Gate Gate;

typedef enum
{
  GATE_WAKE,
  GATE_LISTENER,
  GATE_CLIENT,
  GATE_BROKER
} GateKind;

/* A descriptor in the gate's epoll. */
typedef struct
{
  GateKind kind;
  int fd; /* owned; -1: none */
  guint32 events; /* 0: not in the epoll */
  gpointer owner;
} GateEnd;

/* A socket that listens. */
typedef struct
{
  GateEnd end;
  guint n_half, n_all; /* connections; half: no client has proven its key */
  gint64 shut_us; /* no connection is taken since then; 0: they are */
} GateListener;

/* Bytes that were read and that the other side has not taken. */
typedef struct
{
  guint8 *data; /* owned; NULL: none */
  gsize begin, end;
  guint64 passed;
  gboolean over; /* the side that is read from has ended */
} GatePipe;

typedef struct
{
  Gate *gate;
  GateListener *listener;
  GateEnd client, broker;
  GatePipe inward, outward;
  gboolean half, dead;
  gboolean asks; /* it is in the list of those that ask */
  char from[64]; /* its address; "": not looked up */
  gint64 since_us;
  gint64 over_us; /* since when the broker has ended it; 0: it has not */
  guint64 taken; /* bytes that the client had taken at the last look */
  gint64 taken_us; /* and when it took the last ones; 0: none wait for it */
} GateConnection;

/* The connections that ask to be let in; see gate-asking.c. */
typedef struct
{
  GMutex lock; /* guards the list, and `from` of those in it */
  GPtrArray *list; /* of GateConnection, borrowed */
} GateAsking;

/* A size of data that one side can have in the gate. */
#define GATE_PIECE 16384

/* gate-listener.c */
gboolean gate_listener_open (GateListener *listener, const char *endpoint,
    char **bound, GError **error);

/* gate-relay.c */
gboolean gate_end_watch (Gate *gate, GateEnd *end, guint32 events);
void gate_end_close (Gate *gate, GateEnd *end);
void gate_relay (GateConnection *connection);
gboolean gate_is_stuck (GateConnection *connection, gint64 now);
GateConnection *gate_connection_new (Gate *gate, GateListener *listener,
    int fd);
void gate_connection_free (GateConnection *connection);

/* gate-asking.c */
void gate_asking_init (GateAsking *asking);
void gate_asking_clear (GateAsking *asking);
void gate_asking_look (GateAsking *asking, GateConnection *connection);
void gate_asking_forget (GateAsking *asking, GateConnection *connection);
char *gate_asking_describe (GateAsking *asking);

/* gate.c */
typedef void (*GateStarved) (gpointer user_data);

Gate *gate_new (guint reserve, gboolean strangers, GError **error);
gboolean gate_lead_to (Gate *gate, const char *path, GError **error);
gboolean gate_add_listener (Gate *gate, const char *endpoint, char **bound,
    GError **error);
gboolean gate_start (Gate *gate, GateStarved starved, gpointer user_data,
    GError **error);
void gate_shut (Gate *gate);
void gate_end (Gate *gate);
void gate_free (Gate *gate);
int gate_epoll (Gate *gate);
GateAsking *gate_asking (Gate *gate);
int gate_dial (Gate *gate);
guint gate_count (Gate *gate);

#endif /* DATAHUB_GATE_PRIVATE_H */
