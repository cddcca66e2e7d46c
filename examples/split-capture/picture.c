/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test picture: a drive past hills at dusk, the same for the same frame
 * number in every process. videotestsrc paces and allocates (in the block, when
 * the elements after it agree); the scene is painted into its buffers as they
 * leave it. */
#include "picture.h"

#include <gst/video/video.h>

#include <math.h>
#include <string.h>

#define N_HILLS 4

typedef struct
{
  guint8 y, u, v;
} Colour;

typedef struct
{
  double height; /* of the crest line, as a part of the picture's height */
  double swing; /* how far crests rise and fall */
  double wave; /* crests in the picture's width */
  double speed; /* widths per second */
  int r, g, b;
} Hill;

/* Front to back; what is near is dark and fast. */
static const Hill hills[N_HILLS] = {
  { 0.88, 0.055, 1.3, 0.110, 22, 18, 38 },
  { 0.78, 0.065, 1.9, 0.055, 54, 34, 68 },
  { 0.69, 0.060, 2.7, 0.028, 98, 56, 92 },
  { 0.61, 0.045, 3.6, 0.013, 152, 88, 108 },
};

static const struct
{
  double at; /* part of the picture's height */
  int r, g, b;
} sky[] = {
  { 0.00, 24, 30, 84 },
  { 0.25, 74, 58, 132 },
  { 0.45, 186, 94, 130 },
  { 0.60, 250, 158, 98 },
  { 1.00, 255, 214, 140 },
};

/* BT.709, video range: as in the caps of a 720-line picture. */
static Colour
colour (double r, double g, double b)
{
  Colour c;
  double y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  c.y = (guint8) (16.5 + y * 219.0 / 255.0);
  c.u = (guint8) (128.5 + (b - y) / 1.8556 * 224.0 / 255.0);
  c.v = (guint8) (128.5 + (r - y) / 1.5748 * 224.0 / 255.0);
  return c;
}

static void
sky_at (double y, double rgb[3])
{
  guint i = 1;
  while (i < G_N_ELEMENTS (sky) - 1 && sky[i].at < y)
    i++;
  double t = (y - sky[i - 1].at) / (sky[i].at - sky[i - 1].at);
  rgb[0] = sky[i - 1].r + t * (sky[i].r - sky[i - 1].r);
  rgb[1] = sky[i - 1].g + t * (sky[i].g - sky[i - 1].g);
  rgb[2] = sky[i - 1].b + t * (sky[i].b - sky[i - 1].b);
}

/* Where each hill's crest stands in each column, for one moment. */
static void
crests (double seconds, guint width, guint height, float *tops)
{
  for (guint h = 0; h < N_HILLS; h++) {
    const Hill *hill = &hills[h];
    for (guint x = 0; x < width; x++) {
      double at = (double) x / width + seconds * hill->speed;
      double phase = 2.0 * G_PI * hill->wave * at + h * 1.7;
      double rise = 0.55 * sin (phase) + 0.3 * sin (2.3 * phase + 1.1)
          + 0.15 * sin (5.9 * phase);
      tops[h * width + x] =
          (float) (height * (hill->height - hill->swing * rise));
    }
  }
}

/* The colour at one point without hills: the sky, the sun and its glow. */
static Colour
backdrop (double x, double y, double sun_x, double sun_y, double height)
{
  double rgb[3];
  double dx = x - sun_x, dy = y - sun_y;
  double distance = sqrt (dx * dx + dy * dy) / height;
  double glow, disc;

  sky_at (y / height, rgb);
  glow = 0.75 * exp (-distance * 7.0);
  disc = CLAMP ((0.075 - distance) * height * 0.35 + 0.5, 0.0, 1.0);
  rgb[0] += (255 - rgb[0]) * MAX (glow, disc);
  rgb[1] += (236 - rgb[1]) * MAX (glow * 0.9, disc);
  rgb[2] += (178 - rgb[2]) * MAX (glow * 0.6, disc);
  return colour (rgb[0], rgb[1], rgb[2]);
}

