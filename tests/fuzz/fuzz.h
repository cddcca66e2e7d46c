/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each target defines. A target is linked with libFuzzer, which makes up
 * inputs, or with replay.c, which reads them from files. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#endif /* TESTS_FUZZ_H */
