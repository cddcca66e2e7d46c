/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for the connection.
 * Tests: hub-questions, hub-silence */
#include "control/wire/control-log-private.h"
#include "hub-connect-private.h"
#include "hub-core-private.h"

typedef struct
{
  HubWait wait; /* first */
  GTask *task; /* owned until it is answered */
} ConnectWait;

static void
connect_wait_free (gpointer data)
{
  ConnectWait *connect_wait = data;

  g_free (connect_wait);
}

static void
end_connect_wait (ConnectWait *connect_wait, GError *error)
{
  HubCore *core = connect_wait->wait.core;

  if (!hub_wait_end (&connect_wait->wait)) {
    g_clear_error (&error);
    return;
  }
  core->connect_waits = g_list_remove (core->connect_waits, connect_wait);
  hub_task_return (connect_wait->task, GINT_TO_POINTER (TRUE), NULL, error);
  hub_wait_unref (connect_wait);
}

static void
cut_connect_wait (HubWait *wait, GError *reason)
{
  if (wait->core->session.error
      && g_error_matches (reason, DATAHUB_HUB_ERROR,
          DATAHUB_HUB_ERROR_TIMEOUT)) {
    g_error_free (reason);
    reason = g_error_copy (wait->core->session.error);
  }
  end_connect_wait ((ConnectWait *) wait, reason);
}

/* Ends @task (taken) when there is a connection, or why there will be none. */
void
hub_connect_wait_begin (HubCore *core, GTask *task, gint64 timeout_ns)
{
  ConnectWait *connect_wait = g_new0 (ConnectWait, 1);

  connect_wait->task = task;
  connect_wait->wait.cut = cut_connect_wait;
  connect_wait->wait.free_func = connect_wait_free;
  core->connect_waits = g_list_prepend (core->connect_waits, connect_wait);
  hub_wait_begin (&connect_wait->wait, core, hub_wait_us (timeout_ns),
      g_task_get_cancellable (task));
  if (core->session.state == HUB_CONNECTED)
    end_connect_wait (connect_wait, NULL);
  else if (core->session.reported)
    end_connect_wait (connect_wait, g_error_copy (core->session.error));
}

/* Ends all waits for the connection, well (NULL) or with @error. */
void
hub_connect_waits_end (HubCore *core, const GError *error)
{
  while (core->connect_waits)
    end_connect_wait (core->connect_waits->data,
        error ? g_error_copy (error) : NULL);
}
