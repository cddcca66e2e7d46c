/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client of the broker. No function here is on the path of a buffer. A hub may
 * be used from any thread, but the waiting functions (find, list, request,
 * wait_connected) must not be called in the hub's own thread, see
 * DATAHUB_HUB_THREAD_SIGNALS. All others return at once.
 *
 * Signals (all but the two about the broker have the name of the block as detail,
 * as in "notification::cam0"):
 *   block-added      (DatahubHubBlock *block)
 *   block-removed    (DatahubHubBlock *block, const char *reason)
 *   consumer-added   (const char *name, guint64 id, const char *consumer_name)
 *   consumer-removed (const char *name, guint64 id, const char *consumer_name,
 *                     const char *reason)
 *   consumer-revoked (const char *name, const char *uuid, const char *key): a key may
 *                     not consume this block of this process any more, and had its
 *                     secret or a ticket
 *   notification     (const char *name, const char *topic, const char *json)
 *   register-refused (const char *name, GError *error)
 *   broker-found     (const char *endpoint)
 *   broker-lost      (GError *error): lost, refuses this key, or is not there
 * Their arguments belong to the hub and are valid during the emission.
 */
#ifndef DATAHUB_HUB_H
#define DATAHUB_HUB_H

#include <gio/gio.h>
#include <datahub/types.h>
#include <datahub/hub-block.h>

G_BEGIN_DECLS

#define DATAHUB_HUB_ERROR (datahub_hub_error_quark ())

/* Errors of the calls below; a cancelled call fails with G_IO_ERROR_CANCELLED. */
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
  DATAHUB_HUB_ERROR_PROTOCOL, /* an answer that is not valid, or a version */
  DATAHUB_HUB_ERROR_LIMIT /* too many, or too large */
} DatahubHubError;

typedef enum
{
  DATAHUB_HUB_DEFAULT = 0,
  /* An observer: never hosts the embedded broker, creates no keys. */
  DATAHUB_HUB_MONITOR = 1 << 0,
  /* Signals are emitted in the hub's own thread, at once, for programs without a
   * main loop. Handlers must be short and must not call the waiting functions of
   * the same hub. Without this flag they are emitted in the thread-default context
   * of the thread that made the hub, which must be iterated. */
  DATAHUB_HUB_THREAD_SIGNALS = 1 << 1
} DatahubHubFlags;

typedef enum
{
  DATAHUB_REGISTER_DEFAULT = 0,
  /* A strict block: the broker keeps its secret and makes a ticket for each find
   * of a client that may consume the block. */
  DATAHUB_REGISTER_STRICT = 1 << 0
} DatahubRegisterFlags;

#define DATAHUB_TYPE_HUB (datahub_hub_get_type ())
DATAHUB_API
G_DECLARE_FINAL_TYPE (DatahubHub, datahub_hub, DATAHUB, HUB, GObject)

DATAHUB_API GQuark datahub_hub_error_quark (void);

/* ---- Connection: made, kept and restored by the hub's thread ---- */

/* A hub that is not connected yet; the caller unrefs it, which disconnects it and
 * takes a fraction of a second. */
DATAHUB_API DatahubHub *datahub_hub_new (DatahubHubFlags flags);
/* The hub of this process for this broker and these keys, made on first use and
 * connected, with THREAD_SIGNALS; arguments and errors as connect_to. The caller
 * unrefs it. */
DATAHUB_API DatahubHub *datahub_hub_get_shared (const char *endpoint,
    const char *server_key_file, const char *key_file, GError **error);
/* Begins to connect, once for each hub; a lost broker is found again. @endpoint is
 * "auto", "ipc:///path" or "tcp://host:port", NULL: $DATAHUB_BROKER or "auto". The
 * files have the broker's public key and the client's secret key, NULL: those of
 * the runtime directory. FALSE with SETTINGS, KEY or RUNTIME_DIR. */
DATAHUB_API gboolean datahub_hub_connect_to (DatahubHub *hub,
    const char *endpoint, const char *server_key_file, const char *key_file,
    GError **error);
/* Waits for the broker; < 0: without a limit. FALSE with TIMEOUT, or at once with
 * an error that waiting does not remove, as KEY. @cancellable may be NULL here and
 * below. */
DATAHUB_API gboolean datahub_hub_wait_connected (DatahubHub *hub,
    gint64 timeout_ns, GCancellable *cancellable, GError **error);
