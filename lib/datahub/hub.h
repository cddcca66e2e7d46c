/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client of the broker. Nothing here is on the path of a buffer.
 *
 * Signals (all but the two about the broker are detailed by block name, as in
 * "notification::cam0"):
 *   block-added      (DatahubHubBlock *block)
 *   block-removed    (DatahubHubBlock *block, const char *reason)
 *   consumer-added   (const char *name, guint64 id, const char *consumer_name)
 *   consumer-removed (const char *name, guint64 id, const char *consumer_name,
 *                     const char *reason)
 *   notification     (const char *name, const char *topic, const char *json)
 *   register-refused (const char *name, GError *error)
 *   broker-found     (const char *endpoint)
 *   broker-lost      (GError *error)
 */
#ifndef DATAHUB_HUB_H
#define DATAHUB_HUB_H

#include <gio/gio.h>
#include <datahub/types.h>
#include <datahub/hub-block.h>

G_BEGIN_DECLS

#define DATAHUB_HUB_ERROR (datahub_hub_error_quark ())

/* Beside these, a cancelled call fails with G_IO_ERROR_CANCELLED. */
typedef enum
{
  DATAHUB_HUB_ERROR_FAILED,
  DATAHUB_HUB_ERROR_SETTINGS, /* an endpoint, name or argument is wrong */
  DATAHUB_HUB_ERROR_KEY, /* a key file is missing, unsafe or no key */
  DATAHUB_HUB_ERROR_RUNTIME_DIR, /* the runtime directory is unsafe */
  DATAHUB_HUB_ERROR_DENIED, /* the key or its rights do not allow it */
  DATAHUB_HUB_ERROR_NOT_FOUND, /* no such block */
  DATAHUB_HUB_ERROR_PENDING, /* announced, but not attachable yet */
  DATAHUB_HUB_ERROR_BUSY, /* a live producer has the name */
  DATAHUB_HUB_ERROR_DISCONNECTED, /* no broker answers */
  DATAHUB_HUB_ERROR_TIMEOUT, /* the broker did not answer in time */
  DATAHUB_HUB_ERROR_PROTOCOL, /* an answer that makes no sense, or a version */
  DATAHUB_HUB_ERROR_LIMIT /* too many, or too large */
} DatahubHubError;

typedef enum
{
  DATAHUB_HUB_DEFAULT = 0,
  /* Looks on: never hosts the embedded broker, creates no keys. */
  DATAHUB_HUB_MONITOR = 1 << 0,
  /* Signals are emitted in the hub's own thread, at once, for programs with no
   * main loop. Handlers must be short and must not call the waiting functions
   * of the same hub. Without it: in the context that was the thread-default
   * one where the hub was made, which some thread must iterate. */
  DATAHUB_HUB_THREAD_SIGNALS = 1 << 1
} DatahubHubFlags;

#define DATAHUB_TYPE_HUB (datahub_hub_get_type ())
DATAHUB_API
G_DECLARE_FINAL_TYPE (DatahubHub, datahub_hub, DATAHUB, HUB, GObject)

DATAHUB_API GQuark datahub_hub_error_quark (void);

/* Making and connecting. These return at once; the connection itself is made,
 * kept and healed by the hub's thread. */
DATAHUB_API DatahubHub *datahub_hub_new (DatahubHubFlags flags);
DATAHUB_API DatahubHub *datahub_hub_get_shared (const char *endpoint,
    const char *server_key_file, const char *key_file, GError **error);
DATAHUB_API gboolean datahub_hub_connect_to (DatahubHub *hub,
    const char *endpoint, const char *server_key_file, const char *key_file,
    GError **error);
DATAHUB_API gboolean datahub_hub_wait_connected (DatahubHub *hub,
    gint64 timeout_ns, GCancellable *cancellable, GError **error);
DATAHUB_API gboolean datahub_hub_is_connected (DatahubHub *hub);
DATAHUB_API gboolean datahub_hub_is_hosting (DatahubHub *hub);

/* What this process offers and uses: remembered, and told again to every broker
 * that comes. These return at once and never fail for want of a broker. */
DATAHUB_API void datahub_hub_register_block (DatahubHub *hub, const char *name,
    const char *uuid, const char *caps, const guint8 *secret);
DATAHUB_API void datahub_hub_register_strict_block (DatahubHub *hub,
    const char *name, const char *uuid, const char *caps, const guint8 *secret);
DATAHUB_API void datahub_hub_unregister_block (DatahubHub *hub,
    const char *name, const char *uuid);
DATAHUB_API void datahub_hub_consumer_joined (DatahubHub *hub, const char *name,
    const char *uuid, guint64 id, const char *consumer_name);
DATAHUB_API void datahub_hub_consumer_left (DatahubHub *hub, const char *name,
    const char *uuid, guint64 id, const char *reason);
DATAHUB_API void datahub_hub_subscribe (DatahubHub *hub, const char *pattern);
DATAHUB_API void datahub_hub_unsubscribe (DatahubHub *hub, const char *pattern);
DATAHUB_API void datahub_hub_send_notification (DatahubHub *hub,
    const char *name, const char *topic, const char *json);

/* Questions. Each ends exactly once. */
DATAHUB_API DatahubHubBlock *datahub_hub_find (DatahubHub *hub,
    const char *name, gint64 timeout_ns, GCancellable *cancellable,
    GError **error);
DATAHUB_API void datahub_hub_find_async (DatahubHub *hub, const char *name,
    gint64 timeout_ns, GCancellable *cancellable, GAsyncReadyCallback callback,
    gpointer user_data);
DATAHUB_API DatahubHubBlock *datahub_hub_find_finish (DatahubHub *hub,
    GAsyncResult *result, GError **error);

DATAHUB_API GPtrArray *datahub_hub_list (DatahubHub *hub, gint64 timeout_ns,
    GCancellable *cancellable, GError **error);
DATAHUB_API void datahub_hub_list_async (DatahubHub *hub, gint64 timeout_ns,
    GCancellable *cancellable, GAsyncReadyCallback callback,
    gpointer user_data);
DATAHUB_API GPtrArray *datahub_hub_list_finish (DatahubHub *hub,
    GAsyncResult *result, GError **error);

DATAHUB_API char *datahub_hub_request (DatahubHub *hub, const char *type,
    const char *json, gint64 timeout_ns, GCancellable *cancellable,
    GError **error);
DATAHUB_API void datahub_hub_request_async (DatahubHub *hub, const char *type,
    const char *json, gint64 timeout_ns, GCancellable *cancellable,
    GAsyncReadyCallback callback, gpointer user_data);
DATAHUB_API char *datahub_hub_request_finish (DatahubHub *hub,
    GAsyncResult *result, GError **error);

G_END_DECLS

#endif /* DATAHUB_HUB_H */
