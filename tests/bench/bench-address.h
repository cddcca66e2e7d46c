/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BENCH_ADDRESS_H
#define BENCH_ADDRESS_H

#include "bench-elements.h"

/* Names the memory behind a pointer so that another process can compare. */
void bench_address_of (const void *pointer, BenchAddress *address);

#endif /* BENCH_ADDRESS_H */
