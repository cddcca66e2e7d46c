/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-report.h"

#include <stdio.h>

static void
print_receiver (const BenchReceiver *receiver)
{
  printf ("{\"received\": %llu, \"lost\": %llu, \"torn\": %llu, "
          "\"reordered\": %llu, \"first_ns\": %llu, \"last_ns\": %llu, "
          "\"total\": %llu, \"received_at\": \"%s\"}",
      (unsigned long long) receiver->received,
      (unsigned long long) receiver->lost, (unsigned long long) receiver->torn,
      (unsigned long long) receiver->reordered,
      (unsigned long long) receiver->first_ns,
      (unsigned long long) receiver->last_ns,
      (unsigned long long) receiver->expected, receiver->address.text);
}

void
bench_report_print (const BenchSender *sender, const BenchReceiver *receivers,
    uint32_t n_receivers, const char *usage, const char *stats)
{
  printf ("{\"usage\": %s, \"stats\": \"%s\", ", usage, stats ? stats : "");
  if (sender)
    printf ("\"sent\": %llu, \"sent_at\": \"%s\", ",
        (unsigned long long) sender->sent, sender->address.text);
  printf ("\"receivers\": [");
  for (uint32_t i = 0; i < n_receivers; i++) {
    printf ("%s", i ? ", " : "");
    print_receiver (&receivers[i]);
    bench_receiver_save (&receivers[i]);
  }
  printf ("]}\n");
  fflush (stdout);
}
