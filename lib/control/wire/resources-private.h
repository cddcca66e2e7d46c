/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A try of resources; see resources.c. */
#ifndef DATAHUB_WIRE_RESOURCES_PRIVATE_H
#define DATAHUB_WIRE_RESOURCES_PRIVATE_H

#include <glib.h>

gboolean wire_try_resources (const char *what, guint descriptors, guint threads,
    GError **error);
GThread *wire_start_thread (const char *name, GThreadFunc func, gpointer data,
    GError **error);

#endif /* DATAHUB_WIRE_RESOURCES_PRIVATE_H */
