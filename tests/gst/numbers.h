/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers that say which they are. */
#ifndef TESTS_GST_NUMBERS_H
#define TESTS_GST_NUMBERS_H

#include "harness.h"

/* harness_sink() with caps for them. */
GstHarness *number_sink (const gchar *properties);
void push_number (GstHarness *h, guint32 number);
void push_number_sized (GstHarness *h, guint32 number, gsize size,
    GstBufferFlags flags);
/* @discont: (out) (optional) */
guint32 take_number (GstHarness *h, gboolean *discont);

#endif /* TESTS_GST_NUMBERS_H */
