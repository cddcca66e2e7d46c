/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log of the helper process in this one; see hub-helper-log.c. */
#ifndef DATAHUB_HUB_HELPER_LOG_PRIVATE_H
#define DATAHUB_HUB_HELPER_LOG_PRIVATE_H

#include "hub-core-private.h"

int hub_helper_log_begin (HubCore *core);
void hub_helper_log_end (HubCore *core);

#endif /* DATAHUB_HUB_HELPER_LOG_PRIVATE_H */
