/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runtime directory; see runtime-dir.c. */
#ifndef DATAHUB_RUNTIME_DIR_PRIVATE_H
#define DATAHUB_RUNTIME_DIR_PRIVATE_H

#include <glib.h>

#define BROKER_SOCKET "broker.sock"
#define BROKER_LOCK "broker.lock"
/* Without a name once they are bound. */
#define BROKER_INNER "broker.in"
#define BROKER_INNER_STRANGERS "strangers.in"
#define BROKER_SECRET "broker.key"
#define BROKER_PUBLIC "broker.pub"

char *runtime_dir_name (void);
char *runtime_dir_obstacle (const char *path);
gboolean runtime_dir_check (const char *path, gboolean create, GError **error);
char *runtime_file (const char *file, gboolean create, GError **error);

#endif /* DATAHUB_RUNTIME_DIR_PRIVATE_H */
