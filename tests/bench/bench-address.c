/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which byte of which file a pointer shows: equal in two processes exactly
 * where nothing was copied between them. */
#include "bench-address.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void
take_line (const char *line, uintptr_t at, BenchAddress *address)
{
  unsigned long long start, end, offset, inode;
  if (sscanf (line, "%llx-%llx %*4s %llx %*s %llu", &start, &end, &offset,
          &inode)
      < 4)
    return;
  if (at < start || at >= end)
    return;
  if (inode != 0)
    snprintf (address->text, sizeof address->text, "inode %llu +%#llx", inode,
        offset + (at - start));
  else
    snprintf (address->text, sizeof address->text, "private");
}

void
bench_address_of (const void *pointer, BenchAddress *address)
{
  char line[512];
  FILE *maps = fopen ("/proc/self/maps", "re");
  if (!maps)
    return;
  while (fgets (line, sizeof line, maps))
    take_line (line, (uintptr_t) pointer, address);
  fclose (maps);
}
