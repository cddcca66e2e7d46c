/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the witness writes about a buffer. */
#pragma once

#include <gst/gst.h>

/* A sum over what is seen or heard: the pixels of raw video, the samples of raw
 * audio, otherwise all bytes. Padding does not count. */
gchar *witness_sum (GstBuffer *buffer, GstCaps *caps);
gchar *witness_sum_bytes (GstBuffer *buffer);

/* The metas in one line, sorted, separated by "; ". The layout of raw video and
 * audio is left out: the sum depends on it. */
gchar *witness_metas (GstBuffer *buffer);
