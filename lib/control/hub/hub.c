/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions of the hub: they check arguments and pass the work to
 * the hub's thread.
 * Tests: hub-questions, hub-signals */
#include "control/wire/control-log-private.h"
#include "hub-private.h"
#include <datahub/block.h>
#include "control/wire/endpoint-private.h"
#include "control/wire/resources-private.h"
#include "control/wire/runtime-dir-private.h"

#include <sodium.h>
#include <string.h>

enum
{
  PROP_0,
  PROP_FLAGS
};

G_DEFINE_TYPE (DatahubHub, datahub_hub, G_TYPE_OBJECT)

/**
 * datahub_hub_new:
 * @flags: how the hub behaves
 *
 * Makes a hub that is not connected yet. Its signals are emitted in the context
 * that is the thread-default one of the calling thread, unless
 * %DATAHUB_HUB_THREAD_SIGNALS is among @flags.
 *
 * If the system refuses the hub's thread or its descriptors, there still is a
 * hub: datahub_hub_connect_to() and each call with an answer fail with
 * %DATAHUB_HUB_ERROR_LIMIT.
 *
 * Freeing a hub leaves the broker, and ends the embedded one if this hub hosts
 * it (another process takes over); it takes a fraction of a second.
 *
 * Returns: (transfer full): a hub
 */
DatahubHub *
datahub_hub_new (DatahubHubFlags flags)
{
  return g_object_new (DATAHUB_TYPE_HUB, "flags", flags, NULL);
}

/* --- connecting --- */

typedef struct
{
  HubCore *core;
  HubTarget target;
} Connecting;

static void
connecting_free (gpointer data)
{
  Connecting *connecting = data;

  hub_core_unref (connecting->core);
  hub_target_clear (&connecting->target);
  g_free (connecting);
}

static gboolean
begin_to_connect (gpointer data)
{
  Connecting *connecting = data;
  HubCore *core = connecting->core;

  core->target = connecting->target;
  connecting->target = (HubTarget){ 0 };
  return hub_session_start (core);
}

static const char *
default_endpoint (const char *endpoint)
{
  if (!endpoint || !*endpoint)
    endpoint = g_getenv ("DATAHUB_BROKER");
  return endpoint && *endpoint ? endpoint : "auto";
}

/* An error that only the user can have made is reported at once. */
gboolean
hub_check_target (DatahubHubFlags flags, const char *endpoint,
    const char *server_key_file, const char *key_file, GError **error)
{
  char key[DATAHUB_KEY_TEXT + 1];
  g_auto (Keypair) pair = { 0 };
  g_autofree char *runtime = runtime_dir_name ();
  gboolean monitor = (flags & DATAHUB_HUB_MONITOR) != 0;
  gboolean automatic = strcmp (default_endpoint (endpoint), "auto") == 0;

  if (!automatic && !endpoint_check (default_endpoint (endpoint), error))
    return FALSE;
  if (server_key_file
      && !datahub_keys_load_public (server_key_file, key, error))
    return FALSE;
  if (key_file && !keypair_load (&pair, key_file, error))
    return FALSE;
  if (!automatic)
    return TRUE;
  /* A monitor also waits for the directory. */
  if (monitor && !g_file_test (runtime, G_FILE_TEST_EXISTS)
      && !g_file_test (runtime, G_FILE_TEST_IS_SYMLINK))
    return TRUE;
  g_autofree char *own = endpoint_runtime (!monitor, error);
  return own != NULL;
}

/**
 * datahub_hub_connect_to:
 * @hub: a hub that was not connected before
 * @endpoint: (nullable): `auto`, `ipc:///path` or `tcp://host:port`; %NULL:
 *   `$DATAHUB_BROKER`, else `auto`
 * @server_key_file: (nullable): a file with the broker's public key; %NULL:
 * that of the runtime directory
 * @key_file: (nullable): a file with the secret key of this client; %NULL: the
 *   own user's, from the runtime directory
 * @error: return location for a #GError
 *
 * Starts to connect, and from then on keeps the connection: if the broker
 * stops, the hub waits for the next one and registers everything again. With
 * `auto` the broker is that of the runtime directory; if there is none, a
 * helper process is started that hosts it. Reads small files; never waits.
 *
 * Returns: whether the arguments, the runtime directory and the key files are
 * valid
 */
