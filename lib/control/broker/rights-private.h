/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rights of client keys; see rights.c. */
#ifndef DATAHUB_RIGHTS_PRIVATE_H
#define DATAHUB_RIGHTS_PRIVATE_H

#include <glib.h>

typedef enum
{
  RIGHT_PRODUCE, /* register a block of this name */
  RIGHT_CONSUME, /* receive its secret, join it */
  RIGHT_OBSERVE, /* see it, and receive its notices */
  RIGHT_ADMIN, /* read the broker's statistics, make it stop */
  N_RIGHTS
} Right;

typedef struct _Rights Rights;

Rights *rights_new (const char *own_key);
void rights_free (Rights *rights);
gboolean rights_load (Rights *rights, const char *file, GError **error);
void rights_take (Rights *rights, Rights *from);
gboolean rights_are_listed (Rights *rights);
gboolean rights_knows (Rights *rights, const char *key);
gboolean rights_allow (Rights *rights, const char *key, Right right,
    const char *name);
const char *right_word (Right right);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rights, rights_free)

#endif /* DATAHUB_RIGHTS_PRIVATE_H */
