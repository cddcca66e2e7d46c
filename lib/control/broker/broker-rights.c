/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rights of the key of a request. A refusal is logged.
 * Tests: broker-access, broker-denials */
#include "control/wire/control-log-private.h"
#include "broker-handlers-private.h"
#include "control/wire/control-error-private.h"
#include <datahub/hub.h>

gboolean
broker_may (BrokerCall *call, Right right, const char *name)
{
  return rights_allow (call->broker->rights, call->key, right, name);
}

void
broker_log_denied (BrokerCall *call, Right right, const char *name)
{
  const BrokerClient *client = call->client;
  g_autofree char *from = client ? g_strdup_printf ("%s (pid %d, host %s)",
                              client->program, client->pid, client->host)
                                 : NULL;

  denials_log (&call->broker->denials,
      &(Refusal){ name, right_word (right), call->key, from,
          client ? client->pid : 0 });
}

gboolean
broker_need (BrokerCall *call, Right right, const char *name, GError **error)
{
  if (broker_may (call, right, name))
    return TRUE;
  broker_log_denied (call, right, name);
  return message_refuse (error, DATAHUB_HUB_ERROR_DENIED,
      "this key has no right to %s %s", right_word (right), name);
}

/* A list of keys has no effect on the consumers of a default block. */
void
broker_warn_unbound (BrokerCall *call, const BlockEntry *block)
{
  guint64 others;

  if (block->strict || !*block->uuid
      || !rights_are_listed (call->broker->rights)
      || !denials_note (&call->broker->unbound, block->name,
          g_get_monotonic_time (), &others))
    return;
  control_log (G_LOG_LEVEL_MESSAGE, "consume-unbound",
      "block %s is not strict, so the right to consume it binds no process: each "
      "process of the producer's user can open its files, and no other can. Set "
      "strict=true on its datahubsink if the allow-list is to decide",
      block->name);
}
