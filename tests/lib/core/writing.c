/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "writing.h"

static void *
write_all (void *data)
{
  const Writing *writing = data;
  commit_buffers (writing->producer, writing->first, writing->n);
  return NULL;
}

CheckThread *
writing_start (Writing *writing)
{
  return check_thread (write_all, writing);
}
