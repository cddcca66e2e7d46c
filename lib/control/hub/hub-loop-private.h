/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hub's thread as other files see it: references to the core, and work that
 * runs in the thread. */
#ifndef DATAHUB_HUB_LOOP_PRIVATE_H
#define DATAHUB_HUB_LOOP_PRIVATE_H

#include <datahub/hub.h>

/* Of timers: below the sockets', so that an answer that is here already beats its own
 * deadline. */
#define HUB_TIMER_PRIORITY (G_PRIORITY_DEFAULT + 10)

typedef struct _HubCore HubCore;

HubCore *hub_core_ref (HubCore *core);
void hub_core_unref (HubCore *core);
void hub_core_post (HubCore *core, GSourceFunc func, gpointer data,
    GDestroyNotify destroy);
GSource *hub_core_after (HubCore *core, guint ms, GSourceFunc func,
    gpointer data);
GSource *hub_core_evenly (HubCore *core, guint ms, GSourceFunc func,
    gpointer data);
void hub_clear_source (GSource **source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubCore, hub_core_unref)

#endif /* DATAHUB_HUB_LOOP_PRIVATE_H */
