/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The internals of the hub. A function must only be called in the hub's thread,
 * unless its comment says "any thread". The same holds for the fields of the
 * core below the line that says so. */
#ifndef DATAHUB_HUB_PRIVATE_H
#define DATAHUB_HUB_PRIVATE_H

#include <datahub/broker.h>
#include <datahub/hub.h>
#include "hub-block-private.h"
#include "control/wire/keys-private.h"
#include "control/wire/message-private.h"

typedef enum
{
  HUB_IDLE, /* no endpoint was set */
  HUB_WAITING, /* for the next attempt */
  HUB_CONNECTING, /* until the handshake is done */
  HUB_GREETING, /* until "hello" is answered */
  HUB_CONNECTED,
  HUB_CLOSED
} HubState;

/* Why a connection ended. */
typedef enum
{
  LINK_REFUSED, /* no broker there */
  LINK_BAD_KEY, /* the handshake failed without a reason */
  LINK_DENIED, /* the broker refused this key */
  LINK_LOST /* an established connection was lost */
} LinkEnd;

typedef struct
{
  void *zmq_context;
  void *socket, *monitor;
  GSource *socket_source, *monitor_source;
} HubLink;

typedef struct _HubCore HubCore;

/* A weak reference to the object for signals that are queued in another
 * context. It keeps neither the object nor the core alive. */
typedef struct
{
  gatomicrefcount refs;
  GWeakRef hub;
  int waiting; /* atomic: queued signals */
} HubBack;

typedef struct _HubWait HubWait;

/* An operation with a deadline that can be cancelled. Must be the first member
 * of the struct of the operation; ends exactly once. */
struct _HubWait
{
  gatomicrefcount refs;
  HubCore *core; /* owned */
  GSource *timer;
  GCancellable *cancellable;
  gulong handler;
  gboolean ended;
  void (*cut) (HubWait *wait, GError *reason); /* takes the reason */
  GDestroyNotify free_func; /* of the whole */
};

typedef void (*HubCallDone) (json_t *reply, const GError *error,
    gpointer user_data);

enum
{
  SIGNAL_BLOCK_ADDED,
  SIGNAL_BLOCK_REMOVED,
  SIGNAL_CONSUMER_ADDED,
  SIGNAL_CONSUMER_REMOVED,
  SIGNAL_NOTIFICATION,
  SIGNAL_REGISTER_REFUSED,
  SIGNAL_BROKER_FOUND,
  SIGNAL_BROKER_LOST,
  N_SIGNALS
};

extern guint hub_signals[N_SIGNALS];

struct _HubCore
{
  gatomicrefcount refs;
  HubBack *back; /* owned */
  DatahubHubFlags flags;
  GMainContext *context; /* of the hub's thread */
  GMainContext *signal_context; /* of the creator of the hub */
  GMainLoop *loop;
  int connected, hosting; /* atomic */
  Token instance;
  GMutex ready_lock; /* guards ready; taken last */
  GHashTable *ready; /* name -> the newest data-ready not sent yet */

  /* Only for the hub's thread from here. */
  HubState state;
  gboolean automatic;
  char *endpoint, *server_key_file, *key_file;
  HubLink link;
  DatahubBroker *broker; /* embedded, if this hub hosts it */
  GError *error; /* why there is no connection */
  gboolean told; /* @error was reported by broker-lost */
  guint bad_handshakes; /* in a row */
  guint retries; /* since the last connection */
  gint64 hold_until_us; /* until then another process may take the lock */
  GSource *attempt_source, *heartbeat_source;
  guint heartbeat_ms, heartbeats_missed;
  gboolean pinging;
  Token epoch;
  gint64 next_id;
  GHashTable *calls; /* id -> sent calls */
  GQueue waiting; /* calls made while not connected */
  GList *finds, *connect_waits;
  guint64 unmatched; /* answers without an open request */
  GHashTable *offers; /* name -> Offer */
  GPtrArray *joins;
  GHashTable *subscriptions; /* pattern -> number of subscriptions */
  GSource *offer_retry_source;
  GHashTable *catalogue; /* name -> Known */
  guint generation; /* of the catalogue: one per connection */
  GSource *settle_source;
  GSource *ready_source;
  gint64 ready_sent; /* monotonic time of the last data-ready */
};

struct _DatahubHub
{
  GObject parent;
  DatahubHubFlags flags;
  HubCore *core; /* owned */
  GThread *thread; /* owned */
  gboolean connecting;
};