gboolean
datahub_hub_connect_to (DatahubHub *hub, const char *endpoint,
    const char *server_key_file, const char *key_file, GError **error)
{
  g_return_val_if_fail (DATAHUB_IS_HUB (hub), FALSE);
  g_return_val_if_fail (!hub->connecting, FALSE);

  if (hub->refused) {
    g_propagate_error (error, g_error_copy (hub->refused));
    return FALSE;
  }
  if (!hub_check_target (hub->flags, endpoint, server_key_file, key_file,
          error))
    return FALSE;
  endpoint = default_endpoint (endpoint);
  Connecting *connecting = g_new0 (Connecting, 1);
  connecting->core = hub_core_ref (hub->core);
  connecting->target = (HubTarget){ .automatic = strcmp (endpoint, "auto") == 0,
    .endpoint = g_strdup (endpoint),
    .server_key_file = g_strdup (server_key_file),
    .key_file = g_strdup (key_file) };
  hub->connecting = TRUE;
  hub_core_post (hub->core, begin_to_connect, connecting, connecting_free);
  return TRUE;
}

gboolean
datahub_hub_is_connected (DatahubHub *hub)
{
  g_return_val_if_fail (DATAHUB_IS_HUB (hub), FALSE);
  return g_atomic_int_get (&hub->core->connected);
}

gboolean
datahub_hub_is_hosting (DatahubHub *hub)
{
  g_return_val_if_fail (DATAHUB_IS_HUB (hub), FALSE);
  return g_atomic_int_get (&hub->core->hosting);
}

gboolean
datahub_hub_check_broker (DatahubHub *hub, GError **error)
{
  gboolean well;

  g_return_val_if_fail (DATAHUB_IS_HUB (hub), FALSE);
  g_mutex_lock (&hub->core->problem_lock);
  well = !hub->core->problem;
  if (!well && error)
    *error = g_error_copy (hub->core->problem);
  g_mutex_unlock (&hub->core->problem_lock);
  return well;
}

/* --- the object --- */

static gboolean
quit (gpointer data)
{
  g_main_loop_quit (((HubCore *) data)->loop);
  return G_SOURCE_REMOVE;
}

/* The hub's thread. */
static gpointer
run (gpointer data)
{
  HubCore *core = data;

  g_main_context_push_thread_default (core->context);
  g_main_loop_run (core->loop);
  hub_session_stop (core);
  g_main_context_pop_thread_default (core->context);
  hub_core_unref (core);
  return NULL;
}

/* The last reference may go in the hub's own thread, which cannot wait for
 * itself: it ends by itself then. */
static void
datahub_hub_finalize (GObject *object)
{
  DatahubHub *hub = DATAHUB_HUB (object);

  hub_core_post (hub->core, quit, hub_core_ref (hub->core),
      (GDestroyNotify) hub_core_unref);
  if (hub->thread == g_thread_self ())
    g_thread_unref (hub->thread);
  else if (hub->thread)
    g_thread_join (hub->thread);
  g_clear_error (&hub->refused);
  hub_core_unref (hub->core);
  G_OBJECT_CLASS (datahub_hub_parent_class)->finalize (object);
}

static void
datahub_hub_constructed (GObject *object)
{
  DatahubHub *hub = DATAHUB_HUB (object);

  G_OBJECT_CLASS (datahub_hub_parent_class)->constructed (object);
  hub->core = hub_core_new (hub, hub->flags);
  if (!hub_core_open (hub->core, &hub->refused))
    return;
  hub->thread = wire_start_thread ("datahub-hub", run, hub_core_ref (hub->core),
      &hub->refused);
  if (!hub->thread) {
    hub_core_unref (hub->core);
    hub_core_close (hub->core);
  }
}

static void
datahub_hub_set_property (GObject *object, guint id, const GValue *value,
    GParamSpec *pspec)
{
  if (id == PROP_FLAGS)
    DATAHUB_HUB (object)->flags = g_value_get_uint (value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
datahub_hub_get_property (GObject *object, guint id, GValue *value,
    GParamSpec *pspec)
{
  if (id == PROP_FLAGS)
    g_value_set_uint (value, DATAHUB_HUB (object)->flags);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
datahub_hub_class_init (DatahubHubClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  if (sodium_init () < 0)
    g_error ("libsodium found no source of random numbers");
  object_class->constructed = datahub_hub_constructed;
  object_class->finalize = datahub_hub_finalize;
  object_class->set_property = datahub_hub_set_property;
  object_class->get_property = datahub_hub_get_property;
  g_object_class_install_property (object_class, PROP_FLAGS,
      g_param_spec_uint ("flags", "Flags", "DatahubHubFlags", 0, 3, 0,
          G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS));
  hub_signals_init (G_TYPE_FROM_CLASS (klass));
}

static void
datahub_hub_init (DatahubHub *hub)
{
}
