/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of a block as somebody who is not well-behaved leaves them. The only
 * tests that know the layout: they write to it from outside. */
#ifndef TESTS_CORE_HOSTILE_H
#define TESTS_CORE_HOSTILE_H

#include "fixture.h"

#include "datahub/block-layout-private.h"

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

/* Leaves a block with its caps and seven buffers, its producer dead. */
void leave_dead_block (void);
/* Numbers that look like chance and follow from the first @state. */
uint64_t check_noise (uint64_t *state);
/* Reads all bytes that a lease shows, as a consumer would. */
void touch (const DatahubView *view);
/* Reads up to @n records and all that hangs on them; waits for nothing. Returns
 * how many there were. */
uint32_t devour (DatahubConsumer *consumer, uint32_t n);
/* Everything that a stranger may do with the block of that name: look at it,
 * attach, read to the end, locks and zones. Whatever is wrong with it, each call
 * ends, and what fails says why. Returns how many records were read. */
uint32_t exercise (const char *channel);
/* And a look at what is wrong with it; takes a few ms where something is. */
void exercise_integrity (const char *channel);

#endif /* TESTS_CORE_HOSTILE_H */
