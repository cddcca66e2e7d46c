/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hub's thread and its queue of work. The core is shared by the thread and
 * the object, and either can be released first.
 * Tests: hub-questions, hub-signals */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "control/wire/even-source-private.h"

HubCore *
hub_core_ref (HubCore *core)
{
  g_atomic_ref_count_inc (&core->refs);
  return core;
}

void
hub_core_unref (HubCore *core)
{
  if (g_atomic_ref_count_dec (&core->refs))
    core->free_func (core);
}

/* Has @func run once in the hub's thread, after all that was posted before. A
 * hub without a thread frees @data at once. Any thread; returns at once. */
void
hub_core_post (HubCore *core, GSourceFunc func, gpointer data,
    GDestroyNotify destroy)
{
  GSource *source;

  if (!core->context) {
    destroy (data);
    return;
  }
  source = g_idle_source_new ();
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

  g_source_set_priority (source, HUB_TIMER_PRIORITY);
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, core->context);
  return source;
}

/* As hub_core_after(), in step with other processes. */
GSource *
hub_core_evenly (HubCore *core, guint ms, GSourceFunc func, gpointer data)
{
  GSource *source = wire_even_source_new (ms);

  g_source_set_priority (source, HUB_TIMER_PRIORITY);
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
