/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hub's signals. */
#ifndef DATAHUB_HUB_SIGNALS_PRIVATE_H
#define DATAHUB_HUB_SIGNALS_PRIVATE_H

#include "hub-loop-private.h"

enum
{
  SIGNAL_BLOCK_ADDED,
  SIGNAL_BLOCK_REMOVED,
  SIGNAL_CONSUMER_ADDED,
  SIGNAL_CONSUMER_REMOVED,
  SIGNAL_CONSUMER_REVOKED,
  SIGNAL_NOTIFICATION,
  SIGNAL_REGISTER_REFUSED,
  SIGNAL_BROKER_FOUND,
  SIGNAL_BROKER_LOST,
  N_SIGNALS
};

/* The way back to the object, for signals that wait in another context. It
 * keeps neither the object nor the core alive. */
typedef struct
{
  gatomicrefcount refs;
  GWeakRef hub;
  int waiting; /* atomic: signals on their way */
  int waiting_bytes; /* atomic: of their texts */
  int dropped; /* atomic: some were dropped since the last one was emitted */
} HubBack;

extern guint hub_signals[N_SIGNALS];

HubBack *hub_back_new (DatahubHub *hub);
void hub_back_unref (HubBack *back);
void hub_signals_init (GType type);
void hub_emit (HubCore *core, guint signal, const char *detail, ...);

#endif /* DATAHUB_HUB_SIGNALS_PRIVATE_H */
