/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Endpoints and their locks; see endpoint.c. */
#ifndef DATAHUB_ENDPOINT_PRIVATE_H
#define DATAHUB_ENDPOINT_PRIVATE_H

#include <glib.h>

const char *endpoint_ipc_path (const char *endpoint);
gboolean endpoint_is_private (const char *endpoint);
gboolean endpoint_check (const char *endpoint, GError **error);
char *endpoint_lock_file (const char *path);
char *endpoint_runtime (gboolean create, GError **error);
int endpoint_lock (const char *endpoint, GError **error);
gboolean endpoint_take_over_lock (const char *endpoint, int lock,
    GError **error);

#endif /* DATAHUB_ENDPOINT_PRIVATE_H */
