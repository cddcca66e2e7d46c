/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program of one case: its tests are what its add_tests() adds. */
#ifndef TESTS_GST_SUITE_H
#define TESTS_GST_SUITE_H

#include <gst/check/gstcheck.h>

static inline Suite *
suite_of_one_case (const gchar *name, void (*add_tests) (TCase *tc),
    void (*setup) (void), void (*teardown) (void))
{
  Suite *suite = suite_create (name);
  TCase *tc = tcase_create (name);
  suite_add_tcase (suite, tc);
  if (setup)
    tcase_add_checked_fixture (tc, setup, teardown);
  add_tests (tc);
  return suite;
}

/* main() of one whose tests need nothing. */
#define SUITE_MAIN(name)                                                       \
  static Suite *datahub_##name##_suite (void)                                  \
  {                                                                            \
    return suite_of_one_case (#name, add_tests, NULL, NULL);                   \
  }                                                                            \
  GST_CHECK_MAIN (datahub_##name)

#endif /* TESTS_GST_SUITE_H */
