/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The embedded broker; see hub-host.c. */
#ifndef DATAHUB_HUB_HOST_PRIVATE_H
#define DATAHUB_HUB_HOST_PRIVATE_H

#include "hub-loop-private.h"

#include <datahub/broker.h>

typedef struct _HelperLog HelperLog;

typedef struct
{
  DatahubBroker *broker; /* NULL: this hub does not host it */
  gint64 hold_until_us; /* another process is to have the lock until then */
  guint vain_helpers; /* started since a broker answered last */
  char *reported; /* why no helper can be started; owned */
  GSList *logs; /* of HelperLog, the last first; owned */
} HubHost;

void hub_host_check (HubCore *core);
gboolean hub_host_try (HubCore *core, GError **error);
void hub_host_reached (HubCore *core);
void hub_host_leave (HubCore *core, gint64 us);
void hub_host_rest (HubCore *core);
void hub_host_stop (HubCore *core);

#endif /* DATAHUB_HUB_HOST_PRIVATE_H */
