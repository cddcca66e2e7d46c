/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The election: the process that holds the lock of the runtime directory hosts
 * the broker. The kernel gives the lock to one process and releases it when
 * that process dies; all other processes connect. A hub that gets the lock passes it to
 * a helper process. If no helper can be started, the broker runs in this process.
 * Tests: hub-election, hub-helper */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "hub-helper-log-private.h"
#include "hub-helper-private.h"
#include "control/broker/broker-private.h"
#include "control/wire/endpoint-private.h"

#include <unistd.h>

/* Helpers that ended before this hub reached them: the system lets a helper start, but
 * not serve. */
#define VAIN_HELPERS 2

#define REST_US (10 * G_USEC_PER_SEC)

typedef enum
{
  HOST_DONE, /* or another process was first */
  HOST_REFUSED, /* this way */
  HOST_FAILED
} HostResult;

/* Only another process that was first is no error. */
static HostResult
judge (GError *refusal, GError **error)
{
  gboolean first =
      g_error_matches (refusal, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY);

  if (first)
    g_error_free (refusal);
  else
    g_propagate_error (error, refusal);
  return first ? HOST_DONE : HOST_FAILED;
}

/* Copies of @lock and of the log's end are closed when the helper has its own. */
static gboolean
start_helper (HubCore *core, int lock, GError **error)
{
  g_autofree char *directory =
      g_path_get_dirname (endpoint_ipc_path (core->target.endpoint));
  int log = hub_helper_log_begin (core);
  gboolean started = hub_helper_start (directory, lock, log, error);

  close (lock);
  if (log >= 0)
    close (log);
  return started;
}

/* @refusal: why no helper can be started */
static HostResult
host_in_helper (HubCore *core, GError **refusal, GError **error)
{
  GError *busy = NULL;
  int lock = endpoint_lock (core->target.endpoint, &busy);

  if (lock < 0)
    return judge (busy, error);
  gboolean started = start_helper (core, lock, refusal);
  if (started) {
    core->host.vain_helpers++;
    control_log (G_LOG_LEVEL_DEBUG, "helper", "a helper hosts the broker");
    return HOST_DONE;
  }
  return HOST_REFUSED;
}

/* Each reason once, not with each try. */
static void
report_no_helper (HubCore *core, const GError *refusal)
{
  g_autofree char *text =
      g_strdup_printf ("%s, because no helper can be started: %s",
          core->host.broker ? "the broker runs in this process"
                            : "a broker could run in this process alone",
          refusal->message);

  if (g_strcmp0 (text, core->host.reported) == 0)
    return;
  control_log (G_LOG_LEVEL_MESSAGE, "no-helper", "%s", text);
  g_free (core->host.reported);
  core->host.reported = g_steal_pointer (&text);
}

static HostResult
host_here (HubCore *core, GError **error)
{
  GError *refusal = NULL;
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();

  broker_set_embedded (broker);
  if (!datahub_broker_start (broker, &refusal))
    return judge (refusal, error);
  core->host.broker = g_steal_pointer (&broker);
  g_atomic_int_set (&core->hosting, TRUE);
  control_log (G_LOG_LEVEL_DEBUG, "hosting", "this process hosts the broker");
  return HOST_DONE;
}

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
  HostResult result = HOST_REFUSED;
  g_autoptr (GError) refusal = NULL;

  hub_host_check (core);
  if (!core->target.automatic || core->host.broker
      || (core->flags & DATAHUB_HUB_MONITOR)
      || g_get_monotonic_time () < core->host.hold_until_us)
    return TRUE;
  if (hub_helper_is_wanted () && core->host.vain_helpers < VAIN_HELPERS)
    result = host_in_helper (core, &refusal, error);
  if (result == HOST_REFUSED)
    result = host_here (core, error);
  if (refusal)
    report_no_helper (core, refusal);
  return result == HOST_DONE;
}

/* A broker answered. */
void
hub_host_reached (HubCore *core)
{
  core->host.vain_helpers = 0;
}

/* Another process is to have the lock for a time. */
void
hub_host_leave (HubCore *core, gint64 us)
{
  core->host.hold_until_us =
      MAX (core->host.hold_until_us, g_get_monotonic_time () + us);
}

/* The helper of this process has too few descriptors for all clients: it has the limit
 * of this process, and that of another process can be higher. */
void
hub_host_rest (HubCore *core)
{
  hub_host_leave (core, REST_US);
}

/* Ends the embedded broker of this process, if there is one; others take over. */
void
hub_host_stop (HubCore *core)
{
  if (!core->host.broker)
    return;
  datahub_broker_stop (core->host.broker);
  g_clear_object (&core->host.broker);
  g_atomic_int_set (&core->hosting, FALSE);
}
