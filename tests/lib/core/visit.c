/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "visit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
visit_knock (const char *uuid)
{
  char name[128];
  int dir = os_open_directory (NULL);
  CHECK (dir >= 0);
  snprintf (name, sizeof name, "datahub-%u-%s.sck", (unsigned) geteuid (),
      uuid);
  int fd = os_connect (dir, name);
  close (dir);
  return fd;
}

StrictHello
visit_greeting (const char *uuid)
{
  StrictHello hello = { .magic = STRICT_MAGIC,
    .version = STRICT_VERSION,
    .kind = STRICT_CONSUME };
  Uuid block;
  CHECK (uuid_from_text (uuid, &block));
  memcpy (hello.uuid, block.bytes, sizeof hello.uuid);
  return hello;
}

void
visit_hear (Visit *visit)
{
  CHECK (os_wait_readable (visit->fd, -1, SOON));
  visit->n_fds = 0;
  memset (&visit->answer, 0, sizeof visit->answer);
  visit->answer.status = UINT32_MAX; /* sent away without a word */
  ssize_t n = os_receive (visit->fd, &visit->answer, sizeof visit->answer,
      visit->fds, &visit->n_fds);
  if (n < 0 && errno == ECONNRESET) /* told once; what was said is behind it */
    n = os_receive (visit->fd, &visit->answer, sizeof visit->answer, visit->fds,
        &visit->n_fds);
  CHECK (n == 0 || n == (ssize_t) sizeof visit->answer
      || (n < 0 && errno == ECONNRESET));
}

Visit
visit_call (const char *uuid, const void *hello, size_t size)
{
  Visit visit = { .fd = visit_knock (uuid) };
  CHECK (visit.fd >= 0);
  CHECK (os_send (visit.fd, hello, size, NULL, 0));
  visit_hear (&visit);
  return visit;
}

void
visit_leave (Visit *visit)
{
  for (uint32_t i = 0; i < visit->n_fds; i++)
    close (visit->fds[i]);
  close (visit->fd);
}

uint32_t
visit_status (const char *uuid, const void *hello, size_t size)
{
  Visit visit = visit_call (uuid, hello, size);
  uint32_t status = visit.answer.status;
  if (status != STRICT_GRANTED)
    CHECK_INT (visit.n_fds, ==, 0);
  visit_leave (&visit);
  return status;
}
