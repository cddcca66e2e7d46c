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
  DATAHUB_HUB_IDLE, /* nobody said where to connect to */
  DATAHUB_HUB_WAITING, /* for the next attempt */
  DATAHUB_HUB_CONNECTING, /* until the handshake is done */
  DATAHUB_HUB_GREETING, /* until "hello" is answered */
  DATAHUB_HUB_CONNECTED,
  DATAHUB_HUB_CLOSED
} DatahubHubState;

/* Why a connection ended. */
typedef enum
{
  DATAHUB_LINK_REFUSED, /* nobody there */
  DATAHUB_LINK_BAD_KEY, /* the handshake broke without a word */
  DATAHUB_LINK_DENIED, /* the broker does not want this key */
  DATAHUB_LINK_LOST /* it was there, and is not any more */
} DatahubLinkEnd;

typedef struct
{
  void *zmq_context;
  void *socket, *monitor;
  GSource *socket_source, *monitor_source;
} DatahubHubLink;

typedef struct _DatahubHubCore DatahubHubCore;

/* The way back to the object, for signals that wait in another context: keeps
 * neither the object nor the core. */
typedef struct
{
  gatomicrefcount refs;
  GWeakRef hub;
  int waiting; /* atomic: signals on their way */
} DatahubHubBack;

typedef struct _DatahubHubWait DatahubHubWait;

/* Something with a deadline that may be cancelled. Embedded first in what it
 * times; ends exactly once. */
struct _DatahubHubWait
{
  gatomicrefcount refs;
  DatahubHubCore *core; /* owned */
  GSource *timer;
  GCancellable *cancellable;
  gulong handler;
  gboolean ended;
  void (*cut) (DatahubHubWait *wait, GError *reason); /* takes the reason */
  GDestroyNotify free_func; /* of the whole */
};

typedef void (*DatahubCallDone) (json_t *reply, const GError *error,
    gpointer user_data);

enum
{
  DATAHUB_SIGNAL_BLOCK_ADDED,
  DATAHUB_SIGNAL_BLOCK_REMOVED,
  DATAHUB_SIGNAL_CONSUMER_ADDED,
  DATAHUB_SIGNAL_CONSUMER_REMOVED,
  DATAHUB_SIGNAL_NOTIFICATION,
  DATAHUB_SIGNAL_REGISTER_REFUSED,
  DATAHUB_SIGNAL_BROKER_FOUND,
  DATAHUB_SIGNAL_BROKER_LOST,
  DATAHUB_N_SIGNALS
};

extern guint hub_signals[DATAHUB_N_SIGNALS];

struct _DatahubHubCore
{
  gatomicrefcount refs;
  DatahubHubBack *back; /* owned */
  DatahubHubFlags flags;
  GMainContext *context; /* of the hub's thread */
  GMainContext *signal_context; /* of who made the hub */
  GMainLoop *loop;
  int connected, hosting; /* atomic */
  DatahubToken instance;
  GMutex ready_lock; /* guards ready; taken last */
  GHashTable *ready; /* name -> the newest data-ready not sent yet */

  /* The hub thread's own from here. */
  DatahubHubState state;
  gboolean automatic;
  char *endpoint, *server_key_file, *key_file;
  DatahubHubLink link;
  DatahubBroker *broker; /* embedded, if this hub hosts it */
  GError *error; /* why there is no connection */
  gboolean told; /* @error was told by broker-lost */
  guint bad_handshakes; /* in a row */
  guint retries; /* since the last connection */
  gint64 hold_until_us; /* another is to have the lock */
  GSource *attempt_source, *heartbeat_source;
  guint heartbeat_ms, heartbeats_missed;
  gboolean pinging;
  DatahubToken epoch;
  gint64 next_id;
  GHashTable *calls; /* id -> sent calls */
  GQueue waiting; /* calls made while not connected */
  GList *finds, *connect_waits;
  guint64 unmatched; /* answers nobody waited for */
  GHashTable *offers; /* name -> what is registered */
  GPtrArray *joins;
  GHashTable *subscriptions; /* pattern -> how often it was asked for */
  GSource *offer_retry_source;
  GHashTable *catalogue; /* name -> DatahubKnown */
  guint generation; /* of the catalogue: one per connection */
  GSource *settle_source;
  GSource *ready_source;
  gint64 ready_sent; /* monotonic time of the last data-ready */
};

struct _DatahubHub
{
  GObject parent;
  DatahubHubFlags flags;
  DatahubHubCore *core; /* owned */
  GThread *thread; /* owned */
  gboolean connecting;
};

/* hub-core.c */
DatahubHubCore *hub_core_new (DatahubHub *hub, DatahubHubFlags flags);
DatahubHubCore *hub_core_ref (DatahubHubCore *core);
void hub_core_unref (DatahubHubCore *core);
void hub_core_post (DatahubHubCore *core, GSourceFunc func, gpointer data,
    GDestroyNotify destroy);
