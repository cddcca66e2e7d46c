/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The version of the library that is loaded.
 * Tests: core-api-sizes */
#include <datahub/version.h>

const char *
datahub_version (void)
{
  return DATAHUB_VERSION;
}

uint32_t
datahub_version_number (void)
{
  return DATAHUB_VERSION_NUMBER;
}
