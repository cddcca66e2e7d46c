/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A timer that runs whenever the monotonic time is a multiple of its period. The broker
 * and the hubs of all processes look at each other at the same moment, so most of them
 * find their code in the caches of the processor. Nothing is sent in step.
 * Tests: hub-rest, hub-loss, broker-liveness */
#include "even-source-private.h"

typedef struct
{
  GSource base;
  gint64 period_us;
} EvenSource;

static void
set_next (GSource *source)
{
  gint64 period = ((EvenSource *) source)->period_us;
  gint64 now = g_get_monotonic_time ();

  g_source_set_ready_time (source, now - now % period + period);
}

static gboolean
dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  set_next (source);
  return func (data);
}

static GSourceFuncs even_source_funcs = { .dispatch = dispatch };

/* Returns: (transfer full): a source that is not attached */
GSource *
wire_even_source_new (guint ms)
{
  GSource *source = g_source_new (&even_source_funcs, sizeof (EvenSource));

  ((EvenSource *) source)->period_us = ms * G_TIME_SPAN_MILLISECOND;
  set_next (source);
  return source;
}
