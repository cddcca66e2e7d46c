/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a stranger may do with a block, all of it. For blocks that somebody made
 * to hurt: by the tests that know how, and by the fuzzers that try. */
#ifndef TESTS_CORE_HOSTILE_READER_H
#define TESTS_CORE_HOSTILE_READER_H

#include <datahub/core.h>

/* Reads all bytes that a lease shows, as a consumer would. */
void touch (const DatahubView *view);
/* Reads up to @n records and all that hangs on them; waits for nothing. Returns
 * how many there were. */
uint32_t devour (DatahubConsumer *consumer, uint32_t n);
/* Everything that a stranger may do with the block of that name: look at it,
 * attach, read to the end, locks and zones. Whatever is wrong with it, each call
 * ends, and what fails says why. Returns how many records were read. */
uint32_t hostile_read (const char *channel);
/* And a look at what is wrong with it; takes a few ms where something is. */
void hostile_read_integrity (const char *channel);
/* And what can be repaired of it. */
void hostile_read_repair (const char *channel);

#endif /* TESTS_CORE_HOSTILE_READER_H */
