/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Behaviours on which limits.py tries the limits of the framework. */
#include "common/check.h"
#include "common/speed.h"

#include <unistd.h>

#define WORK_MS 300

static void
works (void)
{
  speed_work (WORK_MS);
}

static void
hangs (void)
{
  for (;;)
    pause ();
}

static const CheckTest tests[] = {
  { "works for a while", works },
  { "hangs", hangs },
};

CHECK_MAIN (tests)
