/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caps that the consumers of a sink can read. */
#ifndef GST_DATAHUB_CAPS_LIMITS_H
#define GST_DATAHUB_CAPS_LIMITS_H

#include "gstdatahubleftout.h"
#include "gstdatahubsinksettings.h"

G_BEGIN_DECLS

typedef struct
{
  GstElement *element; /* not owned: it owns this */
  GstPad *pad; /* not owned: the element's */
  const GstDatahubSinkSettings *settings; /* object lock */

  GstCaps *in_force; /* owned; NULL: none; object lock */
  guint64 renegotiations; /* object lock */
  guint64 n_left; /* statements that are not applied; object lock */

  /* The service thread's. */
  GArray *known; /* of a type of the .c file; owned */
  GstCaps *asked; /* owned; what upstream was asked for last */
  gint64 asked_at; /* 0: never */
  GstDatahubLeftOut left;
} GstDatahubCapsLimits;

void gst_datahub_caps_limits_init (GstDatahubCapsLimits *limits,
    GstElement *element, GstPad *pad, const GstDatahubSinkSettings *settings);
void gst_datahub_caps_limits_free_contents (GstDatahubCapsLimits *limits);
void gst_datahub_caps_limits_clear (GstDatahubCapsLimits *limits);
gint64 gst_datahub_caps_limits_update (GstDatahubCapsLimits *limits,
    DatahubProducer *producer, const DatahubConsumerInfo *infos, guint n);
GstCaps *gst_datahub_caps_limits_apply (GstDatahubCapsLimits *limits,
    GstCaps *caps);

G_END_DECLS

#endif /* GST_DATAHUB_CAPS_LIMITS_H */
