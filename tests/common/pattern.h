/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Payload that says which payload it is: every byte follows from a seed, so
 * that a reader can verify all of it and name the first wrong byte. */
#ifndef TESTS_PATTERN_H
#define TESTS_PATTERN_H

#include <stdint.h>
#include <string.h>

#define PATTERN_MATCHES UINT64_MAX

static inline uint64_t
pattern_word (uint64_t seed, uint64_t index)
{
  uint64_t word = (seed + 1) * UINT64_C (0x9e3779b97f4a7c15);
  return (word ^ (word >> 29)) + index * UINT64_C (0xbf58476d1ce4e5b9);
}

static inline void
pattern_fill (void *data, uint64_t size, uint64_t seed)
{
  uint8_t *bytes = data;
  uint64_t words = size / 8;
  for (uint64_t i = 0; i < words; i++) {
    uint64_t word = pattern_word (seed, i);
    memcpy (bytes + i * 8, &word, 8);
  }
  uint64_t last = pattern_word (seed, words);
  memcpy (bytes + words * 8, &last, size % 8);
}

/* Returns the offset of the first wrong byte, or PATTERN_MATCHES. */
static inline uint64_t
pattern_mismatch (const void *data, uint64_t size, uint64_t seed)
{
  const uint8_t *bytes = data;
  uint64_t words = size / 8, wrong = 0;
  for (uint64_t i = 0; i < words; i++) {
    uint64_t word;
    memcpy (&word, bytes + i * 8, 8);
    wrong |= word ^ pattern_word (seed, i);
  }
  uint64_t last = pattern_word (seed, words);
  if (wrong == 0 && memcmp (bytes + words * 8, &last, size % 8) == 0)
    return PATTERN_MATCHES;
  for (uint64_t i = 0; i < size; i++) {
    uint64_t word = pattern_word (seed, i / 8);
    uint8_t expected[8];
    memcpy (expected, &word, 8);
    if (bytes[i] != expected[i % 8])
      return i;
  }
  return PATTERN_MATCHES;
}

#endif /* TESTS_PATTERN_H */
