/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies between structures of the caller and of this library. Members are only
 * added at the end, and each addition changes the size, so a smaller structure is
 * the beginning of a larger one.
 * Tests: core-api-sizes */
#include "sized-private.h"
#include "result-private.h"

#include <string.h>

/* Whether the size of @given, its first member, is that of a known version. */
DatahubResult
sized_check (const SizedType *type, const void *given, DatahubError *error)
{
  size_t size = 0;
  if (!given)
    return result_fail (error, DATAHUB_ERROR_INVALID, 0,
        "%s must be given; call %s().", type->type, type->init);
  memcpy (&size, given, sizeof size);
  if (size >= type->least && size <= type->known && size % sizeof size == 0)
    return DATAHUB_OK;
  return result_fail (error, DATAHUB_ERROR_INVALID, 0,
      "%s is not initialised: its struct_size is %zu, this library knows %zu "
      "bytes; call %s().",
      type->type, size, type->known, type->init);
}

/* Copies @given over @known, which has the defaults: members that a smaller
 * structure lacks keep them. */
DatahubResult
sized_in (const SizedType *type, void *known, const void *given,
    DatahubError *error)
{
  size_t size;
  DatahubResult result = sized_check (type, given, error);
  if (result != DATAHUB_OK)
    return result;
  memcpy (&size, given, sizeof size);
  memcpy (known, given, size);
  memcpy (known, &type->known, sizeof type->known);
  return DATAHUB_OK;
}

/* Fills @given_size bytes, no more: members that a larger structure has beside
 * those known here become 0. */
void
sized_out (void *given, size_t given_size, const void *known, size_t known_size)
{
  size_t size = given_size < known_size ? given_size : known_size;
  memcpy (given, known, size);
  memset ((char *) given + size, 0, given_size - size);
}
