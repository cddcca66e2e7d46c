/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict blocks for the tests of what only they do, whatever kind this run of the
 * others has. */
#ifndef TESTS_CORE_STRICT_H
#define TESTS_CORE_STRICT_H

#include "fixture.h"

extern const uint8_t strict_secret[DATAHUB_SECRET_SIZE];
extern const uint8_t strict_other_secret[DATAHUB_SECRET_SIZE];

/* small_options() of a strict block; NULL: without a secret. */
DatahubProducerOptions strict_options (const uint8_t *secret);
DatahubProducer *strict_producer (const uint8_t *secret);
/* What an attach to "cam0" with a ticket, or the secret, or neither gets. */
DatahubResult strict_attach (const uint8_t *ticket, const uint8_t *secret);

#endif /* TESTS_CORE_STRICT_H */