/* hub-core.c */
HubCore *hub_core_new (DatahubHub *hub, DatahubHubFlags flags);
HubCore *hub_core_ref (HubCore *core);
void hub_core_unref (HubCore *core);
void hub_core_post (HubCore *core, GSourceFunc func, gpointer data,
    GDestroyNotify destroy);
GSource *hub_core_after (HubCore *core, guint ms, GSourceFunc func,
    gpointer data);
void hub_clear_source (GSource **source);
gpointer hub_core_run (gpointer core);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubCore, hub_core_unref)

/* hub-task.c */
void hub_task_return (GTask *task, gpointer result, GDestroyNotify free_func,
    GError *error);

/* hub-wait.c */
void hub_wait_begin (HubWait *wait, HubCore *core, gint64 timeout_us,
    GCancellable *cancellable);
gboolean hub_wait_end (HubWait *wait);
gpointer hub_wait_ref (HubWait *wait);
void hub_wait_unref (gpointer wait);

/* hub-link.c */
gboolean hub_link_open (HubCore *core, const char *endpoint,
    const char *server_key, const Keypair *client, GError **error);
void hub_link_close (HubCore *core, int linger_ms);
gboolean hub_link_send (HubCore *core, json_t *message);

/* hub-session.c */
gboolean hub_session_start (gpointer core);
void hub_session_up (HubCore *core);
void hub_session_down (HubCore *core, LinkEnd end);
void hub_session_closing (HubCore *core, gint64 hold_ms);
void hub_session_stop (HubCore *core);
gboolean hub_load_keys (HubCore *core, char server_key[DATAHUB_KEY_TEXT + 1],
    Keypair *client, GError **error);

/* hub-host.c */
gboolean hub_host_try (HubCore *core, GError **error);
void hub_host_stop (HubCore *core);

/* hub-calls.c */
void hub_call (HubCore *core, json_t *message, gint64 timeout_us,
    GCancellable *cancellable, HubCallDone done, gpointer user_data);
void hub_call_greeting (HubCore *core, json_t *message, gint64 timeout_us,
    HubCallDone done);
void hub_send_quiet (HubCore *core, json_t *message);
void hub_calls_connected (HubCore *core);
void hub_calls_lost (HubCore *core, const GError *reason);
void hub_receive (HubCore *core, const void *data, gsize size);

/* hub-find.c */
void hub_find_begin (HubCore *core, GTask *task, const char *name,
    gint64 timeout_ns);
void hub_finds_ask (HubCore *core, const char *name);
void hub_list_begin (HubCore *core, GTask *task, gint64 timeout_ns);
void hub_connect_wait_begin (HubCore *core, GTask *task, gint64 timeout_ns);
void hub_connect_waits_end (HubCore *core, const GError *error);

/* hub-offers.c */
typedef struct
{
  char *name, *uuid, *caps; /* owned; caps may be NULL */
  gboolean has_secret;
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean strict; /* consumers get tickets, not the secret */
  gboolean refused; /* reported already */
} Offer;

typedef struct
{
  char *name, *uuid, *label, *reason; /* owned */
  guint64 id;
} Join;

void offer_free (gpointer offer);
void join_free (gpointer join);
void hub_offer_add (HubCore *core, Offer *offer);
void hub_offer_remove (HubCore *core, const char *name, const char *uuid);
void hub_join_add (HubCore *core, Join *join);
void hub_join_remove (HubCore *core, const Join *left);
void hub_subscription_set (HubCore *core, const char *pattern, gboolean on);
void hub_offers_connected (HubCore *core);
void hub_offers_lost (HubCore *core);
void hub_offers_block_came (HubCore *core, const char *name);

/* hub.c */
gboolean hub_check_target (DatahubHubFlags flags, const char *endpoint,
    const char *server_key_file, const char *key_file, GError **error);

/* hub-notify.c */
void hub_notify (HubCore *core, const char *name, const char *topic,
    const char *json);

/* hub-catalogue.c */
void known_free (gpointer known);
void hub_catalogue_connected (HubCore *core);
void hub_catalogue_add (HubCore *core, DatahubHubBlock *block);
void hub_catalogue_remove (HubCore *core, const char *name, const char *uuid,
    const char *reason);

/* hub-events.c */
void hub_event (HubCore *core, json_t *message);

/* hub-signals.c */
HubBack *hub_back_new (DatahubHub *hub);
void hub_back_unref (HubBack *back);
void hub_signals_init (GType type);
void hub_emit (HubCore *core, guint signal, const char *detail, ...);

#endif /* DATAHUB_HUB_PRIVATE_H */
