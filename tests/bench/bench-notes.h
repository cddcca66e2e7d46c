/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ZeroMQ alone takes for the way of a notice. */
#ifndef BENCH_NOTES_H
#define BENCH_NOTES_H

#include <stdint.h>

/* Sends @n notices at this pace and prints how long they took, as one line of
 * JSON. */
void bench_notes_floor (uint32_t n, uint64_t period_ns);

#endif /* BENCH_NOTES_H */
