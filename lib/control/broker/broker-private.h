/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of the broker, and the functions that its files share. */
#ifndef DATAHUB_BROKER_PRIVATE_H
#define DATAHUB_BROKER_PRIVATE_H

#include <datahub/broker.h>
#include "broker-files-private.h"
#include "broker-port-private.h"
#include "denials-private.h"
#include "looker-private.h"
#include "registry-private.h"
#include "rights-private.h"

#define HELPER_NAME "datahub-broker"
/* The descriptor with which a helper process gets the lock. */
#define HELPER_LOCK 3
/* A line of its log, as the process that started it gets it: "LEVEL EVENT MESSAGE". Not
 * more than PIPE_BUF, so that it is written whole. */
#define HELPER_LINE_MAX 1024
/* The event of the line that is written when clients can connect. */
#define HELPER_SERVES "serving"
/* The event of the line of a broker that ends because it has too few descriptors. */
#define BROKER_STARVED "starved"
#define HELPER_SERVES_TEXT "serves clients"

/* Sent to clients in the answer to "hello". A client that misses three is
 * stalled. The slow ones are for clients that this process can examine. */
#define PROTOCOL_HEARTBEAT_MS 400
#define PROTOCOL_SLOW_HEARTBEAT_MS 10000
#define PROTOCOL_HEARTBEATS_MISSED 3

typedef struct
{
  guint64 requests; /* answered, also with an error */
  guint64 malformed; /* not a valid message */
  guint64 replayed; /* an id that was used before */
  guint64 throttled; /* over the budget of their client */
  guint64 impersonated; /* an identity that does not belong to the key */
  guint64 unsent; /* the receiver was gone or did not read */
  guint64 looks; /* at blocks of silent clients */
} BrokerStats;

struct _DatahubBroker
{
  GObject parent;

  GPtrArray *endpoints; /* requested; owned */
  GArray
      *numbers; /* of the ports of the endpoints, since the last start; owned */
  gboolean embedded; /* makes way for a standalone one */
  gboolean helper; /* in a process of its own, which ends without clients */
  int given_lock; /* that of the runtime directory, until the start; -1: none */
  GMutex lock; /* guards running, bound and thread; taken last */
  gboolean running;
  GPtrArray *bound; /* endpoints as they were bound; owned */
  GThread *thread;
  GMainContext *context; /* of the thread */

  /* Only for the thread from here. */
  GMainLoop *loop;
  GArray *locks; /* descriptors of the held endpoint locks */
  BrokerFiles *files; /* owned */
  gboolean told_lost; /* a lost file was logged */
  BrokerPort ports[N_PORTS];
  Looker *looker; /* owned */
  Accounts connections, keys; /* keys: of strangers */
  struct _BrokerCall *call; /* that is handled, and pays for messages */
  GSource *tick_source, *watch_source;
  GSourceFunc check; /* of all clients, when one was lost */
  gboolean closing;
  gboolean ticks_fast; /* in its own period, not in step with the hubs */
  gint64 ticked_us;
  gint64 start_us;
  gint64 unused_end_us; /* when a helper ends, if it has no client until then */
  Registry registry;
  Rights *rights;
  BrokerStats stats;
  /* Of keys on the allow-list, and of others: those can have ever new keys, which
   * must not keep the first ones out of the log. */
  Denials denials, strangers;
  Denials unbound; /* blocks of which the rights bind no process, by name */
};

/* One request while it is handled. */
typedef struct _BrokerCall
{
  DatahubBroker *broker;
  BrokerClient *client; /* NULL before "hello" */
  Account *connection_account;
  Account *key_account; /* of the key of a stranger; NULL: of the own user */
  const char *key; /* the connection's, proven by CURVE */
  GBytes *routing;
  json_t *message;
  json_t *reply; /* filled by the handler */
} BrokerCall;

typedef gboolean (*BrokerHandler) (BrokerCall *call, GError **error);

typedef struct
{
  const char *type;
  BrokerHandler handler;
  gboolean costly; /* its messages can be many: refused to a client in debt */
} BrokerRequest;

/* broker.c */
void broker_set_embedded (DatahubBroker *broker);
void broker_set_helper (DatahubBroker *broker, int lock);
void broker_wait (DatahubBroker *broker);

/* broker-helper.c */
const char *broker_kind (const DatahubBroker *broker);
void broker_helper_begin (DatahubBroker *broker);
void broker_helper_heard (DatahubBroker *broker, gint64 now);
void broker_helper_look (DatahubBroker *broker, gint64 now);

/* broker-loop.c */
GSource *broker_run_in (DatahubBroker *broker, guint ms, GSourceFunc func);
void broker_quit_after (DatahubBroker *broker, guint ms);
void broker_quit_soon (DatahubBroker *broker, guint ms);

/* broker-wire.c */
void broker_read (gpointer port);

/* broker-requests.c */
gboolean broker_make_way (gpointer broker);

/* broker-send.c */
void broker_send_to (DatahubBroker *broker, GBytes *routing, json_t *message);
gboolean broker_send (DatahubBroker *broker, BrokerClient *client,
    json_t *message);
json_t *broker_event_new (const char *event);
typedef gboolean (*BrokerChoice) (const BrokerClient *client,
    gconstpointer user_data);
void broker_send_each (DatahubBroker *broker, json_t *message,
    BrokerChoice choose, gconstpointer user_data);
void broker_publish (DatahubBroker *broker, const char *name,
    gboolean notification, BrokerClient *also, json_t *message);

/* broker-requests.c */
const BrokerRequest *broker_find_request (const char *type);

/* broker-notices.c */
void broker_tell_block (DatahubBroker *broker, const char *event,
    BlockEntry *block, const char *reason);
void broker_tell_consumer (DatahubBroker *broker, const char *event,
    BlockEntry *block, Joined *joined, const char *reason);
void broker_tell_taken (DatahubBroker *broker, BlockEntry *block,
    const BrokerClient *taker);
void broker_remove_block (DatahubBroker *broker, BlockEntry *block,
    const char *reason);
void broker_remove_joined (DatahubBroker *broker, BlockEntry *block,
    Joined *joined, const char *reason);

/* broker-looks.c */
void broker_looked (const Look *look, gpointer broker);
void broker_watch_block (DatahubBroker *broker, BlockEntry *block, gint64 now);

/* broker-watch.c */
void broker_note_evidence (BlockEntry *block, const char *memory);
gboolean broker_block_is_absent (BlockEntry *block);
void broker_begin_ticks (DatahubBroker *broker);
gboolean broker_tick (gpointer broker);
gboolean broker_check_once (gpointer broker);
void broker_probe_soon (BrokerPort *port);
void broker_heard (DatahubBroker *broker, BrokerClient *client);
guint broker_heartbeat_ms (const BrokerClient *client);

#endif /* DATAHUB_BROKER_PRIVATE_H */
