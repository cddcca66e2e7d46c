/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker introduces producers and consumers; the same object is embedded in
 * a hub and runs behind `datahub broker`. */
#ifndef DATAHUB_BROKER_H
#define DATAHUB_BROKER_H

#include <gio/gio.h>
#include <datahub/types.h>

G_BEGIN_DECLS

#define DATAHUB_TYPE_BROKER (datahub_broker_get_type ())
DATAHUB_API
G_DECLARE_FINAL_TYPE (DatahubBroker, datahub_broker, DATAHUB, BROKER, GObject)

DATAHUB_API DatahubBroker *datahub_broker_new (void);
DATAHUB_API gboolean datahub_broker_add_endpoint (DatahubBroker *broker,
    const char *endpoint, GError **error);
DATAHUB_API gboolean datahub_broker_load_config (DatahubBroker *broker,
    const char *file, GError **error);
DATAHUB_API gboolean datahub_broker_start (DatahubBroker *broker,
    GError **error);
DATAHUB_API void datahub_broker_stop (DatahubBroker *broker);
DATAHUB_API gboolean datahub_broker_is_running (DatahubBroker *broker);
DATAHUB_API char **datahub_broker_get_endpoints (DatahubBroker *broker);

G_END_DECLS

#endif /* DATAHUB_BROKER_H */
