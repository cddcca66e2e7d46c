/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "background-writer.h"

static void *
write_all (void *data)
{
  const BackgroundWriter *writing = data;
  commit_buffers (writing->producer, writing->first, writing->n);
  return NULL;
}

CheckThread *
background_writer_start (BackgroundWriter *writing)
{
  return check_thread (write_all, writing);
}
