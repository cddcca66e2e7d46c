/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "torn.h"

#include "common/check.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static uint8_t *pages; /* an open one, then the other */
static size_t page_size;
static void (*act) (void);
static struct sigaction before_us;

static void
open_page (int number)
{
  void (*between) (void) = act;
  (void) number;
  act = NULL;
  if (!between || mprotect (pages, 2 * page_size, PROT_READ | PROT_WRITE) != 0)
    _exit (99);
  between ();
}

void *
torn_new (size_t before)
{
  struct sigaction action = { .sa_handler = open_page, .sa_flags = SA_NODEFER };
  page_size = (size_t) sysconf (_SC_PAGESIZE);
  pages = mmap (NULL, 2 * page_size, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK (pages != MAP_FAILED && before < page_size);
  CHECK (sigaction (SIGSEGV, &action, &before_us) == 0);
  return pages + page_size - before;
}

void
torn_arm (void (*between) (void))
{
  act = between;
  CHECK (mprotect (pages + page_size, page_size, PROT_NONE) == 0);
}

void
torn_free (void)
{
  CHECK (act == NULL); /* it was met */
  sigaction (SIGSEGV, &before_us, NULL);
  munmap (pages, 2 * page_size);
}
