/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hub's thread and its queue of work. The core is shared by the thread and
 * the object, and either can be released first.
 * Tests: hub-questions, hub-loss */
#include "control/wire/control-log-private.h"
#include "hub-private.h"

/* Below the sockets': an answer that is here already beats its own deadline. */
#define TIMER_PRIORITY (G_PRIORITY_DEFAULT + 10)

HubCore *
hub_core_new (DatahubHub *hub, DatahubHubFlags flags)
{
  HubCore *core = g_new0 (HubCore, 1);

  g_atomic_ref_count_init (&core->refs);
  core->back = hub_back_new (hub);
  g_mutex_init (&core->ready_lock);
  core->flags = flags;
  core->context = g_main_context_new ();
  core->signal_context = g_main_context_ref_thread_default ();
  core->loop = g_main_loop_new (core->context, FALSE);
  token_new (core->instance);
  core->ready = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  core->calls = g_hash_table_new (g_int64_hash, g_int64_equal);
  core->offers =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, offer_free);
  core->joins = g_ptr_array_new_with_free_func (join_free);
  core->subscriptions =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  core->catalogue =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, known_free);
  g_queue_init (&core->waiting);
  return core;
}

HubCore *
hub_core_ref (HubCore *core)
{
  g_atomic_ref_count_inc (&core->refs);
  return core;
}

void
hub_core_unref (HubCore *core)
{
  if (!g_atomic_ref_count_dec (&core->refs))
    return;
  hub_back_unref (core->back);
  g_mutex_clear (&core->ready_lock);
  g_hash_table_unref (core->ready);
  g_hash_table_unref (core->calls);
  g_hash_table_unref (core->offers);
  g_ptr_array_unref (core->joins);
  g_hash_table_unref (core->subscriptions);
  g_hash_table_unref (core->catalogue);
  g_clear_error (&core->error);
  g_free (core->endpoint);
  g_free (core->server_key_file);
  g_free (core->key_file);
  g_main_loop_unref (core->loop);
  g_main_context_unref (core->signal_context);
  g_main_context_unref (core->context);
  g_free (core);
}

/* Has @func run once in the hub's thread, after all that was posted before. Any
 * thread; returns at once. */
void
hub_core_post (HubCore *core, GSourceFunc func, gpointer data,
    GDestroyNotify destroy)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, data, destroy);
  g_source_attach (source, core->context);
  g_source_unref (source);
}

/* Runs @func in the hub's thread after @ms, and again while it returns
 * %G_SOURCE_CONTINUE. */
GSource *
hub_core_after (HubCore *core, guint ms, GSourceFunc func, gpointer data)
{
  GSource *source = g_timeout_source_new (ms);

  g_source_set_priority (source, TIMER_PRIORITY);
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, core->context);
  return source;
}

void
hub_clear_source (GSource **source)
{
  if (*source) {
    g_source_destroy (*source);
    g_clear_pointer (source, g_source_unref);
  }
}

/* The thread. */
gpointer
hub_core_run (gpointer data)
{
  HubCore *core = data;

  g_main_context_push_thread_default (core->context);
  g_main_loop_run (core->loop);
  hub_session_stop (core);
  g_main_context_pop_thread_default (core->context);
  hub_core_unref (core);
  return NULL;
}
