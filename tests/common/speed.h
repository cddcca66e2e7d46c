/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time limits follow the speed of the machine. tests/run measures it once, with
 * all cores at work as the tests have them, and passes it on as CHECK_SCALE (and
 * to meson and libcheck, which cannot measure). The load can rise later, or a
 * program can be run by hand: so a limit that has passed is not believed before
 * the speed was measured again. A test that ends in time never measures, and no
 * pause falls into the middle of what a test looks at. */
#ifndef TESTS_SPEED_H
#define TESTS_SPEED_H

#include <stdbool.h>
#include <stdint.h>

/* No limit grows more than so many times: a test that hangs must end. */
#define SPEED_SLOWEST 50

/* How many times slower than the reference this machine is now, rounded up:
 * 1 to SPEED_SLOWEST. Takes a fifth of a second. */
int64_t speed_measure (void);
/* Works as long as @rounds milliseconds on the reference machine. */
void speed_work (uint64_t rounds);
/* The value of CHECK_SCALE; 1 if it is not set. */
int64_t speed_given (void);
/* Whether @elapsed is over @limit on a machine as slow as this one. Measures only
 * if it is over the limit as scaled by CHECK_SCALE and earlier measurements. */
bool speed_is_over (uint64_t elapsed, uint64_t limit);

#endif /* TESTS_SPEED_H */
