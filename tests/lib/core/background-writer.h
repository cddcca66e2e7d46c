/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* commit_buffers() in a thread of its own, for a producer that is to wait. */
#ifndef TESTS_CORE_BACKGROUND_WRITER_H
#define TESTS_CORE_BACKGROUND_WRITER_H

#include "fixture.h"

/* Stays where it is until the thread has ended. */
typedef struct
{
  DatahubProducer *producer;
  uint64_t first;
  uint32_t n;
} BackgroundWriter;

CheckThread *background_writer_start (BackgroundWriter *writing);

#endif /* TESTS_CORE_BACKGROUND_WRITER_H */
