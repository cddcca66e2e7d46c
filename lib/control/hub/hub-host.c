/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The election: the process that holds the lock of the runtime directory hosts
 * the broker. The kernel gives the lock to one process and releases it when
 * that process dies; all other processes connect.
 * Tests: hub-election */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "control/broker/broker-private.h"

/* A broker that made way may end after this hub has found another one. */
void
hub_host_check (HubCore *core)
{
  if (core->host.broker && !datahub_broker_is_running (core->host.broker))
    hub_host_stop (core);
}

/* Hosts the broker if this hub may host it and no process does. Returns FALSE
 * only if hosting failed for another reason than that another process was
 * first. */
gboolean
hub_host_try (HubCore *core, GError **error)
{
  g_autoptr (GError) local = NULL;

  hub_host_check (core);
  if (!core->target.automatic || core->host.broker
      || (core->flags & DATAHUB_HUB_MONITOR)
      || g_get_monotonic_time () < core->host.hold_until_us)
    return TRUE;

  g_autoptr (DatahubBroker) broker = datahub_broker_new ();
  broker_set_embedded (broker);
  if (datahub_broker_start (broker, &local)) {
    core->host.broker = g_steal_pointer (&broker);
    g_atomic_int_set (&core->hosting, TRUE);
    control_log (G_LOG_LEVEL_DEBUG, "hosting", "this process hosts the broker");
    return TRUE;
  }
  if (g_error_matches (local, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Ends the embedded broker, if there is one; others take over. */
void
hub_host_stop (HubCore *core)
{
  if (!core->host.broker)
    return;
  datahub_broker_stop (core->host.broker);
  g_clear_object (&core->host.broker);
  g_atomic_int_set (&core->hosting, FALSE);
}
