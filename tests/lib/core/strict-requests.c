/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "strict-requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
strict_request_knock (const char *uuid)
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
strict_request_greeting (const char *uuid)
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
strict_request_hear (StrictRequest *request)
{
  CHECK (os_wait_readable (request->fd, -1, SOON));
  request->n_fds = 0;
  memset (&request->answer, 0, sizeof request->answer);
  request->answer.status = UINT32_MAX; /* sent away without a word */
  ssize_t n = os_receive (request->fd, &request->answer, sizeof request->answer,
      request->fds, &request->n_fds);
  if (n < 0 && errno == ECONNRESET) /* told once; what was said is behind it */
    n = os_receive (request->fd, &request->answer, sizeof request->answer,
        request->fds, &request->n_fds);
  CHECK (n == 0 || n == (ssize_t) sizeof request->answer
      || (n < 0 && errno == ECONNRESET));
}

StrictRequest
strict_request_call (const char *uuid, const void *hello, size_t size)
{
  StrictRequest request = { .fd = strict_request_knock (uuid) };
  CHECK (request.fd >= 0);
  CHECK (os_send (request.fd, hello, size, NULL, 0));
  strict_request_hear (&request);
  return request;
}

void
strict_request_leave (StrictRequest *request)
{
  for (uint32_t i = 0; i < request->n_fds; i++)
    close (request->fds[i]);
  close (request->fd);
}

uint32_t
strict_request_status (const char *uuid, const void *hello, size_t size)
{
  StrictRequest request = strict_request_call (uuid, hello, size);
  uint32_t status = request.answer.status;
  if (status != STRICT_GRANTED)
    CHECK_INT (request.n_fds, ==, 0);
  strict_request_leave (&request);
  return status;
}
