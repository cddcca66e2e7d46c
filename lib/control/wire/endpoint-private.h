/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_ENDPOINT_PRIVATE_H
#define DATAHUB_ENDPOINT_PRIVATE_H

#include <glib.h>

const char *datahub_endpoint_ipc_path (const char *endpoint);
gboolean datahub_endpoint_check (const char *endpoint, GError **error);
char *datahub_endpoint_runtime (gboolean create, GError **error);
int datahub_endpoint_lock (const char *endpoint, GError **error);

#endif /* DATAHUB_ENDPOINT_PRIVATE_H */
