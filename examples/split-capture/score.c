/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "score.h"

#include <math.h>
#include <stdlib.h>

/* Every fourth point of every fourth line is enough to judge a frame by. */
#define STEP 4

typedef struct
{
  double n, sum, squares, colour, detail;
} Sums;

static void
add_line (Sums *sums, const guint8 *line, guint width)
{
  int before = -1;

  for (guint x = 0; x < width; x += STEP) {
    int r = line[3 * x], g = line[3 * x + 1], b = line[3 * x + 2];
    int luma = (54 * r + 183 * g + 19 * b) >> 8;
    sums->n++;
    sums->sum += luma;
    sums->squares += luma * luma;
    sums->colour += MAX (r, MAX (g, b)) - MIN (r, MIN (g, b));
    if (before >= 0)
      sums->detail += abs (luma - before);
    before = luma;
  }
}

double
frame_score (const GstVideoFrame *frame)
{
  guint width = GST_VIDEO_FRAME_WIDTH (frame);
  guint height = GST_VIDEO_FRAME_HEIGHT (frame);
  const guint8 *data = GST_VIDEO_FRAME_PLANE_DATA (frame, 0);
  gint stride = GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0);
  Sums sums = { 0 };
  double mean, contrast, exposure;

  for (guint y = 0; y < height; y += STEP)
    add_line (&sums, data + (gsize) y * stride, width);
  mean = sums.sum / sums.n;
  contrast = sqrt (MAX (0.0, sums.squares / sums.n - mean * mean)) / 64.0;
  /* 1 at medium grey, 0 at black and at white. */
  exposure = 1.0 - fabs (mean - 118.0) / 138.0;
  return exposure * (0.1 + contrast) * (0.2 + sums.colour / sums.n / 64.0)
      * (0.5 + MIN (1.0, sums.detail / sums.n / 8.0));
}
