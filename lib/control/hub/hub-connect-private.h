/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for the connection. */
#ifndef DATAHUB_HUB_CONNECT_PRIVATE_H
#define DATAHUB_HUB_CONNECT_PRIVATE_H

#include "hub-wait-private.h"

void hub_connect_wait_begin (HubCore *core, GTask *task, gint64 timeout_ns);
void hub_connect_waits_end (HubCore *core, const GError *error);

#endif /* DATAHUB_HUB_CONNECT_PRIVATE_H */
