/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fork in another thread at the worst moment: when the lock file of a block was
 * made, and is not known yet as one that a child has to close. */
#include "fixture.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool forks_now;
static int leash[2]; /* what the forked child waits at */

/* In the place of the C library's: a file of the block was just made. */
int
fchmod (int fd, mode_t mode)
{
  if (forks_now && fork () == 0) {
    char byte;
    close (leash[1]);
    _exit (read (leash[0], &byte, 1) < 0);
  }
  forks_now = false;
  return (int) syscall (SYS_fchmod, fd, mode);
}

static void
publish_with_a_child (CheckParent *parent)
{
  forks_now = true;
  producer_new ("cam0", NULL);
  CHECK (!forks_now);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

/* The child keeps nothing of a producer that dies. */
static void
lock_file_of_a_producer (void)
{
  DatahubProducer *producer = NULL;
  CHECK (pipe (leash) == 0);
  CheckChild child = check_fork (publish_with_a_child, NULL);
  CHECK_HEAR (child.from, 1);
  check_kill (&child);
  DatahubResult result = producer_try ("cam0", NULL, &producer);
  close (leash[1]);
  close (leash[0]);
  CHECK_RESULT (result, DATAHUB_OK);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a child that was forked while a block was made keeps nothing of it",
      lock_file_of_a_producer },
};
CHECK_MAIN (tests)
