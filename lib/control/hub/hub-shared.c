/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One hub for all elements of a process that talk to the same broker with the
 * same keys.
 * Tests: hub-questions */
#include "control/wire/control-log-private.h"
#include "hub-private.h"

static GMutex shared_lock; /* guards shared; taken alone */
static GHashTable *shared; /* key -> GWeakRef of a hub */

static void
weak_free (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

static char *
key_of (const char *endpoint, const char *server_key_file, const char *key_file)
{
  return g_strjoin ("\n", endpoint ? endpoint : "",
      server_key_file ? server_key_file : "", key_file ? key_file : "", NULL);
}

static DatahubHub *
lookup (const char *key)
{
  GWeakRef *weak;
  DatahubHub *hub = NULL;

  g_mutex_lock (&shared_lock);
  if (!shared)
    shared = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, weak_free);
  weak = g_hash_table_lookup (shared, key);
  if (weak)
    hub = g_weak_ref_get (weak);
  g_mutex_unlock (&shared_lock);
  return hub;
}

/* Puts @hub in its place unless another thread was first; then that one's is
 * returned. */
static DatahubHub *
remember (char *key, DatahubHub *hub)
{
  GWeakRef *weak;
  DatahubHub *other = NULL;

  g_mutex_lock (&shared_lock);
  weak = g_hash_table_lookup (shared, key);
  if (weak)
    other = g_weak_ref_get (weak);
  if (!other) {
    weak = g_new0 (GWeakRef, 1);
    g_weak_ref_init (weak, hub);
    g_hash_table_replace (shared, g_strdup (key), weak);
  }
  g_mutex_unlock (&shared_lock);
  return other;
}

/**
 * datahub_hub_get_shared:
 * @endpoint: (nullable): as in datahub_hub_connect_to()
 * @server_key_file: (nullable): as there
 * @key_file: (nullable): as there
 * @error: return location for a #GError
 *
 * The hub of this process for this broker and these keys; the first call
 * creates it. Its signals are emitted in the hub's own thread
 * (%DATAHUB_HUB_THREAD_SIGNALS). Any thread; never waits.
 *
 * Returns: (transfer full): the hub; it ends with its last reference
 */
DatahubHub *
datahub_hub_get_shared (const char *endpoint, const char *server_key_file,
    const char *key_file, GError **error)
{
  g_autofree char *key = key_of (endpoint, server_key_file, key_file);
  DatahubHub *hub = lookup (key);

  if (hub)
    return hub;
  if (!hub_check_target (DATAHUB_HUB_THREAD_SIGNALS, endpoint, server_key_file,
          key_file, error))
    return NULL;
  g_autoptr (DatahubHub) made = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  if (made->refused) {
    g_propagate_error (error, g_error_copy (made->refused));
    return NULL;
  }
  DatahubHub *other = remember (key, made);
  if (other)
    return other;
  if (!datahub_hub_connect_to (made, endpoint, server_key_file, key_file,
          error))
    return NULL;
  return g_steal_pointer (&made);
}
