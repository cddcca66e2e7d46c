/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Introduction by the broker, and what stands between a source and a producer. The
 * streaming thread's. */
#ifndef GST_DATAHUB_INTRODUCTION_H
#define GST_DATAHUB_INTRODUCTION_H

#include "gstdatahubclient.h"
#include "gstdatahubelsewhere.h"
#include "gstdatahubinterrupt.h"

G_BEGIN_DECLS

typedef enum
{
  GST_DATAHUB_OBSTACLE_NONE, /* no live producer has the name */
  GST_DATAHUB_OBSTACLE_ELSEWHERE, /* one has it in other shared memory */
  GST_DATAHUB_OBSTACLE_UNKNOWN, /* the broker does not know the producer */
  GST_DATAHUB_OBSTACLE_BROKER, /* no broker answers */
  GST_DATAHUB_OBSTACLE_PRODUCER, /* the producer does not answer */
  GST_DATAHUB_OBSTACLE_SHORTAGE, /* it is busy, or short of something */
  GST_DATAHUB_N_OBSTACLES
} GstDatahubObstacle;

typedef struct
{
  /* Not owned: the element outlives this struct. */
  GstElement *element;
  const GstDatahubClient *client;
  GstDatahubInterrupt *interrupt;

  gint64 limit; /* of one attempt, nanoseconds */
  GstDatahubObstacle obstacle; /* at the last attempt */
  gint producer_pid; /* as it wrote it */
  gchar producer_uuid[DATAHUB_UUID_TEXT]; /* of its block */
  gchar shortage[sizeof ((DatahubError *) 0)->message]; /* of what */
  GstDatahubElsewhere elsewhere;

  gboolean warned[GST_DATAHUB_N_OBSTACLES];
} GstDatahubIntroduction;

void gst_datahub_introduction_init (GstDatahubIntroduction *introduction,
    GstElement *element, const GstDatahubClient *client,
    GstDatahubInterrupt *interrupt);
void gst_datahub_introduction_clear (GstDatahubIntroduction *introduction);
gint64 gst_datahub_introduction_begin (GstDatahubIntroduction *introduction,
    gint64 patience);
DatahubResult gst_datahub_introduction_attach (GstDatahubIntroduction
                                                   *introduction,
    const DatahubBlockGlance *glance, DatahubConsumerOptions *options,
    DatahubConsumer **consumer, DatahubError *error);
void gst_datahub_introduction_note (GstDatahubIntroduction *introduction,
    const DatahubBlockGlance *glance, const DatahubError *error);
const gchar *gst_datahub_introduction_word (const GstDatahubIntroduction
        *introduction);
void gst_datahub_introduction_look_elsewhere (
    GstDatahubIntroduction *introduction, gint64 since, gint64 left);
gint64 gst_datahub_introduction_left (
    const GstDatahubIntroduction *introduction, gint64 since);
void gst_datahub_introduction_warn (GstDatahubIntroduction *introduction,
    gint64 since);
void gst_datahub_introduction_fail (GstDatahubIntroduction *introduction,
    GstClockTime timeout);

G_END_DECLS

#endif /* GST_DATAHUB_INTRODUCTION_H */
