/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests: core-checksum, gst-damage */
#include "checksum-private.h"

#include <pthread.h>
#include <string.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

/* CRC-32C: Castagnoli's polynomial, reflected (RFC 3720, appendix B.4). */
#define CRC32C_POLYNOMIAL UINT32_C (0x82f63b78)
#define N_TABLES 8

typedef uint32_t (*CrcFunc) (uint32_t crc, const uint8_t *at, size_t size);

static pthread_once_t crc_once = PTHREAD_ONCE_INIT;
static CrcFunc crc_func;
static uint32_t crc_tables[N_TABLES][256];

/* Eight bytes at once: table k holds the effect of a byte k places back. */
static uint32_t
crc_by_table (uint32_t crc, const uint8_t *at, size_t size)
{
  while (size >= 8) {
    uint32_t low = crc
        ^ ((uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16
            | (uint32_t) at[3] << 24);
    crc = crc_tables[7][low & 0xff] ^ crc_tables[6][low >> 8 & 0xff]
        ^ crc_tables[5][low >> 16 & 0xff] ^ crc_tables[4][low >> 24]
        ^ crc_tables[3][at[4]] ^ crc_tables[2][at[5]] ^ crc_tables[1][at[6]]
        ^ crc_tables[0][at[7]];
    at += 8;
    size -= 8;
  }
  while (size-- > 0)
    crc = crc >> 8 ^ crc_tables[0][(crc ^ *at++) & 0xff];
  return crc;
}

static void
fill_tables (void)
{
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
    crc_tables[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int k = 1; k < N_TABLES; k++)
      crc_tables[k][i] = crc_tables[k - 1][i] >> 8
          ^ crc_tables[0][crc_tables[k - 1][i] & 0xff];
}

#if defined(__x86_64__)

__attribute__ ((target ("sse4.2"))) static uint32_t
crc_by_instruction (uint32_t crc, const uint8_t *at, size_t size)
{
  uint64_t wide = crc;
  for (; size >= 8; at += 8, size -= 8) {
    uint64_t word;
    memcpy (&word, at, 8);
    wide = __builtin_ia32_crc32di (wide, word);
  }
  crc = (uint32_t) wide;
  while (size-- > 0)
    crc = __builtin_ia32_crc32qi (crc, *at++);
  return crc;
}

static bool
has_instruction (void)
{
  return __builtin_cpu_supports ("sse4.2");
}

#elif defined(__aarch64__)

#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif

__attribute__ ((target ("+crc"))) static uint32_t
crc_by_instruction (uint32_t crc, const uint8_t *at, size_t size)
{
  for (; size >= 8; at += 8, size -= 8) {
    uint64_t word;
    memcpy (&word, at, 8);
    crc = __crc32cd (crc, word);
  }
  while (size-- > 0)
    crc = __crc32cb (crc, *at++);
  return crc;
}

static bool
has_instruction (void)
{
  return getauxval (AT_HWCAP) & HWCAP_CRC32;
}

#else

#define crc_by_instruction crc_by_table

static bool
has_instruction (void)
{
  return false;
}

#endif

static void
choose_crc (void)
{
  fill_tables ();
  crc_func = has_instruction () ? crc_by_instruction : crc_by_table;
}

void
checksum_begin (Checksum *checksum, DatahubChecksum kind)
{
  checksum->kind = kind;
  checksum->crc = UINT32_MAX;
  if (kind == DATAHUB_CHECKSUM_CRC32C)
    pthread_once (&crc_once, choose_crc);
  else if (kind == DATAHUB_CHECKSUM_BLAKE2B)
    crypto_generichash_init (&checksum->hash, NULL, 0, CHECKSUM_SIZE);
}

void
checksum_add (Checksum *checksum, const void *bytes, size_t size)
{
  if (checksum->kind == DATAHUB_CHECKSUM_CRC32C)
    checksum->crc = crc_func (checksum->crc, bytes, size);
  else if (checksum->kind == DATAHUB_CHECKSUM_BLAKE2B)
    crypto_generichash_update (&checksum->hash, bytes, size);
}

/* @sum: a CRC is its first four bytes, little endian; the rest is zero. */
void
checksum_end (Checksum *checksum, uint8_t sum[CHECKSUM_SIZE])
{
  memset (sum, 0, CHECKSUM_SIZE);
  if (checksum->kind == DATAHUB_CHECKSUM_CRC32C)
    for (int i = 0; i < 4; i++)
      sum[i] = (uint8_t) (~checksum->crc >> (8 * i));
  else if (checksum->kind == DATAHUB_CHECKSUM_BLAKE2B)
    crypto_generichash_final (&checksum->hash, sum, CHECKSUM_SIZE);
}

/**
 * datahub_crc32c:
 * @bytes: the data
 * @size: how many
 *
 * CRC-32C as stamped on records, by the processor's instruction where it has
 * one. Any thread.
 *
 * Returns: the sum; 0xe3069283 for "123456789"
 */
uint32_t
datahub_crc32c (const void *bytes, size_t size)
{
  pthread_once (&crc_once, choose_crc);
  return ~crc_func (UINT32_MAX, bytes, size);
}
