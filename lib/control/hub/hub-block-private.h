/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Construction of DatahubHubBlock; see hub-block.c. */
#ifndef DATAHUB_HUB_BLOCK_PRIVATE_H
#define DATAHUB_HUB_BLOCK_PRIVATE_H

#include <datahub/hub-block.h>
#include "control/wire/message-private.h"

DatahubHubBlock *hub_block_from_json (json_t *json, GError **error);
void hub_block_set_ticket (DatahubHubBlock *block,
    const guint8 ticket[DATAHUB_TICKET_SIZE]);
void hub_block_set_secret (DatahubHubBlock *block,
    const guint8 secret[DATAHUB_SECRET_SIZE]);
gboolean hub_block_same (DatahubHubBlock *a, DatahubHubBlock *b);

#endif /* DATAHUB_HUB_BLOCK_PRIVATE_H */
