/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a process of a measurement prints at its end. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench-receiver.h"

/* One JSON object. Either of sender and receivers may be NULL; @stats: the
 * transport's own counters, as text. */
void bench_report_print (const BenchSender *sender,
    const BenchReceiver *receivers, uint32_t n_receivers, const char *usage,
    const char *stats);

#endif /* BENCH_REPORT_H */
