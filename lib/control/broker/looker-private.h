/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at blocks for the broker; see looker.c. */
#ifndef DATAHUB_LOOKER_PRIVATE_H
#define DATAHUB_LOOKER_PRIVATE_H

#include "evidence-private.h"

/* In the order in which they are done. */
typedef enum
{
  LOOK_BLOCK, /* files alone */
  LOOK_CONSUMERS, /* may wait, if the producer of a strict block is stopped */
  LOOK_AGAIN /* the same, after one that found nothing out */
} LookKind;

typedef struct
{
  LookKind kind;
  char *name, *uuid; /* owned */
  guint serial; /* of the entry in the registry */
  Evidence block; /* of LOOK_BLOCK */
  ConsumersEvidence consumers; /* of the others */
} Look;

/* Called in the context of the looker. */
typedef void (*LookDone) (const Look *look, gpointer user_data);

typedef struct _Looker Looker;

Looker *looker_new (GMainContext *context, LookDone done, gpointer user_data);
void looker_free (Looker *looker);
gboolean looker_ask (Looker *looker, LookKind kind, const char *name,
    const char *uuid, guint serial);

#endif /* DATAHUB_LOOKER_PRIVATE_H */
