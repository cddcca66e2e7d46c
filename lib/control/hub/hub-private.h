/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hub's object. */
#ifndef DATAHUB_HUB_PRIVATE_H
#define DATAHUB_HUB_PRIVATE_H

#include "hub-core-private.h"

struct _DatahubHub
{
  GObject parent;
  DatahubHubFlags flags;
  HubCore *core; /* owned */
  GThread *thread; /* owned; NULL if the system refused it */
  GError *refused; /* owned; why there is no thread */
  gboolean connecting;
};

gboolean hub_check_target (DatahubHubFlags flags, const char *endpoint,
    const char *server_key_file, const char *key_file, GError **error);

#endif /* DATAHUB_HUB_PRIVATE_H */
