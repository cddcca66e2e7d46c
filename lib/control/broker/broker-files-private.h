/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that lead clients to a broker; see broker-files.c. Only for the broker's
 * thread, once it runs. */
#ifndef DATAHUB_BROKER_FILES_PRIVATE_H
#define DATAHUB_BROKER_FILES_PRIVATE_H

#include <glib.h>
#include "control/wire/keys-private.h"

typedef struct _BrokerFiles BrokerFiles;

BrokerFiles *broker_files_new (void);
void broker_files_free (BrokerFiles *files);
void broker_files_clear (BrokerFiles *files);
void broker_files_add_lock (BrokerFiles *files, const char *socket, int lock);
void broker_files_add_socket (BrokerFiles *files, const char *path);
void broker_files_set_key (BrokerFiles *files, const Keypair *pair);
const char *broker_files_find_lost (BrokerFiles *files);
gboolean broker_files_own (const BrokerFiles *files, const char *socket);
gboolean broker_files_prepare (BrokerFiles *files);

#endif /* DATAHUB_BROKER_FILES_PRIVATE_H */
