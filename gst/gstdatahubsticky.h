/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sticky events that have no record of their own and travel with the tags. Pure
 * functions; one thread. */
#ifndef GST_DATAHUB_STICKY_H
#define GST_DATAHUB_STICKY_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* At most this many sticky events are kept. Further ones are still forwarded
 * once. */
#define GST_DATAHUB_STICKY_MAX 64
/* A longer record is refused when read: two texts of tags and the events
 * fit. */
#define GST_DATAHUB_STICKY_SIZE_MAX (16u << 20)

/* Of all together, where they are several. */
#define GST_DATAHUB_STICKY_BYTES_MAX (1u << 20)

/* Of a producer. All zero: nothing. */
typedef struct
{
  GQueue events; /* of a type of the .c file; owned */
  guint32 serial; /* of the last one: the same event again is another */
} GstDatahubSticky;

void gst_datahub_sticky_clear (GstDatahubSticky *sticky);
void gst_datahub_sticky_forget (GstDatahubSticky *sticky, GstEventType type);
guint gst_datahub_sticky_put (GstDatahubSticky *sticky, GstEvent *event,
    GBytes *body);
GBytes *gst_datahub_sticky_encode (const GstDatahubSticky *sticky,
    GBytes *tags);

/* The body of a record of tags, in pieces that point into it. */
typedef struct
{
  gconstpointer data;
  gsize size;
} GstDatahubPiece;

typedef struct
{
  GstDatahubPiece tags[2]; /* texts: of the stream, of the medium */
  GstDatahubPiece events[GST_DATAHUB_STICKY_MAX]; /* numbered bodies */
  guint n_events;
} GstDatahubInForce;

gboolean gst_datahub_sticky_decode (gconstpointer data, gsize size,
    GstDatahubInForce *in_force);
GstDatahubPiece gst_datahub_sticky_body (const GstDatahubPiece *event);
gboolean gst_datahub_piece_equal (const GstDatahubPiece *a,
    const GstDatahubPiece *b);
gboolean gst_datahub_sticky_has (const GstDatahubInForce *in_force,
    const GstDatahubPiece *event);

G_END_DECLS

#endif /* GST_DATAHUB_STICKY_H */
