/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block keeps the current record of tags for consumers that join, but has no
 * record for custom sticky events, tables of contents and protection events. So
 * these follow the tags in that record, each as {u32 size, u32 serial, body of
 * an event}. A reader of the record passes on the events that were not in the
 * previous one.
 * Tests: gst-joiners */
#include "gstdatahubsticky.h"
#include "gstdatahubbytes.h"

#include <string.h>

typedef struct
{
  GstEventType type;
  gchar *name; /* owned; of its structure: one of a kind and name is in force */
  guint32 serial;
  GBytes *body; /* owned */
} Entry;

static void
entry_free (gpointer data)
{
  Entry *entry = data;
  g_free (entry->name);
  g_bytes_unref (entry->body);
  g_free (entry);
}

void
gst_datahub_sticky_clear (GstDatahubSticky *sticky)
{
  g_queue_clear_full (&sticky->events, entry_free);
}

static void
forget (GstDatahubSticky *sticky, GstEventType type, const gchar *name)
{
  GList *next;
  for (GList *l = sticky->events.head; l; l = next) {
    Entry *entry = l->data;
    next = l->next;
    if (entry->type != type || (name && !g_str_equal (entry->name, name)))
      continue;
    g_queue_delete_link (&sticky->events, l);
    entry_free (entry);
  }
}

/* All of one type. */
void
gst_datahub_sticky_forget (GstDatahubSticky *sticky, GstEventType type)
{
  forget (sticky, type, NULL);
}

static gsize
total_size (const GstDatahubSticky *sticky)
{
  gsize size = 0;
  for (GList *l = sticky->events.head; l; l = l->next)
    size += g_bytes_get_size (((Entry *) l->data)->body);
  return size;
}

/**
 * gst_datahub_sticky_put:
 * @sticky: what is in force
 * @event: a sticky event
 * @body: of it, as a record has it
 *
 * Appends it, and replaces an older one of its kind and name. If there are too
 * many, or they are too big, the oldest are removed.
 *
 * Returns: how many were removed
 */
guint
gst_datahub_sticky_put (GstDatahubSticky *sticky, GstEvent *event, GBytes *body)
{
  const GstStructure *structure = gst_event_get_structure (event);
  Entry *entry = g_new0 (Entry, 1);
  guint removed = 0;
  entry->type = GST_EVENT_TYPE (event);
  entry->name = g_strdup (structure ? gst_structure_get_name (structure) : "");
  entry->serial = ++sticky->serial;
  entry->body = g_bytes_ref (body);
  forget (sticky, entry->type, entry->name);
  g_queue_push_tail (&sticky->events, entry);
  while (sticky->events.length > 1
      && (sticky->events.length > GST_DATAHUB_STICKY_MAX
          || total_size (sticky) > GST_DATAHUB_STICKY_BYTES_MAX)) {
    entry_free (g_queue_pop_head (&sticky->events));
    removed++;
  }
  return removed;
}

/**
 * gst_datahub_sticky_encode:
 * @sticky: what is in force
 * @tags: (transfer full): the tags in force, as gst_datahub_format_encode_tags()
 *   has them
 *
 * Returns: (transfer full): the body of a record of tags
 */
GBytes *
gst_datahub_sticky_encode (const GstDatahubSticky *sticky, GBytes *tags)
{
  GByteArray *bytes = g_bytes_unref_to_array (tags);
  for (GList *l = sticky->events.head; l; l = l->next) {
    const Entry *entry = l->data;
    gsize size;
    gconstpointer body = g_bytes_get_data (entry->body, &size);
    gst_datahub_put_u32 (bytes, (guint32) size);
    gst_datahub_put_u32 (bytes, entry->serial);
    g_byte_array_append (bytes, body, (guint) size);
  }
  return g_byte_array_free_to_bytes (bytes);
}

static gboolean
get_text (GstDatahubBytes *in, GstDatahubPiece *piece)
{
  const guint8 *end = in->size ? memchr (in->data, 0, in->size) : NULL;
  if (!end)
    return FALSE;
  piece->data = in->data;
  piece->size = (gsize) (end - in->data) + 1;
  in->data += piece->size;
  in->size -= piece->size;
  return TRUE;
}

static gboolean
get_event (GstDatahubBytes *in, GstDatahubPiece *piece)
{
  guint32 size;
  if (!gst_datahub_get_u32 (in, &size) || in->size < sizeof (guint32)
      || size > in->size - sizeof (guint32))
    return FALSE;
  piece->data = in->data; /* with its serial */
  piece->size = size + sizeof (guint32);
  in->data += piece->size;
  in->size -= piece->size;
  return TRUE;
}

/**
 * gst_datahub_sticky_decode:
 * @data: the body of a record of tags; untrusted
 * @size: its bytes
 * @in_force: (out): its pieces, which are not looked into; they live as @data
 *
 * Returns: whether it makes sense
 */
gboolean
gst_datahub_sticky_decode (gconstpointer data, gsize size,
    GstDatahubInForce *in_force)
{
  GstDatahubBytes in = { data, data ? size : 0 };
  in_force->n_events = 0;
  if (!get_text (&in, &in_force->tags[0])
      || !get_text (&in, &in_force->tags[1]))
    return FALSE;
  while (in.size > 0)
    if (in_force->n_events == GST_DATAHUB_STICKY_MAX
        || !get_event (&in, &in_force->events[in_force->n_events++]))
      return FALSE;
  return TRUE;
}

/* Returns: the event without its number, as a record of its own has it. */
GstDatahubPiece
gst_datahub_sticky_body (const GstDatahubPiece *event)
{
  return (GstDatahubPiece){ (const guint8 *) event->data + sizeof (guint32),
    event->size - sizeof (guint32) };
}

gboolean
gst_datahub_piece_equal (const GstDatahubPiece *a, const GstDatahubPiece *b)
{
  return a->size == b->size && memcmp (a->data, b->data, a->size) == 0;
}

/* Returns: whether @event is in force there, and the same one. */
gboolean
gst_datahub_sticky_has (const GstDatahubInForce *in_force,
    const GstDatahubPiece *event)
{
  for (guint i = 0; i < in_force->n_events; i++)
    if (gst_datahub_piece_equal (&in_force->events[i], event))
      return TRUE;
  return FALSE;
}
