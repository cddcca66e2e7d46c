/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the broker knows about one block. */
#ifndef DATAHUB_HUB_BLOCK_H
#define DATAHUB_HUB_BLOCK_H

#include <glib-object.h>
#include <datahub/ticket.h>
#include <datahub/types.h>

G_BEGIN_DECLS

#define DATAHUB_TYPE_HUB_BLOCK (datahub_hub_block_get_type ())

/* Immutable and reference-counted: may be read from any thread. */
typedef struct _DatahubHubBlock DatahubHubBlock;

DATAHUB_API GType datahub_hub_block_get_type (void) G_GNUC_CONST;
DATAHUB_API DatahubHubBlock *datahub_hub_block_ref (DatahubHubBlock *block);
DATAHUB_API void datahub_hub_block_unref (DatahubHubBlock *block);

DATAHUB_API const char *datahub_hub_block_get_name (DatahubHubBlock *block);
DATAHUB_API const char *datahub_hub_block_get_uuid (DatahubHubBlock *block);
DATAHUB_API const char *datahub_hub_block_get_caps (DatahubHubBlock *block);
DATAHUB_API const char *datahub_hub_block_get_program (DatahubHubBlock *block);
DATAHUB_API const char *datahub_hub_block_get_host (DatahubHubBlock *block);
DATAHUB_API gint datahub_hub_block_get_pid (DatahubHubBlock *block);
DATAHUB_API guint datahub_hub_block_get_n_consumers (DatahubHubBlock *block);
DATAHUB_API gboolean datahub_hub_block_is_pending (DatahubHubBlock *block);
DATAHUB_API gboolean datahub_hub_block_is_stalled (DatahubHubBlock *block);
DATAHUB_API const guint8 *datahub_hub_block_get_secret (DatahubHubBlock *block);
DATAHUB_API const guint8 *datahub_hub_block_get_ticket (DatahubHubBlock *block);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DatahubHubBlock, datahub_hub_block_unref)

G_END_DECLS

#endif /* DATAHUB_HUB_BLOCK_H */
