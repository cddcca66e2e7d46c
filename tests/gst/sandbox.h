/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private place of a test: directories of its own, and what must not be left
 * in them. */
#ifndef TESTS_GST_SANDBOX_H
#define TESTS_GST_SANDBOX_H

#include "suite.h"

/* A suite of one case, each of whose tests has a place of its own. */
Suite *sandbox_suite (const gchar *name, void (*add_tests) (TCase *tc));

/* main() of a program whose tests are what add_tests() adds. */
#define SANDBOX_MAIN(name)                                                     \
  static Suite *datahub_##name##_suite (void)                                  \
  {                                                                            \
    return sandbox_suite (#name, add_tests);                                   \
  }                                                                            \
  GST_CHECK_MAIN (datahub_##name)

const gchar *sandbox_directory (void);
guint sandbox_count_files (void);
/* Removes the files of blocks with @word in their name, as another program may; NULL:
 * all. There must be one. */
void sandbox_remove_files (const gchar *word);
guint sandbox_count_fds (void);
/* Whether the bytes are in a mapping of a file of a block. */
gboolean sandbox_is_shared (gconstpointer address, gsize size);

#endif /* TESTS_GST_SANDBOX_H */
