/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checksums of a record: over the valid bytes of its memories in order, then
 * its metas or body. */
#ifndef DATAHUB_CHECKSUM_PRIVATE_H
#define DATAHUB_CHECKSUM_PRIVATE_H

#include <datahub/types.h>

#include <sodium.h>

#define CHECKSUM_SIZE 32

typedef struct
{
  DatahubChecksum kind;
  uint32_t crc;
  crypto_generichash_state hash;
} Checksum;

void checksum_begin (Checksum *checksum, DatahubChecksum kind);
void checksum_add (Checksum *checksum, const void *bytes, size_t size);
void checksum_end (Checksum *checksum, uint8_t sum[CHECKSUM_SIZE]);

#endif /* DATAHUB_CHECKSUM_PRIVATE_H */
