/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Follows which blocks with a living producer there are. */
#ifndef GST_DATAHUB_DIRECTORY_H
#define GST_DATAHUB_DIRECTORY_H

#include "gstdatahubfacts.h"

G_BEGIN_DECLS

typedef struct _GstDatahubDirectory GstDatahubDirectory;

typedef enum
{
  GST_DATAHUB_DIRECTORY_FOUND,
  GST_DATAHUB_DIRECTORY_CHANGED, /* other caps, another producer, another block */
  GST_DATAHUB_DIRECTORY_LOST /* no producer for longer than a restart takes */
} GstDatahubDirectoryEvent;

/* @facts are valid during the call. */
typedef void (*GstDatahubDirectoryFunc) (gpointer user_data,
    GstDatahubDirectoryEvent event, const GstDatahubFacts *facts);

/* Where to look. */
typedef struct
{
  const gchar *group; /* NULL: all blocks */
  const gchar *broker; /* NULL: $DATAHUB_BROKER or "auto" */
  const gchar *curve_server_key, *curve_key_file; /* may be NULL */
} GstDatahubDirectoryOptions;

GstDatahubDirectory *gst_datahub_directory_new (const GstDatahubDirectoryOptions
                                                    *options,
    GstDatahubDirectoryFunc func, gpointer user_data);
void gst_datahub_directory_look (GstDatahubDirectory *directory);
void gst_datahub_directory_follow (GstDatahubDirectory *directory);
void gst_datahub_directory_free (GstDatahubDirectory *directory);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstDatahubDirectory, gst_datahub_directory_free)

G_END_DECLS

#endif /* GST_DATAHUB_DIRECTORY_H */
