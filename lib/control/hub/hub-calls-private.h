/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and their answers. */
#ifndef DATAHUB_HUB_CALLS_PRIVATE_H
#define DATAHUB_HUB_CALLS_PRIVATE_H

#include "hub-wait-private.h"

#include "control/wire/message-private.h"

typedef struct
{
  Token epoch; /* of the broker; empty until "hello" is answered */
  gint64 next_id;
  GHashTable *sent; /* id -> calls; the table owns neither */
  GQueue unsent; /* calls made while there is no connection */
  guint64 unmatched; /* answers to no open request */
} HubCalls;

typedef void (*HubCallDone) (json_t *reply, const GError *error,
    gpointer user_data);

void hub_calls_init (HubCalls *calls);
void hub_calls_clear (HubCalls *calls);
void hub_call (HubCore *core, json_t *message, gint64 timeout_us,
    GCancellable *cancellable, HubCallDone done, gpointer user_data);
void hub_call_greeting (HubCore *core, json_t *message, gint64 timeout_us,
    HubCallDone done);
void hub_send_quiet (HubCore *core, json_t *message);
void hub_send_bye (HubCore *core);
void hub_calls_send_waiting (HubCore *core);
void hub_calls_lost (HubCore *core, const GError *reason, gboolean closed);
gboolean hub_calls_answer (HubCore *core, json_t *message, gboolean ok);
void hub_calls_count_unmatched (HubCore *core, const char *problem);

#endif /* DATAHUB_HUB_CALLS_PRIVATE_H */
