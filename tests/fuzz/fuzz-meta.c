/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas of a buffer: u16 size of its memory, then their bytes. What was accepted
 * is used as any element would use it: planes are mapped and lines unpacked. The
 * memory ends where a page ends, and what is behind it may not be touched. */
#include "fuzz.h"

#include "gstdatahubmeta.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_MAX 65536u

static guint8 *end; /* of the memory */
static guint8 *line; /* room for an unpacked one */

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  static const gchar *const tags[] = { NULL };
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  guint8 *map = mmap (NULL, MEMORY_MAX + page, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_setenv ("GST_PLUGIN_SYSTEM_PATH", "", TRUE);
  g_setenv ("GST_PLUGIN_PATH", "", TRUE);
  g_setenv ("GST_REGISTRY_FORK", "no", TRUE);
  gst_init (NULL, NULL);
  gst_meta_register_custom ("DatahubFuzzMeta", (const gchar **) tags, NULL,
      NULL, NULL);
  end = map + MEMORY_MAX;
  line = g_malloc0 (G_MAXINT16 * 4 * 8 + 4096);
  return mprotect (end, page, PROT_NONE);
}

static void
unpack (const GstVideoFrame *frame, gint y)
{
  const GstVideoFormatInfo *finfo = frame->info.finfo;
  finfo->unpack_func (finfo, GST_VIDEO_PACK_FLAG_NONE, line, frame->data,
      frame->info.stride, 0, y, GST_VIDEO_FRAME_WIDTH (frame));
}

static void
use_video (GstBuffer *buffer, const GstVideoMeta *meta)
{
  GstVideoInfo info;
  GstVideoFrame frame;
  gint last = (gint) meta->height - 1;
  if (!gst_video_info_set_format (&info, meta->format, meta->width,
          meta->height)
      || !gst_video_frame_map (&frame, &info, buffer, GST_MAP_READ))
    return;
  if (frame.info.finfo->unpack_func) {
    unpack (&frame, 0);
    unpack (&frame, last / 2);
    unpack (&frame, last);
  }
  gst_video_frame_unmap (&frame);
}

static void
use_audio (GstBuffer *buffer, const GstAudioMeta *meta)
{
  GstAudioBuffer audio;
  volatile guint sum = 0;
  if (!gst_audio_buffer_map (&audio, &meta->info, buffer, GST_MAP_READ))
    return;
  for (gint i = 0; i < GST_AUDIO_BUFFER_N_PLANES (&audio); i++) {
    const guint8 *plane = GST_AUDIO_BUFFER_PLANE_DATA (&audio, i);
    gsize size = GST_AUDIO_BUFFER_PLANE_SIZE (&audio);
    sum = sum + plane[0] + plane[size - 1];
  }
  (void) sum;
  gst_audio_buffer_unmap (&audio);
}

static void
use (GstBuffer *buffer)
{
  GstVideoMeta *video = gst_buffer_get_video_meta (buffer);
  GstAudioMeta *audio = gst_buffer_get_audio_meta (buffer);
  GByteArray *bytes = g_byte_array_new ();
  GstDatahubLeftOut left = { 0 };
  if (video)
    use_video (buffer, video);
  if (audio)
    use_audio (buffer, audio);
  gst_datahub_meta_encode (buffer, bytes, &left);
  g_byte_array_unref (bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  GstDatahubLeftOut left = { 0 };
  gsize room;
  GstBuffer *buffer;
  if (size < 2)
    return 0;
  room = 1 + ((gsize) data[0] | (gsize) data[1] << 8) % MEMORY_MAX;
  buffer = gst_buffer_new_wrapped_full (GST_MEMORY_FLAG_READONLY, end - room,
      room, 0, room, NULL, NULL);
  gst_datahub_meta_decode (buffer, data + 2, size - 2, &left);
  use (buffer);
  gst_buffer_unref (buffer);
  return 0;
}
