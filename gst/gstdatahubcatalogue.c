/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hub that observes. Its thread stores what the broker announces, and ends the wait
 * of the thread that looks at the blocks.
 * Tests: gst-devices */
#include "gstdatahubcatalogue.h"

#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_directory_debug);
#define GST_CAT_DEFAULT gst_datahub_directory_debug

/* Together less than the half second that a probe may take. */
#define CONNECT_NS (G_GINT64_CONSTANT (250) * GST_MSECOND)
#define ANSWER_NS (G_GINT64_CONSTANT (100) * GST_MSECOND)
#define MAX_BLOCKS 4096

struct _GstDatahubCatalogue
{
  gatomicrefcount refs; /* the owner's, and one of each handler of a signal */
  DatahubHub *hub; /* NULL: none; the owner's */
  gulong handlers[2];

  /* Guards all below. Leaf, but for the lock inside of a watch. */
  GMutex lock;
  GHashTable *blocks; /* of DatahubHubBlock, by their names */
  GHashTable *news; /* names of which the description changed; owned */
  DatahubWatch *watch; /* not owned; may be NULL */
};

static void
catalogue_unref (GstDatahubCatalogue *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_hash_table_unref (self->blocks);
  g_hash_table_unref (self->news);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
handler_closed (gpointer data, GClosure *closure)
{
  catalogue_unref (data);
}

/* The lock is held. */
static void
note (GstDatahubCatalogue *self, const gchar *name)
{
  if (g_hash_table_size (self->news) < MAX_BLOCKS)
    g_hash_table_add (self->news, g_strdup (name));
  if (self->watch)
    datahub_watch_set_interrupted (self->watch, true);
}

/* The lock is held. */
static void
store (GstDatahubCatalogue *self, DatahubHubBlock *block)
{
  const gchar *name = datahub_hub_block_get_name (block);
  if (!g_hash_table_contains (self->blocks, name)
      && g_hash_table_size (self->blocks) >= MAX_BLOCKS)
    return;
  g_hash_table_replace (self->blocks, (gpointer) name,
      datahub_hub_block_ref (block));
  note (self, name);
}

/* The hub's thread. */
static void
on_added (DatahubHub *hub, DatahubHubBlock *block, gpointer user_data)
{
  GstDatahubCatalogue *self = user_data;
  g_mutex_lock (&self->lock);
  store (self, block);
  g_mutex_unlock (&self->lock);
}

/* The hub's thread. */
static void
on_removed (DatahubHub *hub, DatahubHubBlock *block, const gchar *reason,
    gpointer user_data)
{
  GstDatahubCatalogue *self = user_data;
  const gchar *name = datahub_hub_block_get_name (block);
  DatahubHubBlock *known;
  g_mutex_lock (&self->lock);
  known = g_hash_table_lookup (self->blocks, name);
  if (known
      && g_str_equal (datahub_hub_block_get_uuid (known),
          datahub_hub_block_get_uuid (block))) {
    note (self, name);
    g_hash_table_remove (self->blocks, name);
  }
  g_mutex_unlock (&self->lock);
}

static gulong
hear (GstDatahubCatalogue *self, const gchar *signal, GCallback callback)
{
  g_atomic_ref_count_inc (&self->refs);
  return g_signal_connect_data (self->hub, signal, callback, self,
      handler_closed, (GConnectFlags) 0);
}

static void
connect_hub (GstDatahubCatalogue *self,
    const GstDatahubDirectoryOptions *options)
{
  g_autoptr (GError) error = NULL;
  self->hub =
      datahub_hub_new (DATAHUB_HUB_MONITOR | DATAHUB_HUB_THREAD_SIGNALS);
  self->handlers[0] = hear (self, "block-added", G_CALLBACK (on_added));
  self->handlers[1] = hear (self, "block-removed", G_CALLBACK (on_removed));
  if (!datahub_hub_connect_to (self->hub, options->broker,
          options->curve_server_key, options->curve_key_file, &error))
    GST_WARNING ("blocks are found by name only: %s", error->message);
}

/**
 * gst_datahub_catalogue_new:
 * @options: the broker
 *
 * Begins to connect; does not wait.
 */
GstDatahubCatalogue *
gst_datahub_catalogue_new (const GstDatahubDirectoryOptions *options)
{
  GstDatahubCatalogue *self = g_new0 (GstDatahubCatalogue, 1);
  const gchar *broker =
      options->broker ? options->broker : g_getenv ("DATAHUB_BROKER");
  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->blocks = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
      (GDestroyNotify) datahub_hub_block_unref);
  self->news = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (g_strcmp0 (broker, "none") != 0)
    connect_hub (self, options);
  return self;
}

/* Waits until the blocks are known that a broker knows now; a third of a second at
 * most. */
void
gst_datahub_catalogue_wait (GstDatahubCatalogue *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) blocks = NULL;
  if (!self->hub)
    return;
  if (datahub_hub_wait_connected (self->hub, CONNECT_NS, NULL, &error))
    blocks = datahub_hub_list (self->hub, ANSWER_NS, NULL, &error);
  if (!blocks)
    GST_DEBUG ("no list of a broker: %s", error->message);
  g_mutex_lock (&self->lock);
  for (guint i = 0; blocks && i < blocks->len; i++)
    store (self, g_ptr_array_index (blocks, i));
  g_mutex_unlock (&self->lock);
}

/* News end the waits of @watch from now on; NULL: of none. */
void
gst_datahub_catalogue_set_watch (GstDatahubCatalogue *self, DatahubWatch *watch)
{
  g_mutex_lock (&self->lock);
  self->watch = watch;
  g_mutex_unlock (&self->lock);
}

gboolean
gst_datahub_catalogue_is_connected (GstDatahubCatalogue *self)
{
  return self->hub && datahub_hub_is_connected (self->hub);
}

/**
 * gst_datahub_catalogue_get:
 * @self: a catalogue
 * @name: of a block
 * @news: (out): whether its description changed since the last call
 *
 * Returns: (transfer full) (nullable): what the broker knows of it
 */
DatahubHubBlock *
gst_datahub_catalogue_get (GstDatahubCatalogue *self, const gchar *name,
    gboolean *news)
{
  DatahubHubBlock *block;
  g_mutex_lock (&self->lock);
  *news = g_hash_table_remove (self->news, name);
  block = g_hash_table_lookup (self->blocks, name);
  if (block)
    datahub_hub_block_ref (block);
  g_mutex_unlock (&self->lock);
  return block;
}

/* Adds copies of the names that the broker knows to the set @names. */
void
gst_datahub_catalogue_add_names (GstDatahubCatalogue *self, GHashTable *names)
{
  GHashTableIter iter;
  gpointer name;
  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->blocks);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_hash_table_add (names, g_strdup (name));
  g_mutex_unlock (&self->lock);
}

/* A handler that runs meanwhile finishes. */
void
gst_datahub_catalogue_free (GstDatahubCatalogue *self)
{
  gst_datahub_catalogue_set_watch (self, NULL);
  for (guint i = 0; self->hub && i < G_N_ELEMENTS (self->handlers); i++)
    g_signal_handler_disconnect (self->hub, self->handlers[i]);
  g_clear_object (&self->hub);
  catalogue_unref (self);
}
