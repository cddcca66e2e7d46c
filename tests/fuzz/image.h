/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small block of a dead producer in a folder of its own, the same in every
 * run, and inputs that change it.
 *
 * An input is a byte of switches, then changes: u8 window, u16 offset, u8 kind,
 * and what the kind needs (little endian). Windows are the places where it
 * matters, so that few bytes reach far; offsets wrap around in them. The check
 * sum of the header is made right again, unless a switch says otherwise, so that
 * what is behind it is reached. */
#ifndef TESTS_FUZZ_IMAGE_H
#define TESTS_FUZZ_IMAGE_H

#include <datahub/core.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_CHANNEL "cam0"

typedef enum
{
  SWITCH_BAD_SUM = 1, /* of the header: left as it is */
  SWITCH_ALIVE = 2, /* the producer's lock byte is held */
  SWITCH_MORE = 4 /* the target's own */
} ImageSwitch;

/* Bits of where an input may write. */
typedef enum
{
  AREA_HEADER = 1,
  AREA_RECORDS = 2, /* ring, sticky words, records */
  AREA_POOLS = 4, /* their table, their first pages, their bytes */
  AREA_ROWS = 8, /* all of con */
  AREA_LOCK = 16, /* lck */
  AREA_ZONES = 32,
  AREA_FILES = 64, /* whole files, and their length */
  AREA_ALL = 127
} ImageArea;

/* What its producer asked for. */
DatahubProducerOptions image_options (void);
/* @keep: nobody is to find the block dead and remove its files. */
void image_make (uint32_t areas, bool keep);
/* Returns the switches. */
uint32_t image_change (const uint8_t *data, size_t size);
/* As it was; also the files' names, where somebody removed them. */
void image_restore (void);

#endif /* TESTS_FUZZ_IMAGE_H */
