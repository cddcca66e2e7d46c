/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check of client keys on connection; see zap.c. */
#ifndef DATAHUB_ZAP_PRIVATE_H
#define DATAHUB_ZAP_PRIVATE_H

#include <datahub/keys.h>

#define ZAP_DOMAIN "datahub"

/* Whether a client with this public key may connect. */
typedef gboolean (*ZapCheck) (const char *key, gpointer user_data);

void *zap_open (void *zmq_context);
void zap_answer (void *socket, ZapCheck check, gpointer user_data);

#endif /* DATAHUB_ZAP_PRIVATE_H */
