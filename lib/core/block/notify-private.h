/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The changes of names in the directory of blocks, for all watches of a process. */
#ifndef DATAHUB_NOTIFY_PRIVATE_H
#define DATAHUB_NOTIFY_PRIVATE_H

#include "block-private.h"

#include <pthread.h>

typedef struct Notify Notify;

/* What a watch is to the others; guarded by notify_lock(). */
typedef struct NotifyEntry NotifyEntry;
struct NotifyEntry
{
  char channel[DATAHUB_CHANNEL_MAX + 1]; /* empty: any */
  bool changed; /* since it was looked at */
  NotifyEntry *next;
};

Notify *notify_get (void);
bool notify_is_ours (const Notify *notify);
bool notify_add (Notify *notify, NotifyEntry *entry);
void notify_remove (Notify *notify, NotifyEntry *entry);

void notify_lock (Notify *notify);
void notify_unlock (Notify *notify);
void notify_wait (Notify *notify, int64_t slice_ns);
void notify_wake (Notify *notify);

#endif /* DATAHUB_NOTIFY_PRIVATE_H */
