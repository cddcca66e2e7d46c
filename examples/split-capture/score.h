/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPLIT_SCORE_H
#define SPLIT_SCORE_H

#include <gst/video/video.h>

/* How much there is to see in an RGB frame: contrast, colour, detail; little
 * for black, for white, for a fade. Only to be compared. */
double frame_score (const GstVideoFrame *frame);

#endif /* SPLIT_SCORE_H */
