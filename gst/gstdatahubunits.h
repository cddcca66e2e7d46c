/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the access units of a stream begin. One streaming thread. */
#ifndef GST_DATAHUB_UNITS_H
#define GST_DATAHUB_UNITS_H

#include <datahub/types.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum
{
  GST_DATAHUB_UNIT_MARK_NONE, /* as the buffer itself is marked */
  GST_DATAHUB_UNIT_MARK_BEGIN, /* readers can begin with it */
  GST_DATAHUB_UNIT_MARK_INSIDE /* it belongs to a unit that they can begin with */
} GstDatahubUnitMark;

typedef struct _GstDatahubUnitSyntax GstDatahubUnitSyntax;

/* All zero: each buffer is a unit. */
typedef struct
{
  gboolean intra; /* each is one that readers can begin with */
  const GstDatahubUnitSyntax *syntax; /* static; NULL: a buffer is a unit */
  guint length_size; /* of the length in front; 0: there is a start code */
  GQueue head; /* of GstBuffer, owned: before the picture of the unit */
  GstClockTime pts; /* of the unit */
  gboolean has_parameters; /* the head has */
  gboolean has_picture; /* some of it was written */
  gboolean was_delta; /* the last buffer of it */
  gboolean ended; /* the last buffer of the unit was written */
  GstDatahubUnitMark mark; /* of the next buffer that is written */
} GstDatahubUnits;

void gst_datahub_units_set_caps (GstDatahubUnits *units, const GstCaps *caps);
void gst_datahub_units_clear (GstDatahubUnits *units);
gboolean gst_datahub_units_hold (GstDatahubUnits *units, GstBuffer *buffer);
void gst_datahub_units_give_up (GstDatahubUnits *units);

/* Returns: the flags of the next record that is written; @wire are those of its
 * buffer. */
static inline guint32
gst_datahub_units_get_flags (const GstDatahubUnits *units, guint32 wire)
{
  if (units->intra || units->mark == GST_DATAHUB_UNIT_MARK_BEGIN)
    return wire & ~DATAHUB_FLAG_DELTA_UNIT;
  if (units->mark == GST_DATAHUB_UNIT_MARK_INSIDE)
    return wire | DATAHUB_FLAG_INSIDE;
  return wire;
}

/* That record is written. */
static inline void
gst_datahub_units_advance (GstDatahubUnits *units)
{
  if (units->mark == GST_DATAHUB_UNIT_MARK_BEGIN)
    units->mark = GST_DATAHUB_UNIT_MARK_INSIDE;
}

G_END_DECLS

#endif /* GST_DATAHUB_UNITS_H */
