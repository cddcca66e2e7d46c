/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the handlers of requests share. */
#ifndef DATAHUB_BROKER_HANDLERS_PRIVATE_H
#define DATAHUB_BROKER_HANDLERS_PRIVATE_H

#include "broker-private.h"

/* broker-rights.c */
gboolean broker_may (BrokerCall *call, Right right, const char *name);
gboolean broker_need (BrokerCall *call, Right right, const char *name,
    GError **error);
void broker_log_denied (BrokerCall *call, Right right, const char *name);
void broker_warn_unbound (BrokerCall *call, const BlockEntry *block);

/* broker-revocation.c */
void broker_rights_changed (DatahubBroker *broker);
void broker_note_introduced (BlockEntry *block, const char *key);
void broker_tell_revoked (DatahubBroker *broker, BlockEntry *block);

/* broker-clients.c */
gboolean broker_handle_hello (BrokerCall *call, GError **error);
gboolean broker_handle_ping (BrokerCall *call, GError **error);
gboolean broker_handle_bye (BrokerCall *call, GError **error);

/* broker-entries.c */
BlockEntry *broker_get_block (BrokerCall *call, GError **error);
gboolean broker_handle_register (BrokerCall *call, GError **error);
gboolean broker_handle_unregister (BrokerCall *call, GError **error);

#endif /* DATAHUB_BROKER_HANDLERS_PRIVATE_H */
