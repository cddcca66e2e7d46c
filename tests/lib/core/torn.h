/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lets a writer act while a reader copies, at a chosen word: the word is the first
 * of a page that cannot be read until then. */
#ifndef TESTS_CORE_TORN_H
#define TESTS_CORE_TORN_H

#include <stddef.h>

/* Memory of zeros, shared with children; its byte number @before is the first of the closed page. */
void *torn_new (size_t before);
/* Closes the page. The first access to it opens it and calls @between, once, in
 * the thread of the access. */
void torn_arm (void (*between) (void));
void torn_free (void);

#endif /* TESTS_CORE_TORN_H */