static void
paint_rows (GstVideoFrame *frame, const Colour *back, const float *tops)
{
  guint width = GST_VIDEO_FRAME_WIDTH (frame);
  guint height = GST_VIDEO_FRAME_HEIGHT (frame);
  Colour shades[N_HILLS];

  for (guint h = 0; h < N_HILLS; h++)
    shades[h] = colour (hills[h].r, hills[h].g, hills[h].b);

  for (guint y = 0; y < height; y++) {
    guint8 *luma = (guint8 *) GST_VIDEO_FRAME_COMP_DATA (frame, 0)
        + y * GST_VIDEO_FRAME_COMP_STRIDE (frame, 0);
    guint8 *u = (guint8 *) GST_VIDEO_FRAME_COMP_DATA (frame, 1)
        + y / 2 * GST_VIDEO_FRAME_COMP_STRIDE (frame, 1);
    guint8 *v = (guint8 *) GST_VIDEO_FRAME_COMP_DATA (frame, 2)
        + y / 2 * GST_VIDEO_FRAME_COMP_STRIDE (frame, 2);
    for (guint x = 0; x < width; x++) {
      /* The backdrop was computed for every second point. */
      Colour c = back[y / 2 * (width / 2) + x / 2];
      for (int h = N_HILLS - 1; h >= 0; h--) {
        float cover = y + 1 - tops[h * width + x];
        if (cover >= 1)
          c = shades[h];
        else if (cover > 0) /* the edge of a crest is a soft one */
          c.y = (guint8) (c.y + cover * (shades[h].y - c.y));
      }
      luma[x] = c.y;
      if (!(x & 1) && !(y & 1)) {
        u[x / 2] = c.u;
        v[x / 2] = c.v;
      }
    }
  }
}

static void
paint (GstVideoFrame *frame, GstClockTime pts)
{
  guint width = GST_VIDEO_FRAME_WIDTH (frame);
  guint height = GST_VIDEO_FRAME_HEIGHT (frame);
  double seconds = (double) pts / GST_SECOND;
  double sun_x = width * (0.70 - 0.004 * fmod (seconds, 100.0));
  double sun_y = height * (0.40 + 0.06 * sin (seconds / 9.0));
  g_autofree float *tops = g_new (float, N_HILLS *width);
  g_autofree Colour *back = g_new (Colour, (width / 2) * (height / 2));

  crests (seconds, width, height, tops);
  for (guint y = 0; y < height / 2; y++)
    for (guint x = 0; x < width / 2; x++)
      back[y * (width / 2) + x] = backdrop (2 * x, 2 * y, sun_x, sun_y, height);
  paint_rows (frame, back, tops);
}

/* In the source's streaming thread. */
static GstPadProbeReturn
on_picture (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstBuffer *buffer =
      gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER (info));
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  GstVideoInfo video;
  GstVideoFrame frame;

  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  if (caps && gst_video_info_from_caps (&video, caps)
      && gst_video_frame_map (&frame, &video, buffer, GST_MAP_WRITE)) {
    paint (&frame, GST_BUFFER_PTS (buffer));
    gst_video_frame_unmap (&frame);
  }
  return GST_PAD_PROBE_OK;
}

gchar *
picture_describe (const char *name, gboolean live, guint n_frames)
{
  /* The clock is a nicety; the package that draws text may be missing. */
  g_autoptr (GstElementFactory) clock =
      gst_element_factory_find ("timeoverlay");

  return g_strdup_printf ("videotestsrc name=%s pattern=black is-live=%s "
                          "num-buffers=%u ! video/x-raw,format=I420,width=%u,"
                          "height=%u,framerate=%u/1,colorimetry=bt709 ! %s",
      name, live ? "true" : "false", n_frames, PICTURE_WIDTH, PICTURE_HEIGHT,
      PICTURE_RATE,
      clock ? "timeoverlay time-mode=buffer-time halignment=right "
              "valignment=bottom font-desc=\"Sans 12\""
            : "identity");
}

void
picture_attach (GstElement *source)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (source, "src");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_picture, NULL, NULL);
}
