/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets of blocks, and tickets: a ticket admits one consumer once at a strict
 * block that was made with a secret. Any thread; nothing here blocks. */
#ifndef DATAHUB_TICKET_H
#define DATAHUB_TICKET_H

#include <datahub/types.h>

DATAHUB_BEGIN_DECLS

/* Bytes of a ticket, and of the name of the client that it is for. */
#define DATAHUB_TICKET_SIZE 128
#define DATAHUB_TICKET_CLIENT_SIZE 32

/* Writes DATAHUB_SECRET_SIZE random bytes to @secret; the caller should wipe them
 * after use. Fails with SYSTEM. */
DATAHUB_API DatahubResult datahub_secret_generate (uint8_t *secret,
    DatahubError *error);

/* Writes a ticket of DATAHUB_TICKET_SIZE bytes for the block with @secret and
 * @uuid (32 hexadecimal digits). @client is DATAHUB_TICKET_CLIENT_SIZE bytes, or
 * NULL: for no particular client. @lifetime_ns is at most 60 s, 0: 10 s. Fails
 * with INVALID or SYSTEM. */
DATAHUB_API DatahubResult datahub_ticket_make (const uint8_t *secret,
    const char *uuid, const uint8_t *client, int64_t lifetime_ns,
    uint8_t *ticket, DatahubError *error);

DATAHUB_END_DECLS

#endif /* DATAHUB_TICKET_H */
