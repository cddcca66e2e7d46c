/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of an allow-list; see allow-list.c. */
#ifndef DATAHUB_ALLOW_LIST_PRIVATE_H
#define DATAHUB_ALLOW_LIST_PRIVATE_H

#include <glib.h>
#include <jansson.h>

typedef struct
{
  const char *file;
  char *text; /* owned; ends with a zero */
  gsize size;
  json_t *root; /* owned */
} AllowList;

gboolean allow_list_read (AllowList *list, const char *file, GError **error);
void allow_list_clear (AllowList *list);
gboolean allow_list_refuse (const AllowList *list, gssize client,
    const char *word, GError **error, const char *format, ...)
    G_GNUC_PRINTF (5, 6);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AllowList, allow_list_clear)

#endif /* DATAHUB_ALLOW_LIST_PRIVATE_H */
