/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers whose bytes are all the same. */
#ifndef TESTS_GST_BYTES_H
#define TESTS_GST_BYTES_H

#include "harness.h"

GstBuffer *bytes_buffer (gsize size, guint8 value);
void push_bytes (GstHarness *h, gsize size, guint8 value);
/* That it has this size and these bytes. */
void check_bytes (GstBuffer *buffer, gsize size, guint8 value);
/* Pulls one, checks it and lets it go. */
void take_bytes (GstHarness *h, gsize size, guint8 value);

#endif /* TESTS_GST_BYTES_H */
