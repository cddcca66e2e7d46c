/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the broker refuses to keys, in its log; see denials.c. */
#ifndef DATAHUB_DENIALS_PRIVATE_H
#define DATAHUB_DENIALS_PRIVATE_H

#include <glib.h>

typedef struct
{
  GHashTable *keys; /* text -> Denial, owned */
} Denials;

void denials_init (Denials *denials);
void denials_clear (Denials *denials);
gboolean denials_note (Denials *denials, const char *key, gint64 now_us,
    guint64 *others);
void denials_log (Denials *denials, const char *name, const char *right,
    const char *key, int pid);

#endif /* DATAHUB_DENIALS_PRIVATE_H */
