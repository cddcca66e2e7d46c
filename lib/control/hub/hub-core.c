/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the state of a hub from the structures of its files, and frees it.
 * Tests: hub-signals, hub-election */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "hub-events-private.h"
#include "control/wire/resources-private.h"

/* What the contexts of a hub take: its own, that of the thread that made it if
 * it is the first there, and one for a call that waits. */
#define CONTEXT_DESCRIPTORS 3
/* The hub's, and one that GLib starts with the first task. */
#define HUB_THREADS 2

/* Makes the contexts, if the system grants what they and the thread take. */
gboolean
hub_core_open (HubCore *core, GError **error)
{
  if (!wire_try_resources ("the connection to the broker", CONTEXT_DESCRIPTORS,
          HUB_THREADS, error))
    return FALSE;
  /* GLib's thread starts here, before the hub's tries take threads. */
  g_type_ensure (G_TYPE_TASK);
  core->context = g_main_context_new ();
  core->signal_context = g_main_context_ref_thread_default ();
  core->loop = g_main_loop_new (core->context, FALSE);
  return TRUE;
}

/* The core has no thread, or its thread has ended. */
void
hub_core_close (HubCore *core)
{
  g_clear_pointer (&core->loop, g_main_loop_unref);
  g_clear_pointer (&core->signal_context, g_main_context_unref);
  g_clear_pointer (&core->context, g_main_context_unref);
}

static void
core_free (HubCore *core)
{
  hub_back_unref (core->back);
  hub_notices_clear (&core->notices);
  hub_calls_clear (&core->calls);
  hub_offers_clear (&core->offers);
  hub_catalogue_clear (&core->catalogue);
  g_clear_error (&core->session.error);
  g_clear_error (&core->problem);
  g_mutex_clear (&core->problem_lock);
  hub_target_clear (&core->target);
  g_free (core->host.reported);
  hub_core_close (core);
  g_free (core);
}

HubCore *
hub_core_new (DatahubHub *hub, DatahubHubFlags flags)
{
  HubCore *core = g_new0 (HubCore, 1);

  g_atomic_ref_count_init (&core->refs);
  core->free_func = core_free;
  core->back = hub_back_new (hub);
  core->flags = flags;
  token_new (core->instance);
  core->link.events =
      (HubLinkEvents){ hub_session_up, hub_session_down, hub_receive };
  g_mutex_init (&core->problem_lock);
  hub_notices_init (&core->notices);
  hub_calls_init (&core->calls);
  hub_offers_init (&core->offers);
  hub_catalogue_init (&core->catalogue);
  return core;
}