GSource *hub_core_after (DatahubHubCore *core, guint ms, GSourceFunc func,
    gpointer data);
void hub_clear_source (GSource **source);
gpointer hub_core_run (gpointer core);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DatahubHubCore, hub_core_unref)

/* hub-task.c */
void hub_task_return (GTask *task, gpointer result, GDestroyNotify free_func,
    GError *error);

/* hub-wait.c */
void hub_wait_begin (DatahubHubWait *wait, DatahubHubCore *core,
    gint64 timeout_us, GCancellable *cancellable);
gboolean hub_wait_end (DatahubHubWait *wait);
gpointer hub_wait_ref (DatahubHubWait *wait);
void hub_wait_unref (gpointer wait);

/* hub-link.c */
gboolean hub_link_open (DatahubHubCore *core, const char *endpoint,
    const char *server_key, const DatahubKeypair *client, GError **error);
void hub_link_close (DatahubHubCore *core, int linger_ms);
gboolean hub_link_send (DatahubHubCore *core, json_t *message);

/* hub-session.c */
gboolean hub_session_start (gpointer core);
void hub_session_up (DatahubHubCore *core);
void hub_session_down (DatahubHubCore *core, DatahubLinkEnd end);
void hub_session_closing (DatahubHubCore *core, gint64 hold_ms);
void hub_session_stop (DatahubHubCore *core);
gboolean hub_load_keys (DatahubHubCore *core,
    char server_key[DATAHUB_KEY_TEXT + 1], DatahubKeypair *client,
    GError **error);

/* hub-host.c */
gboolean hub_host_try (DatahubHubCore *core, GError **error);
void hub_host_stop (DatahubHubCore *core);

/* hub-calls.c */
void hub_call (DatahubHubCore *core, json_t *message, gint64 timeout_us,
    GCancellable *cancellable, DatahubCallDone done, gpointer user_data);
void hub_call_greeting (DatahubHubCore *core, json_t *message,
    gint64 timeout_us, DatahubCallDone done);
void hub_send_quiet (DatahubHubCore *core, json_t *message);
void hub_calls_connected (DatahubHubCore *core);
void hub_calls_lost (DatahubHubCore *core, const GError *reason);
void hub_receive (DatahubHubCore *core, const void *data, gsize size);

/* hub-find.c */
void hub_find_begin (DatahubHubCore *core, GTask *task, const char *name,
    gint64 timeout_ns);
void hub_finds_ask (DatahubHubCore *core, const char *name);
void hub_list_begin (DatahubHubCore *core, GTask *task, gint64 timeout_ns);
void hub_connect_wait_begin (DatahubHubCore *core, GTask *task,
    gint64 timeout_ns);
void hub_connect_waits_end (DatahubHubCore *core, const GError *error);

/* hub-offers.c */
typedef struct
{
  char *name, *uuid, *caps; /* owned; caps may be NULL */
  gboolean has_secret;
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean strict; /* the secret is not for consumers: they get tickets */
  gboolean refused; /* told already */
} DatahubOffer;

typedef struct
{
  char *name, *uuid, *label, *reason; /* owned */
  guint64 id;
} DatahubJoin;

void offer_free (gpointer offer);
void join_free (gpointer join);
void hub_offer_add (DatahubHubCore *core, DatahubOffer *offer);
void hub_offer_remove (DatahubHubCore *core, const char *name,
    const char *uuid);
void hub_join_add (DatahubHubCore *core, DatahubJoin *join);
void hub_join_remove (DatahubHubCore *core, const DatahubJoin *left);
void hub_subscription_set (DatahubHubCore *core, const char *pattern,
    gboolean on);
void hub_offers_connected (DatahubHubCore *core);
void hub_offers_lost (DatahubHubCore *core);
void hub_offers_block_came (DatahubHubCore *core, const char *name);

/* hub.c */
gboolean hub_check_target (DatahubHubFlags flags, const char *endpoint,
    const char *server_key_file, const char *key_file, GError **error);

/* hub-notify.c */
void hub_notify (DatahubHubCore *core, const char *name, const char *topic,
    const char *json);

/* hub-catalogue.c */
void known_free (gpointer known);
void hub_catalogue_connected (DatahubHubCore *core);
void hub_catalogue_add (DatahubHubCore *core, DatahubHubBlock *block);
void hub_catalogue_remove (DatahubHubCore *core, const char *name,
    const char *uuid, const char *reason);

/* hub-events.c */
void hub_event (DatahubHubCore *core, json_t *message);

/* hub-signals.c */
DatahubHubBack *hub_back_new (DatahubHub *hub);
void hub_back_unref (DatahubHubBack *back);
void hub_signals_init (GType type);
void hub_emit (DatahubHubCore *core, guint signal, const char *detail, ...);

#endif /* DATAHUB_HUB_PRIVATE_H */
