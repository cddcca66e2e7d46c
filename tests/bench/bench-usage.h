/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a process used: processor time, switches and faults from the end of the
 * warm-up on, and memory. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stddef.h>

/* The first call counts. Any thread. */
void bench_usage_begin (void);
/* Writes a JSON object: the usage since then, and the memory of now. */
void bench_usage_end (char *text, size_t size);

#endif /* BENCH_USAGE_H */
