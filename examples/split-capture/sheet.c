/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sheet.h"

#include <string.h>

#define COLUMNS 4
#define ROWS 3
#define SHOWN (COLUMNS * ROWS)
/* When so many are kept, every second one goes and the pace halves. */
#define KEPT_MAX (4 * SHOWN)
#define THUMB_WIDTH 320
#define GAP 8
#define PAPER 24
#define FIRST_INTERVAL (GST_SECOND / 4)

struct _Sheet
{
  GPtrArray *thumbs; /* of THUMB_WIDTH * height RGB bytes each */
  guint height;
  GstClockTime next, interval;
};

Sheet *
sheet_new (void)
{
  Sheet *sheet = g_new0 (Sheet, 1);
  sheet->thumbs = g_ptr_array_new_with_free_func (g_free);
  sheet->interval = FIRST_INTERVAL;
  return sheet;
}

void
sheet_free (Sheet *sheet)
{
  g_ptr_array_unref (sheet->thumbs);
  g_free (sheet);
}

/* Averages the part of @frame that one small point stands for. */
static void
shrink_point (const GstVideoFrame *frame, guint x, guint y, guint height,
    guint8 *point)
{
  const guint8 *data = GST_VIDEO_FRAME_PLANE_DATA (frame, 0);
  gint stride = GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0);
  guint x0 = x * GST_VIDEO_FRAME_WIDTH (frame) / THUMB_WIDTH;
  guint x1 = (x + 1) * GST_VIDEO_FRAME_WIDTH (frame) / THUMB_WIDTH;
  guint y0 = y * GST_VIDEO_FRAME_HEIGHT (frame) / height;
  guint y1 = (y + 1) * GST_VIDEO_FRAME_HEIGHT (frame) / height;
  guint sums[3] = { 0 }, n = 0;

  x1 = MAX (x1, x0 + 1);
  y1 = MAX (y1, y0 + 1);
  for (guint j = y0; j < y1; j++)
    for (guint i = x0; i < x1; i++, n++)
      for (guint c = 0; c < 3; c++)
        sums[c] += data[(gsize) j * stride + 3 * i + c];
  for (guint c = 0; c < 3; c++)
    point[c] = (guint8) (sums[c] / n);
}

static void
halve (Sheet *sheet)
{
  for (guint i = 1; i < sheet->thumbs->len; i++)
    g_ptr_array_remove_index (sheet->thumbs, i);
  sheet->interval *= 2;
}

void
sheet_offer (Sheet *sheet, const GstVideoFrame *frame, GstClockTime pts)
{
  guint8 *thumb;
  guint height;

  if (!GST_CLOCK_TIME_IS_VALID (pts))
    return;
  if (pts + 2 * sheet->interval < sheet->next)
    sheet->next = pts; /* the stream started over */
  if (pts < sheet->next)
    return;
  height = MAX (1,
      THUMB_WIDTH * GST_VIDEO_FRAME_HEIGHT (frame)
          / GST_VIDEO_FRAME_WIDTH (frame));
  if (sheet->height != height) { /* the first, or a new shape */
    g_ptr_array_set_size (sheet->thumbs, 0);
    sheet->height = height;
  }
  thumb = g_malloc (3 * THUMB_WIDTH * height);
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < THUMB_WIDTH; x++)
      shrink_point (frame, x, y, height, thumb + 3 * (y * THUMB_WIDTH + x));
  g_ptr_array_add (sheet->thumbs, thumb);
  if (sheet->thumbs->len == KEPT_MAX)
    halve (sheet);
  sheet->next = pts + sheet->interval;
}

static void
place (const Sheet *sheet, const GstVideoFrame *paper, guint cell,
    const guint8 *thumb)
{
  guint left = GAP + cell % COLUMNS * (THUMB_WIDTH + GAP);
  guint top = GAP + cell / COLUMNS * (sheet->height + GAP);
  guint8 *data = GST_VIDEO_FRAME_PLANE_DATA (paper, 0);
  gint stride = GST_VIDEO_FRAME_PLANE_STRIDE (paper, 0);

  for (guint y = 0; y < sheet->height; y++)
    memcpy (data + (gsize) (top + y) * stride + 3 * left,
        thumb + 3 * (gsize) y * THUMB_WIDTH, 3 * THUMB_WIDTH);
}

GstSample *
sheet_draw (Sheet *sheet)
{
  g_autoptr (GstCaps) caps = NULL;
  GstVideoInfo info;
  GstVideoFrame paper;
  GstBuffer *buffer;
  GstSample *sample;

  if (sheet->thumbs->len < SHOWN)
    return NULL;
  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_RGB,
      GAP + COLUMNS * (THUMB_WIDTH + GAP), GAP + ROWS * (sheet->height + GAP));
  caps = gst_video_info_to_caps (&info);
  buffer = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (&info), NULL);
  gst_buffer_memset (buffer, 0, PAPER, GST_VIDEO_INFO_SIZE (&info));
  if (gst_video_frame_map (&paper, &info, buffer, GST_MAP_WRITE)) {
    for (guint cell = 0; cell < SHOWN; cell++)
      place (sheet, &paper, cell,
          g_ptr_array_index (sheet->thumbs,
              cell * (sheet->thumbs->len - 1) / (SHOWN - 1)));
    gst_video_frame_unmap (&paper);
  }
  sample = gst_sample_new (buffer, caps, NULL, NULL);
  gst_buffer_unref (buffer);
  return sample;
}
