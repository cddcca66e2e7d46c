/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BENCH_ADDRESS_H
#define BENCH_ADDRESS_H

/* Where the bytes of one buffer are: file and offset of the mapping. */
typedef struct
{
  char text[96];
} BenchAddress;

/* Names the memory behind a pointer so that another process can compare. */
void bench_address_of (const void *pointer, BenchAddress *address);

#endif /* BENCH_ADDRESS_H */
