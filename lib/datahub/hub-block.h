/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's description of one block, a snapshot that does not change. Any
 * thread; nothing here blocks. Strings and bytes that are returned belong to the
 * description. */
#ifndef DATAHUB_HUB_BLOCK_H
#define DATAHUB_HUB_BLOCK_H

#include <glib-object.h>
#include <datahub/ticket.h>
#include <datahub/types.h>

G_BEGIN_DECLS

#define DATAHUB_TYPE_HUB_BLOCK (datahub_hub_block_get_type ())

/* Reference-counted; the last unref wipes the secret and the ticket. */
typedef struct _DatahubHubBlock DatahubHubBlock;

DATAHUB_API GType datahub_hub_block_get_type (void) G_GNUC_CONST;
DATAHUB_API DatahubHubBlock *datahub_hub_block_ref (DatahubHubBlock *block);
DATAHUB_API void datahub_hub_block_unref (DatahubHubBlock *block);

/* Name of the channel. */
DATAHUB_API const char *datahub_hub_block_get_name (DatahubHubBlock *block);
/* 32 hexadecimal digits; empty while it is pending. */
DATAHUB_API const char *datahub_hub_block_get_uuid (DatahubHubBlock *block);
/* Caps at the last registration, as text; may be empty. */
DATAHUB_API const char *datahub_hub_block_get_caps (DatahubHubBlock *block);
/* The producing program and process, as they registered; the PID is that of its
 * own namespace. */
DATAHUB_API const char *datahub_hub_block_get_program (DatahubHubBlock *block);
DATAHUB_API gint datahub_hub_block_get_pid (DatahubHubBlock *block);
/* Identifies the producing machine and its boot. */
DATAHUB_API const char *datahub_hub_block_get_host (DatahubHubBlock *block);
/* Consumers that joined through the broker. */
DATAHUB_API guint datahub_hub_block_get_n_consumers (DatahubHubBlock *block);
/* Whether the name is announced but the block cannot be attached yet. */
DATAHUB_API gboolean datahub_hub_block_is_pending (DatahubHubBlock *block);
/* Whether its hub did not answer the broker lately; the block itself exists. */
DATAHUB_API gboolean datahub_hub_block_is_stalled (DatahubHubBlock *block);
/* Whether it is registered, but not in the shared memory that its owner and the
 * broker both use: it cannot be attached. FALSE if the broker has another shared
 * memory, as in a container, where it cannot look. */
DATAHUB_API gboolean datahub_hub_block_is_absent (DatahubHubBlock *block);
/* DATAHUB_SECRET_SIZE bytes; NULL: there is none, or this key may not have it. */
DATAHUB_API const guint8 *datahub_hub_block_get_secret (DatahubHubBlock *block);
/* DATAHUB_TICKET_SIZE bytes for one attach within 10 s, only after
 * datahub_hub_find(); NULL: the block is not strict, or this key may not consume
 * it. */
DATAHUB_API const guint8 *datahub_hub_block_get_ticket (DatahubHubBlock *block);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DatahubHubBlock, datahub_hub_block_unref)

G_END_DECLS

#endif /* DATAHUB_HUB_BLOCK_H */
