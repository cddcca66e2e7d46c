/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flags of buffers <-> flags of records. */
#ifndef GST_DATAHUB_FLAGS_H
#define GST_DATAHUB_FLAGS_H

#include <datahub/types.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_DATAHUB_FLAG_SHIFT 4 /* GstMiniObject's own flags are below */
#define GST_DATAHUB_FLAGS_IGNORED                                              \
  (GST_BUFFER_FLAG_TAG_MEMORY | GST_MINI_OBJECT_FLAG_LOCKABLE)

G_STATIC_ASSERT (GST_MINI_OBJECT_FLAG_LAST == 1 << GST_DATAHUB_FLAG_SHIFT);

/**
 * gst_datahub_flags_encode:
 * @buffer: a buffer
 *
 * Returns: the flags of its record
 */
static inline guint32
gst_datahub_flags_encode (GstBuffer *buffer)
{
  guint32 flags =
      GST_BUFFER_FLAGS (buffer) & ~(guint32) GST_DATAHUB_FLAGS_IGNORED;
  guint32 wire = flags >> GST_DATAHUB_FLAG_SHIFT & DATAHUB_FLAG_USER_MASK;
  if (flags & GST_BUFFER_FLAG_DELTA_UNIT)
    wire |= DATAHUB_FLAG_DELTA_UNIT;
  if (flags & GST_BUFFER_FLAG_DROPPABLE)
    wire |= DATAHUB_FLAG_DROPPABLE;
  return wire;
}

/* Of a buffer that is no place to begin: @wire is marked so that readers do not. */
static inline guint32
gst_datahub_flags_set_inside (guint32 wire)
{
  return wire | DATAHUB_FLAG_DELTA_UNIT | DATAHUB_FLAG_INSIDE;
}

/* Of a buffer in front of which others are missing. */
static inline guint32
gst_datahub_flags_set_discont (guint32 wire)
{
  return wire | GST_BUFFER_FLAG_DISCONT >> GST_DATAHUB_FLAG_SHIFT;
}

/**
 * gst_datahub_flags_decode:
 * @flags: the flags of a record
 *
 * Returns: the flags of the buffer
 */
static inline GstBufferFlags
gst_datahub_flags_decode (guint32 flags)
{
  guint32 buffer = (flags & DATAHUB_FLAG_USER_MASK) << GST_DATAHUB_FLAG_SHIFT;
  buffer &= ~(guint32) GST_DATAHUB_FLAGS_IGNORED;
  /* what the buffer was is in the user's flags; where readers begin may differ */
  if ((flags & (DATAHUB_FLAG_DELTA_UNIT | DATAHUB_FLAG_INSIDE))
      == DATAHUB_FLAG_DELTA_UNIT)
    buffer |= GST_BUFFER_FLAG_DELTA_UNIT;
  return (GstBufferFlags) buffer;
}

G_END_DECLS

#endif /* GST_DATAHUB_FLAGS_H */
