/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Outgoing notifications. */
#ifndef DATAHUB_HUB_NOTIFY_PRIVATE_H
#define DATAHUB_HUB_NOTIFY_PRIVATE_H

#include "hub-loop-private.h"

typedef struct
{
  GMutex lock; /* guards ready; taken last */
  GHashTable *ready; /* name -> the newest data-ready not sent yet */
  /* The hub thread's own. */
  GSource *source;
  gint64 sent_us; /* monotonic time of the last data-ready */
} HubNotices;

void hub_notices_init (HubNotices *notices);
void hub_notices_clear (HubNotices *notices);
void hub_notify (HubCore *core, const char *name, const char *topic,
    const char *json);

#endif /* DATAHUB_HUB_NOTIFY_PRIVATE_H */
