/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rights of the key of a request. What it may not is logged.
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
  denials_log (&call->broker->denials, name, right_word (right), call->key,
      call->client ? call->client->pid : 0);
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
