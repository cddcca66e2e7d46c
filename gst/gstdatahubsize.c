/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstdatahubsize.h"

#include <gst/video/video.h>

#define PAGE 4096u
/* A slot has space for a frame with the alignment or padding that upstream
 * adds, and for metas. */
#define VIDEO_ROOM 4096u
/* Raw audio comes in small pieces of many sizes. */
#define AUDIO_SLOT (64u << 10)

static guint64
round_to_page (guint64 size)
{
  return (size + PAGE - 1) / PAGE * PAGE;
}

/**
 * gst_datahub_size_from_caps:
 * @caps: (nullable): caps of the stream
 *
 * Returns: the slots for it
 */
GstDatahubSize
gst_datahub_size_from_caps (const GstCaps *caps)
{
  const GstStructure *s = caps && gst_caps_get_size (caps) > 0
      ? gst_caps_get_structure (caps, 0)
      : NULL;
  GstVideoInfo info;
  if (s && gst_structure_has_name (s, "audio/x-raw"))
    return (GstDatahubSize){ AUDIO_SLOT, TRUE };
  if (s && gst_structure_has_name (s, "video/x-raw")
      && gst_video_info_from_caps (&info, caps) && info.size > 0)
    return (GstDatahubSize){ round_to_page (info.size + VIDEO_ROOM), FALSE };
  return (GstDatahubSize){ 0, FALSE };
}

/**
 * gst_datahub_size_from_buffer:
 * @buffer: (nullable): the first buffer
 *
 * Returns: slots in which it, and others up to twice its size, fit
 */
GstDatahubSize
gst_datahub_size_from_buffer (GstBuffer *buffer)
{
  guint64 size = buffer ? gst_buffer_get_size (buffer) : 0;
  return (GstDatahubSize){ round_to_page (MAX (2 * size, 1)), FALSE };
}
