/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the broker refuses to keys, in its log; see denials.c. */
#ifndef DATAHUB_DENIALS_PRIVATE_H
#define DATAHUB_DENIALS_PRIVATE_H

#include <glib.h>

typedef struct
{
  GHashTable *keys; /* text -> Denial, owned */
  guint64
      removed; /* refusals of keys that were forgotten, for the line of "*" */
} Denials;

typedef struct
{
  const char *name, *right; /* NULL: to connect */
  const char *key;
  const char *from; /* NULL: not known */
  int pid; /* 0: not known */
} Refusal;

void denials_init (Denials *denials);
void denials_clear (Denials *denials);
const char *denials_note (Denials *denials, const char *key, gint64 now_us,
    guint64 *others);
void denials_log (Denials *denials, const Refusal *refusal);

#endif /* DATAHUB_DENIALS_PRIVATE_H */