/* Whether a broker answered and was not lost since then. */
DATAHUB_API gboolean datahub_hub_is_connected (DatahubHub *hub);
/* Whether no lasting problem with the broker is known. FALSE with the error that
 * broker-lost reported: the key is refused or missing, or no broker answers where one
 * was named, for more than a second. Does not wait. */
DATAHUB_API gboolean datahub_hub_check_broker (DatahubHub *hub, GError **error);
/* Whether this hub hosts the embedded broker in its own process. FALSE while a helper
 * process does, as is usual. */
DATAHUB_API gboolean datahub_hub_is_hosting (DatahubHub *hub);

/* Describes the broker at @endpoint, as in connect_to, for a sentence that begins with
 * "The broker at": its endpoint, and the process that serves it, if that is known and of
 * this user. @stopped becomes TRUE if that process is stopped. Reads files; does not
 * connect. The caller frees the text with g_free(). */
DATAHUB_API char *datahub_hub_describe_broker (const char *endpoint,
    gboolean *stopped);

/* ---- Offers and uses of this process: stored, and sent to every broker that is
 * found. They need no broker and do not fail; arguments are copied. ---- */

/* Offers the block @name until it is unregistered. @uuid: of the block, NULL: it
 * cannot be attached yet; @caps: as text, or NULL; @secret: DATAHUB_SECRET_SIZE
 * bytes for clients that may consume it, or NULL. STRICT needs @uuid and @secret.
 * The same name again replaces the offer. */
DATAHUB_API void datahub_hub_register_block (DatahubHub *hub, const char *name,
    const char *uuid, const char *caps, const guint8 *secret,
    DatahubRegisterFlags flags);
/* Takes an offer back; @uuid NULL: whichever block it is. */
DATAHUB_API void datahub_hub_unregister_block (DatahubHub *hub,
    const char *name, const char *uuid);
/* Announce that a consumer of the block @name with @uuid joined and left: its @id
 * is that of DatahubConsumerInfo; @reason is a word as "left", or NULL. */
DATAHUB_API void datahub_hub_consumer_joined (DatahubHub *hub, const char *name,
    const char *uuid, guint64 id, const char *consumer_name);
DATAHUB_API void datahub_hub_consumer_left (DatahubHub *hub, const char *name,
    const char *uuid, guint64 id, const char *reason);
/* Ask for the notifications and consumers of blocks; @pattern may contain '*' and
 * '?'. Calls are counted: one unsubscribe for each subscribe. */
DATAHUB_API void datahub_hub_subscribe (DatahubHub *hub, const char *pattern);
DATAHUB_API void datahub_hub_unsubscribe (DatahubHub *hub, const char *pattern);
/* Sends @json, any JSON text or NULL, from the producer to all subscribers or from
 * a consumer to the producer. Discarded if there is no broker. */
DATAHUB_API void datahub_hub_send_notification (DatahubHub *hub,
    const char *name, const char *topic, const char *json);

/* ---- Queries. Each ends exactly once: with its answer or NULL and an error, as
 * NOT_FOUND, PENDING, DENIED, DISCONNECTED, TIMEOUT or cancelled. The first of
 * each group waits; the callback of the second one runs in the thread-default
 * context of its caller and calls the third. < 0: no limit of time. ---- */

/* The block @name, waited for up to @timeout_ns if there is none; 0 asks once. The
 * caller unrefs it. */
DATAHUB_API DatahubHubBlock *datahub_hub_find (DatahubHub *hub,
    const char *name, gint64 timeout_ns, GCancellable *cancellable,
    GError **error);
DATAHUB_API void datahub_hub_find_async (DatahubHub *hub, const char *name,
    gint64 timeout_ns, GCancellable *cancellable, GAsyncReadyCallback callback,
    gpointer user_data);
DATAHUB_API DatahubHubBlock *datahub_hub_find_finish (DatahubHub *hub,
    GAsyncResult *result, GError **error);

/* All blocks that this key may see, by name, as DatahubHubBlock; the caller unrefs
 * the array, which owns them. */
DATAHUB_API GPtrArray *datahub_hub_list (DatahubHub *hub, gint64 timeout_ns,
    GCancellable *cancellable, GError **error);
DATAHUB_API void datahub_hub_list_async (DatahubHub *hub, gint64 timeout_ns,
    GCancellable *cancellable, GAsyncReadyCallback callback,
    gpointer user_data);
DATAHUB_API GPtrArray *datahub_hub_list_finish (DatahubHub *hub,
    GAsyncResult *result, GError **error);

/* Any request of docs/protocol.md; @json: its fields, a JSON object, or NULL. The
 * answer is the text of a JSON object; the caller frees it with g_free(). */
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
