/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPLIT_SHEET_H
#define SPLIT_SHEET_H

#include <gst/video/video.h>

/* A contact sheet: small pictures spread evenly over a stream of any length. */
typedef struct _Sheet Sheet;

Sheet *sheet_new (void);
void sheet_free (Sheet *sheet);
/* Offers an RGB frame; it is taken when its turn has come. */
void sheet_offer (Sheet *sheet, const GstVideoFrame *frame, GstClockTime pts);
/* Returns: an RGB sample of the whole sheet, or NULL while there is too little
 * to show. */
GstSample *sheet_draw (Sheet *sheet);

#endif /* SPLIT_SHEET_H */
