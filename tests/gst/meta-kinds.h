/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One meta of each kind, and whether one that came back is the same. */
#ifndef TESTS_GST_META_KINDS_H
#define TESTS_GST_META_KINDS_H

#include <gst/gst.h>

typedef struct
{
  const gchar *name;
  void (*add) (GstBuffer *buffer);
  gboolean (*is) (GstBuffer *buffer);
  gsize size; /* of the buffer */
  gboolean open; /* its end is not fixed, so a cut one can be valid */
} MetaKind;

#define N_META_KINDS 20

/* The custom meta "test-kind" must be registered. */
extern const MetaKind meta_kinds[N_META_KINDS];

const MetaKind *meta_kind (const gchar *name);
/* The meta that is called @name. */
void add_kind (GstBuffer *buffer, const gchar *name);
gboolean is_kind (GstBuffer *buffer, const gchar *name);
/* @size bytes of @value. */
GstBuffer *plain (gsize size, guint8 value);

#endif /* TESTS_GST_META_KINDS_H */
