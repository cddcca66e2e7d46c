/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of the broker. */
#ifndef DATAHUB_HUB_EVENTS_PRIVATE_H
#define DATAHUB_HUB_EVENTS_PRIVATE_H

#include "hub-loop-private.h"

void hub_receive (HubCore *core, const void *data, gsize size);

#endif /* DATAHUB_HUB_EVENTS_PRIVATE_H */
