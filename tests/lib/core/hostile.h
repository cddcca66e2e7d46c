/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of a block as somebody who is not well-behaved leaves them. The only
 * tests that know the layout: they write to it from outside. */
#ifndef TESTS_CORE_HOSTILE_H
#define TESTS_CORE_HOSTILE_H

#include "hostile-reader.h"
#include "fixture.h"

#include "core/block/block-private.h"

/* A file of the test's directory, mapped writable beside everybody else. */
typedef struct
{
  int fd;
  uint64_t size;
  uint8_t *bytes;
  uint8_t *saved; /* as it was when it was opened */
} Intrusion;

Intrusion intrude (const char *suffix);
/* Puts back what was there. */
void intrusion_restore (Intrusion *intrusion);
void intrusion_end (Intrusion *intrusion);

/* The header after a change, so that only the change is wrong. */
void renew_header_check (BlockIdentity *identity);

/* A gate that moves on and back. */
typedef struct
{
  shared_u64 *word;
  shared_u32 stop;
} Wobble;

/* A thread: until it is told to stop. */
void *wobble (void *data);

/* Leaves a block with its caps and seven buffers, its producer dead. */
void leave_dead_block (void);
/* A file beside the pools, number 9, that no table names. */
void make_stray_pool (void);
/* Numbers that look like chance and follow from the first @state. */
uint64_t check_noise (uint64_t *state);

#endif /* TESTS_CORE_HOSTILE_H */
