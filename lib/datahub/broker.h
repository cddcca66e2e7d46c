/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker introduces producers and consumers; the same object is in the helper
 * process that a hub starts, or in a hub, and is the program `datahub broker`. Any thread; errors are of
 * DATAHUB_HUB_ERROR, see hub.h. */
#ifndef DATAHUB_BROKER_H
#define DATAHUB_BROKER_H

#include <gio/gio.h>
#include <datahub/types.h>

G_BEGIN_DECLS

#define DATAHUB_TYPE_BROKER (datahub_broker_get_type ())
DATAHUB_API
G_DECLARE_FINAL_TYPE (DatahubBroker, datahub_broker, DATAHUB, BROKER, GObject)

/* A broker that is not started; the caller unrefs it, which stops it. */
DATAHUB_API DatahubBroker *datahub_broker_new (void);
/* Adds "ipc:///path" or "tcp://host:port" to that of the runtime directory, before
 * the start. FALSE with SETTINGS. */
DATAHUB_API gboolean datahub_broker_add_endpoint (DatahubBroker *broker,
    const char *endpoint, GError **error);
/* Reads the allow-list, JSON as in docs/protocol.md, also while the broker runs. A
 * file with an error changes nothing: FALSE. Reads a file. */
DATAHUB_API gboolean datahub_broker_load_config (DatahubBroker *broker,
    const char *file, GError **error);
/* Binds the endpoints and serves them in a thread of its own; makes the keys on
 * first use. Does not wait: FALSE with BUSY if another broker runs. */
DATAHUB_API gboolean datahub_broker_start (DatahubBroker *broker,
    GError **error);
/* Disconnects the clients and waits for the thread, a fraction of a second. Does
 * nothing if it is stopped. */
DATAHUB_API void datahub_broker_stop (DatahubBroker *broker);
/* Whether it serves. It ends by itself if another program removed its files (sockets,
 * locks, keys): stop it then, and start it again. An embedded broker may also have made
 * way for another one. The signal "ended" is emitted then, in the broker's thread. */
DATAHUB_API gboolean datahub_broker_is_running (DatahubBroker *broker);
/* Endpoints in use, with their port numbers; the caller frees them with
 * g_strfreev(). */
DATAHUB_API char **datahub_broker_get_endpoints (DatahubBroker *broker);

G_END_DECLS

#endif /* DATAHUB_BROKER_H */
