/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_TICKET_H
#define DATAHUB_TICKET_H

#include <datahub/types.h>

DATAHUB_BEGIN_DECLS

#define DATAHUB_TICKET_SIZE 128
#define DATAHUB_TICKET_CLIENT_SIZE 32

/* A new secret for a block. */
DATAHUB_API DatahubResult datahub_secret_generate (uint8_t *secret,
    DatahubError *error);

/* Lets one consumer in, once, at a strict block that was made with a secret. */
DATAHUB_API DatahubResult datahub_ticket_make (const uint8_t *secret,
    const char *uuid, const uint8_t *client, int64_t lifetime_ns,
    uint8_t *ticket, DatahubError *error);

DATAHUB_END_DECLS

#endif /* DATAHUB_TICKET_H */
