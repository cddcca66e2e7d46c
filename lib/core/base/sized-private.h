/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Public structures that may grow: their size at the caller and in this library
 * may differ, see docs/api.md. */
#ifndef DATAHUB_SIZED_PRIVATE_H
#define DATAHUB_SIZED_PRIVATE_H

#include <datahub/types.h>

/* Size of @type up to and with @member. */
#define SIZE_WITH(type, member)                                                \
  (offsetof (type, member) + sizeof (((type *) 0)->member))

/* A structure that the caller fills in: its name, the function that sets it up,
 * the smallest size that has all required members, and the size known here. */
typedef struct
{
  const char *type;
  const char *init;
  size_t least;
  size_t known;
} SizedType;

DatahubResult sized_check (const SizedType *type, const void *given,
    DatahubError *error);
DatahubResult sized_in (const SizedType *type, void *known, const void *given,
    DatahubError *error);
void sized_out (void *given, size_t given_size, const void *known,
    size_t known_size);

#endif /* DATAHUB_SIZED_PRIVATE_H */
