/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One process of a measurement without GStreamer: the producer or a consumer.
 * Prints one JSON object at its end, as bench-transport does. */
#include "bench-link.h"
#include "bench-report.h"
#include "bench-stats.h"
#include "bench-usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NS UINT64_C (120000000000)
#define SKIPPED 77

static const BenchLink *const links[] = {
  &bench_link_datahub,
  &bench_link_zmq,
  &bench_link_futex,
#ifdef BENCH_WITH_ICEORYX
  &bench_link_iceoryx,
#endif
};

void
bench_link_fail (const char *what, const char *why)
{
  fprintf (stderr, "message: %s: %s\n", what, why);
  exit (1);
}

static const BenchLink *
find_link (const char *name)
{
  for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
    if (strcmp (name, links[i]->name) == 0)
      return links[i];
  fprintf (stderr, "message: built without \"%s\"\n", name);
  exit (SKIPPED);
}

static void
tell_ready (void)
{
  fprintf (stderr, "ready\n");
  fflush (stderr);
}

/* Fills the memory of the transport, or memory of its own and copies it. */
static bool
fill (BenchSender *sender, void *to, void *own)
{
  const BenchWork *work = sender->work;
  if (!own)
    return bench_sender_fill (sender, to, work->size);
  bool more = bench_sender_fill (sender, own, work->size);
  memcpy (to, own, (size_t) work->size);
  return more;
}

static void
produce (const BenchLink *link, const BenchWork *work)
{
  BenchSender sender = { .work = work };
  char usage[256];
  void *own = work->own_memory ? calloc (1, (size_t) work->size) : NULL;
  link->open_sender (work);
  tell_ready ();
  while (fill (&sender, link->begin (work), own))
    link->send (work);
  bench_usage_end (usage, sizeof usage);
  bench_report_print (&sender, NULL, 0, usage, NULL);
  link->close ();
  free (own);
}

static void
consume (const BenchLink *link, const BenchWork *work)
{
  static BenchReceiver receiver;
  char usage[256];
  uint64_t begin = bench_now_ns ();
  bool more = true;
  bench_receiver_init (&receiver, work, work->receiver);
  link->open_receiver (work);
  tell_ready ();
  while (more) {
    size_t size = 0;
    const void *data = link->receive (work, &size);
    uint64_t now = bench_now_ns ();
    if (now - begin > LONGEST_NS)
      bench_link_fail (link->name, "no end");
    if (!data)
      continue;
    more = bench_receiver_take (&receiver, data, size, now);
    link->release ();
  }
  bench_usage_end (usage, sizeof usage);
  bench_report_print (NULL, &receiver, 1, usage, NULL);
  link->close ();
}

int
main (int argc, char **argv)
{
  static BenchWork work;
  bench_work_parse (&work, argc, argv);
  const BenchLink *link = find_link (work.transport);
  if (work.role == BENCH_PRODUCE)
    produce (link, &work);
  else
    consume (link, &work);
  return 0;
}
