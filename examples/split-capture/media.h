/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPLIT_MEDIA_H
#define SPLIT_MEDIA_H

#include <gst/gst.h>

typedef struct
{
  gboolean has_video, has_audio;
  gchar *text; /* for a person: length, size, formats */
} MediaInfo;

/* Looks into the file or URI @path. Blocks, up to 30 s. */
gboolean media_inspect (const char *path, MediaInfo *info, GError **error);
void media_info_clear (MediaInfo *info);

#endif /* SPLIT_MEDIA_H */
