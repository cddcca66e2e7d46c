/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_RIGHTS_PRIVATE_H
#define DATAHUB_RIGHTS_PRIVATE_H

#include <glib.h>

typedef enum
{
  DATAHUB_RIGHT_PRODUCE, /* register a block of this name */
  DATAHUB_RIGHT_CONSUME, /* be given its secret, join it */
  DATAHUB_RIGHT_OBSERVE, /* see it, and what is told about it */
  DATAHUB_RIGHT_ADMIN, /* the broker's own numbers, making it yield */
  DATAHUB_N_RIGHTS
} DatahubRight;

typedef struct _DatahubRights DatahubRights;

DatahubRights *rights_new (const char *own_key);
void rights_free (DatahubRights *rights);
gboolean rights_load (DatahubRights *rights, const char *file, GError **error);
void rights_take (DatahubRights *rights, DatahubRights *from);
gboolean rights_knows (DatahubRights *rights, const char *key);
gboolean rights_allow (DatahubRights *rights, const char *key,
    DatahubRight right, const char *name);
const char *right_word (DatahubRight right);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DatahubRights, rights_free)

#endif /* DATAHUB_RIGHTS_PRIVATE_H */
