/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any image of a block: looked at, attached to, read to its end. What is changed
 * is chosen when it is built: everything, records, or zones. */
#include "fuzz.h"
#include "image.h"

#include "lib/core/hostile-reader.h"

#ifndef FUZZ_AREAS
#define FUZZ_AREAS AREA_ALL
#endif

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  image_make (FUZZ_AREAS, true);
  return 0;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  uint32_t switches = image_change (data, size);
  hostile_read (IMAGE_CHANNEL);
#ifdef FUZZ_INTEGRITY
  hostile_read_integrity (IMAGE_CHANNEL);
  if (switches & SWITCH_MORE) {
    hostile_read_repair (IMAGE_CHANNEL);
    hostile_read_integrity (IMAGE_CHANNEL);
  }
#endif
  (void) switches;
  image_restore ();
  return 0;
}
