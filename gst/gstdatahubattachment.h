/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source's consumer: how the source gets, keeps and loses it. Must be used in
 * the streaming thread, unless a function states otherwise. */
#ifndef GST_DATAHUB_ATTACHMENT_H
#define GST_DATAHUB_ATTACHMENT_H

#include "gstdatahubheartbeat.h"
#include "gstdatahubotherclock.h"
#include "gstdatahubrefusal.h"
#include "gstdatahubsrcsettings.h"
#include "gstdatahubintroduction.h"
#include "gstdatahubpresence.h"

G_BEGIN_DECLS

/* Written by the streaming thread, under the lock. */
typedef struct
{
  /* of producers before this one */
  guint64 received, lost, expired, damaged;
  guint64 skipped; /* buffers of caps that downstream does not accept */
  guint64 rejoins;
  guint64 producers, attachments;
} GstDatahubAttachmentCounters;

typedef struct
{
  /* Not owned: the element outlives this struct. */
  GstElement *element;
  GstDatahubClient *client;
  const GstDatahubSrcSettings *settings; /* object lock */
  GstDatahubInterrupt *interrupt;

  /* Owned; NULL: none. Only the streaming thread sets it, under the lock of
   * `interrupt`, so the streaming thread may use it without the lock. Another
   * thread must hold the lock while it uses it. The reader and the interrupt
   * borrow the consumer through this field. The heartbeat is stopped before the
   * consumer is closed. Leases in buffers keep the closed handle alive. */
  DatahubConsumer *consumer;

  GstDatahubAttachmentCounters counters; /* the lock of `interrupt` */

  /* The streaming thread's. */
  GstDatahubHeartbeat *heartbeat; /* owned; while there is a consumer */
  gchar uuid[DATAHUB_UUID_TEXT]; /* of the block read last */
  guint ring_size;
  GstDatahubWake wake; /* as the consumer was prepared */
  guint64 incarnation; /* of the producer in that block; 0: no record yet */
  gboolean follows; /* the producer goes on in another block */
  gchar *limits; /* owned; as the producer knows them; NULL: none */
  gint64 unfit_since; /* downstream does not accept the caps; 0: it does */
  gboolean told_skipped; /* that buffers of such caps are skipped */
  gint64 waiting_since; /* for a producer or its stream; 0: not waiting */
  gboolean unbegun; /* there is a producer, and no stream yet */
  gint64 asked; /* how long the present read may wait */
  gint64 due; /* monotonic: when waits end for the source; 0: for nothing */
  GstDatahubPresence presence;
  GstDatahubIntroduction introduction;
  GstDatahubRefusal refusal; /* of what has the name */
} GstDatahubAttachment;

void gst_datahub_attachment_init (GstDatahubAttachment *attachment,
    GstElement *element, GstDatahubClient *client,
    const GstDatahubSrcSettings *settings, GstDatahubInterrupt *interrupt);
void gst_datahub_attachment_start (GstDatahubAttachment *attachment);
void gst_datahub_attachment_change_name (GstDatahubAttachment *attachment);

GstDatahubSrcSettings gst_datahub_attachment_get_settings (
    const GstDatahubAttachment *attachment);
GstFlowReturn gst_datahub_attachment_seek (GstDatahubAttachment *attachment);
void gst_datahub_attachment_forget (GstDatahubAttachment *attachment);
void gst_datahub_attachment_await_stream (GstDatahubAttachment *attachment);
DatahubResult gst_datahub_attachment_read (GstDatahubAttachment *attachment,
    DatahubView *view, DatahubError *error);

/* Whether gst_datahub_attachment_meet() would change nothing. */
static inline gboolean
gst_datahub_attachment_has_met (const GstDatahubAttachment *attachment,
    guint64 incarnation)
{
  return attachment->incarnation == incarnation && !attachment->waiting_since
      && !attachment->presence.attentive;
}

/* With each record, and with a new consumer. */
static inline void
gst_datahub_attachment_follow_clock (const GstDatahubAttachment *attachment,
    GstDatahubOtherClock *clock)
{
  gst_datahub_other_clock_follow (clock, attachment->element,
      attachment->consumer, attachment->client->channel);
}

gboolean gst_datahub_attachment_meet (GstDatahubAttachment *attachment,
    guint64 incarnation);
GstFlowReturn gst_datahub_attachment_on_lull (GstDatahubAttachment *attachment);
GstFlowReturn gst_datahub_attachment_on_interrupt (GstDatahubAttachment
        *attachment);
GstFlowReturn gst_datahub_attachment_on_end (GstDatahubAttachment *attachment,
    DatahubResult result);
GstFlowReturn gst_datahub_attachment_rejoin (GstDatahubAttachment *attachment);

void gst_datahub_attachment_state_limits (GstDatahubAttachment *attachment);
void gst_datahub_attachment_note_skipped (GstDatahubAttachment *attachment,
    GstCaps *caps);
gboolean gst_datahub_attachment_is_unfit (const GstDatahubAttachment
        *attachment);
GstStructure *gst_datahub_attachment_get_stats (GstDatahubAttachment
        *attachment);
gboolean gst_datahub_attachment_request (GstDatahubAttachment *attachment,
    guint32 what);
void gst_datahub_attachment_apply_max_age (GstDatahubAttachment *attachment);

G_END_DECLS

#endif /* GST_DATAHUB_ATTACHMENT_H */
