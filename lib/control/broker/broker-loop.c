/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work for the broker's thread that is done later, and the end of the thread.
 * Tests: broker-liveness, hub-election */
#include "control/wire/control-log-private.h"
#include "broker-private.h"

/* Runs @func in the broker's thread after @ms. The broker's own thread.
 *
 * Returns: (transfer full): the source */
GSource *
broker_run_in (DatahubBroker *broker, guint ms, GSourceFunc func)
{
  GSource *source = g_timeout_source_new (ms);

  g_source_set_callback (source, func, broker, NULL);
  g_source_attach (source, broker->context);
  return source;
}

static gboolean
quit_now (gpointer user_data)
{
  g_main_loop_quit (((DatahubBroker *) user_data)->loop);
  return G_SOURCE_REMOVE;
}

/* Ends the thread's loop after @ms. Any thread. */
void
broker_quit_after (DatahubBroker *broker, guint ms)
{
  GSource *source = ms ? g_timeout_source_new (ms) : g_idle_source_new ();

  g_source_set_callback (source, quit_now, broker, NULL);
  g_source_attach (source, broker->context);
  g_source_unref (source);
}

/* Takes no new clients from now on, and ends after @ms. The broker's own
 * thread. */
void
broker_quit_soon (DatahubBroker *broker, guint ms)
{
  broker->closing = TRUE;
  broker_quit_after (broker, ms);
}
