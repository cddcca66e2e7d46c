/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a reader accepts of another process. The writer asks the same numbers, so
 * that it writes nothing which a reader refuses. */
#ifndef GST_DATAHUB_LIMITS_H
#define GST_DATAHUB_LIMITS_H

/* The body of a record, or one list of tags; with its end, in bytes. */
#define GST_DATAHUB_BODY_MAX (4u << 20)
/* All metas of one buffer, in bytes. Each small one is an allocation of a
 * reader. */
#define GST_DATAHUB_METAS_MAX (1u << 20)
/* Parameters of one region of interest. */
#define GST_DATAHUB_PARAMS_MAX 64u
/* Rectangles of one overlay, and pixels of one rectangle after scaling. */
#define GST_DATAHUB_RECTANGLES_MAX 64u
#define GST_DATAHUB_RENDERED_MAX (1u << 26)
/* Channels of one audio meta. */
#define GST_DATAHUB_CHANNELS_MAX 64u
/* Sides of a picture, its padding and its position, in pixels. */
#define GST_DATAHUB_SIDE_MAX (4u * G_MAXINT16)
/* Levels and entries of a table of contents. */
#define GST_DATAHUB_TOC_DEPTH_MAX 8u
#define GST_DATAHUB_TOC_ENTRIES_MAX 4096u

#endif /* GST_DATAHUB_LIMITS_H */
