/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas of a buffer: u16 size of its memory, then their bytes. What was accepted
 * is used as any element would use it: planes are mapped, lines unpacked and
 * overlays blended, and all of it can be encoded again. The memory begins where a
 * page begins, if its size is odd, or else ends where a page ends; what is beyond may
 * not be touched. With DATAHUB_FUZZ_KIND=N the bytes are the payload of one meta of
 * that kind. */
#include "fuzz.h"

#include "gstdatahubmeta.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_MAX 65536u

static guint8 *begin, *end; /* of the memory */
static guint32 kind; /* 0: any */
static guint8 *line; /* room for an unpacked one */

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  static const gchar *const tags[] = { NULL };
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  guint8 *map = mmap (NULL, MEMORY_MAX + 2 * page, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const gchar *only = g_getenv ("DATAHUB_FUZZ_KIND");
  g_setenv ("GST_PLUGIN_SYSTEM_PATH", "", TRUE);
  g_setenv ("GST_PLUGIN_PATH", "", TRUE);
  g_setenv ("GST_REGISTRY_FORK", "no", TRUE);
  gst_init (NULL, NULL);
  gst_meta_register_custom ("DatahubFuzzMeta", (const gchar **) tags, NULL,
      NULL, NULL);
  kind = only ? (guint32) g_ascii_strtoull (only, NULL, 10) : 0;
  begin = map + page;
  end = begin + MEMORY_MAX;
  line = g_malloc0 (G_MAXINT16 * 4 * 8 + 4096);
  return mprotect (map, page, PROT_NONE) | mprotect (end, page, PROT_NONE);
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
use_overlay (GstVideoOverlayComposition *overlay)
{
  GstBuffer *picture = gst_buffer_new_allocate (NULL, 64 * 48 * 4, NULL);
  GstVideoInfo info;
  GstVideoFrame frame;
  gst_buffer_memset (picture, 0, 7, 64 * 48 * 4);
  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_BGRA, 64, 48);
  if (gst_video_frame_map (&frame, &info, picture, GST_MAP_READWRITE)) {
    gst_video_overlay_composition_blend (overlay, &frame);
    gst_video_frame_unmap (&frame);
  }
  gst_buffer_unref (picture);
}

/* Larger ones only take long. */
static gboolean
is_small (GstVideoOverlayComposition *overlay)
{
  for (guint i = 0; i < gst_video_overlay_composition_n_rectangles (overlay);
       i++) {
    gint x, y;
    guint width, height;
    gst_video_overlay_rectangle_get_render_rectangle (
        gst_video_overlay_composition_get_rectangle (overlay, i), &x, &y,
        &width, &height);
    if (width * height > 65536)
      return FALSE;
  }
  return TRUE;
}

static void
use (GstBuffer *buffer)
{
  GstVideoOverlayCompositionMeta *overlay =
      gst_buffer_get_video_overlay_composition_meta (buffer);
  GstVideoMeta *video = gst_buffer_get_video_meta (buffer);
  GstAudioMeta *audio = gst_buffer_get_audio_meta (buffer);
  GByteArray *bytes = g_byte_array_new ();
  GstDatahubLeftOut left = { 0 };
  if (video)
    use_video (buffer, video);
  if (audio)
    use_audio (buffer, audio);
  if (overlay && is_small (overlay->overlay))
    use_overlay (overlay->overlay);
  gst_datahub_meta_encode (buffer, bytes, &left);
  g_assert_cmpuint (left.count, ==, 0);
  g_byte_array_unref (bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  GstDatahubLeftOut left = { 0 };
  g_autofree guint8 *exact = NULL;
  GByteArray *bytes;
  gsize room;
  GstBuffer *buffer;
  if (size < 2)
    return 0;
  room = 1 + ((gsize) data[0] | (gsize) data[1] << 8) % MEMORY_MAX;
  buffer = gst_buffer_new_wrapped_full (GST_MEMORY_FLAG_READONLY,
      room % 2 ? begin : end - room, room, 0, room, NULL, NULL);
  bytes = g_byte_array_new ();
  if (kind) {
    guint32 head[] = { GUINT32_TO_LE (kind), GUINT32_TO_LE (size - 2) };
    g_byte_array_append (bytes, (const guint8 *) head, sizeof head);
  }
  g_byte_array_append (bytes, data + 2, (guint) size - 2);
  /* as long as they are and no longer, for a sanitizer */
  exact = g_memdup2 (bytes->data, bytes->len);
  gst_datahub_meta_decode (buffer, exact, bytes->len, &left);
  g_byte_array_unref (bytes);
  use (buffer);
  gst_buffer_unref (buffer);
  return 0;
}
