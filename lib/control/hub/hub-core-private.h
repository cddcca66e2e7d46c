/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a hub. Each structure in it belongs to the file of its name. A
 * function must only be called in the hub's thread, unless its comment has the
 * words "any thread". The same holds for the fields below the comment that marks
 * them. */
#ifndef DATAHUB_HUB_CORE_PRIVATE_H
#define DATAHUB_HUB_CORE_PRIVATE_H

#include "hub-calls-private.h"
#include "hub-catalogue-private.h"
#include "hub-host-private.h"
#include "hub-link-private.h"
#include "hub-notify-private.h"
#include "hub-offers-private.h"
#include "hub-session-private.h"
#include "hub-signals-private.h"

struct _HubCore
{
  gatomicrefcount refs;
  void (*free_func) (HubCore *core); /* of the whole */
  HubBack *back; /* owned */
  DatahubHubFlags flags;
  /* These three are NULL if the system refused the hub's thread. */
  GMainContext *context; /* of the hub's thread */
  GMainContext *signal_context; /* of the thread that made the hub */
  GMainLoop *loop;
  int connected, hosting; /* atomic */
  Token instance;
  HubNotices notices; /* its lock guards part of it */
  GMutex problem_lock; /* guards `problem`; innermost */
  GError *problem; /* that lasts; owned; NULL: none */

  /* The hub thread's own from here. */
  HubTarget target;
  HubSession session;
  HubLink link;
  HubHost host;
  HubCalls calls;
  HubOffers offers;
  HubCatalogue catalogue;
  GList *finds, *connect_waits;
};

HubCore *hub_core_new (DatahubHub *hub, DatahubHubFlags flags);
gboolean hub_core_open (HubCore *core, GError **error);
void hub_core_close (HubCore *core);

#endif /* DATAHUB_HUB_CORE_PRIVATE_H */
