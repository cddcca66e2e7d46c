/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a source reports about its producer: found, lost, waited for. The streaming
 * thread's. */
#ifndef GST_DATAHUB_PRESENCE_H
#define GST_DATAHUB_PRESENCE_H

#include "gstdatahuboutbox.h"

G_BEGIN_DECLS

typedef enum
{
  GST_DATAHUB_PRESENCE_NONE, /* nothing is known yet */
  GST_DATAHUB_PRESENCE_FOUND,
  GST_DATAHUB_PRESENCE_LOST,
  GST_DATAHUB_PRESENCE_WAITING
} GstDatahubPresenceState;

/* @reason is a static string, or NULL. */
typedef struct
{
  GstDatahubPresenceState state;
  const gchar *reason;
} GstDatahubPresenceWord;

typedef struct
{
  /* Not owned: the element outlives this struct. */
  GstElement *element;
  GstDatahubOutbox *outbox;

  gboolean attentive; /* the next record is of interest */
  GstDatahubPresenceWord now, told;
  guint skipped; /* changes that were not reported on their own */
  gint64 paid_until; /* of the limit of the rate of messages */
  gint64 silent_since; /* 0: not silent */
  gint64 silence; /* how long the last reported one was, if a record ended it */
  guint heard; /* records since then */
} GstDatahubPresence;

void gst_datahub_presence_install_signals (GType type);
void gst_datahub_presence_init (GstDatahubPresence *presence,
    GstElement *element, GstDatahubOutbox *outbox);
void gst_datahub_presence_start (GstDatahubPresence *presence);
void gst_datahub_presence_heard (GstDatahubPresence *presence,
    const gchar *datablock, const gchar *uuid);
void gst_datahub_presence_lost (GstDatahubPresence *presence,
    const gchar *datablock, const gchar *reason);
void gst_datahub_presence_quiet (GstDatahubPresence *presence,
    const gchar *datablock, const gchar *reason, gint64 slept);
void gst_datahub_presence_interrupted (GstDatahubPresence *presence);
gint64 gst_datahub_presence_left (const GstDatahubPresence *presence);

G_END_DECLS

#endif /* GST_DATAHUB_PRESENCE_H */
