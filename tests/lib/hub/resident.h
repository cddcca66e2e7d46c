/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory that this process has. */
#ifndef TESTS_HUB_RESIDENT_H
#define TESTS_HUB_RESIDENT_H

#include <glib.h>

/* Whether the number means anything: a sanitizer keeps what is freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RESIDENT_IS_MEASURED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RESIDENT_IS_MEASURED 0
#endif
#endif
#ifndef RESIDENT_IS_MEASURED
#define RESIDENT_IS_MEASURED 1
#endif

gint64 resident_kib (void);

#endif /* TESTS_HUB_RESIDENT_H */
