/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deadlines and cancellation of one operation, and the completion of its task. */
#ifndef DATAHUB_HUB_WAIT_PRIVATE_H
#define DATAHUB_HUB_WAIT_PRIVATE_H

#include "hub-loop-private.h"

typedef struct _HubWait HubWait;

/* An operation with a deadline that may be cancelled. Embedded first in the
 * structure of the operation; ends exactly once. */
struct _HubWait
{
  gatomicrefcount refs;
  HubCore *core; /* owned */
  GSource *timer;
  GCancellable *cancellable;
  gulong handler;
  gboolean ended;
  void (*cut) (HubWait *wait, GError *reason); /* takes the reason */
  GDestroyNotify free_func; /* of the whole */
};

void hub_wait_begin (HubWait *wait, HubCore *core, gint64 timeout_us,
    GCancellable *cancellable);
gboolean hub_wait_end (HubWait *wait);
gpointer hub_wait_ref (HubWait *wait);
void hub_wait_unref (gpointer wait);
gint64 hub_wait_us (gint64 timeout_ns);

void hub_task_return (GTask *task, gpointer result, GDestroyNotify free_func,
    GError *error);

#endif /* DATAHUB_HUB_WAIT_PRIVATE_H */
