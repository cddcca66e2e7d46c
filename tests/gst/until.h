/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for what sends no event. */
#ifndef TESTS_GST_UNTIL_H
#define TESTS_GST_UNTIL_H

#include <glib.h>

/* Looks until the condition holds, 20 s at most on the reference machine of
 * common/speed.h. */
#define UNTIL(condition)                                                       \
  do {                                                                         \
    gint64 until_since = g_get_monotonic_time ();                              \
    while (!(condition))                                                       \
      until_look_again (#condition, until_since);                              \
  } while (0)
void until_look_again (const gchar *condition, gint64 since);

/* Until a thread of this process whose name begins so sleeps in the kernel. */
void until_asleep (const gchar *thread);
/* Until the only consumer of a block has given so many signs of life: it looks
 * after its producer as often. */
void until_beats (const gchar *channel, guint n);

#endif /* TESTS_GST_UNTIL_H */
