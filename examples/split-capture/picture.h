/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPLIT_PICTURE_H
#define SPLIT_PICTURE_H

#include <gst/gst.h>

#define PICTURE_WIDTH 1280
#define PICTURE_HEIGHT 720
#define PICTURE_RATE 30
#define PICTURE_SECONDS_MAX 86400

/* The generated source as a pipeline string: "NAME ! ... " up to, and without,
 * the element that takes the pictures. */
gchar *picture_describe (const char *name, gboolean live, guint n_frames);
/* Draws the scene into every picture that leaves @source. */
void picture_attach (GstElement *source);

#endif /* SPLIT_PICTURE_H */
