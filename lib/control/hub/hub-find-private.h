/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking for one block, and listing all. */
#ifndef DATAHUB_HUB_FIND_PRIVATE_H
#define DATAHUB_HUB_FIND_PRIVATE_H

#include "hub-wait-private.h"

void hub_find_begin (HubCore *core, GTask *task, const char *name,
    gint64 timeout_ns);
void hub_finds_ask (HubCore *core, const char *name);
void hub_list_begin (HubCore *core, GTask *task, gint64 timeout_ns);

#endif /* DATAHUB_HUB_FIND_PRIVATE_H */
