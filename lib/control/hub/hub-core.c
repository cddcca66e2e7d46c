/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the state of a hub from the structures of its files, and frees it.
 * Tests: hub-signals, hub-election */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "hub-events-private.h"

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
  g_main_loop_unref (core->loop);
  g_main_context_unref (core->signal_context);
  g_main_context_unref (core->context);
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
  core->context = g_main_context_new ();
  core->signal_context = g_main_context_ref_thread_default ();
  core->loop = g_main_loop_new (core->context, FALSE);
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
