/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A transport of messages without GStreamer. */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "bench-work.h"

#include <stddef.h>

typedef struct
{
  const char *name;
  /* Both end the process with a message if they cannot open it. */
  void (*open_sender) (const BenchWork *work);
  void (*open_receiver) (const BenchWork *work);
  /* Memory for the next message. */
  void *(*begin) (const BenchWork *work);
  void (*send) (const BenchWork *work);
  /* Waits for a message; NULL: none came for some time, ask again. */
  const void *(*receive) (const BenchWork *work, size_t *size);
  void (*release) (void);
  void (*close) (void);
} BenchLink;

extern const BenchLink bench_link_datahub, bench_link_zmq, bench_link_futex;
#ifdef BENCH_WITH_ICEORYX
extern const BenchLink bench_link_iceoryx;
#endif

/* Prints the reason and ends the process. */
_Noreturn void bench_link_fail (const char *what, const char *why);

#endif /* BENCH_LINK_H */
