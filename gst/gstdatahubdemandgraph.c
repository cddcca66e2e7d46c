/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source is an element without sink pads. A bin counts as one element, except for
 * the bins around the sink, which the walk leaves through their ghost pads, and for
 * what a bin has inside that takes data: each such element is an end.
 * Tests: gst-demand, gst-demand-pipelines */
#include "gstdatahubdemandgraph.h"

/* Returns: (transfer full) (nullable): the element at the other end of the link */
static GstElement *
neighbour_of (GstPad *pad)
{
  GstPad *peer = gst_pad_get_peer (pad);
  while (peer) {
    g_autoptr (GstPad) at = peer;
    g_autoptr (GstObject) parent = gst_object_get_parent (GST_OBJECT_CAST (at));
    if (GST_IS_ELEMENT (parent))
      return GST_ELEMENT_CAST (g_steal_pointer (&parent));
    /* the inner side of a ghost pad: the link goes on outside of the bin */
    peer =
        GST_IS_PAD (parent) ? gst_pad_get_peer (GST_PAD_CAST (parent)) : NULL;
  }
  return NULL;
}

static gboolean
add_neighbour (GstElement *element, GstPad *pad, gpointer user_data)
{
  GstElement *neighbour = neighbour_of (pad);
  if (neighbour)
    g_ptr_array_add (user_data, neighbour);
  return TRUE;
}

/* Returns: (transfer full): the elements that @element is linked to */
static GPtrArray *
neighbours (GstElement *element, GstPadDirection direction)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (gst_object_unref);
  if (direction == GST_PAD_SINK)
    gst_element_foreach_sink_pad (element, add_neighbour, found);
  else
    gst_element_foreach_src_pad (element, add_neighbour, found);
  return found;
}

static guint
count_pads (GstElement *element, GstPadDirection direction)
{
  guint n;
  GST_OBJECT_LOCK (element);
  n = direction == GST_PAD_SINK ? element->numsinkpads : element->numsrcpads;
  GST_OBJECT_UNLOCK (element);
  return n;
}

gboolean
gst_datahub_demand_graph_is_source (GstElement *element)
{
  return count_pads (element, GST_PAD_SINK) == 0;
}

static void
visit (GstElement *element, GHashTable *seen, GPtrArray *found)
{
  g_autoptr (GPtrArray) feeders = neighbours (element, GST_PAD_SINK);
  for (guint i = 0; i < feeders->len; i++)
    if (g_hash_table_add (seen, feeders->pdata[i])) {
      visit (feeders->pdata[i], seen, found);
      g_ptr_array_insert (found, 0, gst_object_ref (feeders->pdata[i]));
    }
}

/**
 * gst_datahub_demand_graph_add_upstream:
 * @element: an element
 * @found: (element-type GstElement): elements; those that feed @element are added in
 *   front, unless they are in it, each in front of what feeds it
 */
void
gst_datahub_demand_graph_add_upstream (GstElement *element, GPtrArray *found)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < found->len; i++)
    g_hash_table_add (seen, found->pdata[i]);
  visit (element, seen, found);
}

static void
add_end (const GValue *item, gpointer user_data)
{
  GstElement *element = g_value_get_object (item);
  if (!GST_IS_BIN (element) && count_pads (element, GST_PAD_SRC) == 0)
    g_ptr_array_add (user_data, gst_object_ref (element));
}

/* Also of a bin that passes data on: it may have a tee. */
static void
add_ends_inside (GstBin *bin, GPtrArray *ends)
{
  GstIterator *elements = gst_bin_iterate_recurse (bin);
  while (gst_iterator_foreach (elements, add_end, ends) == GST_ITERATOR_RESYNC)
    gst_iterator_resync (elements); /* one that is in twice does no harm */
  gst_iterator_free (elements);
}

static void
follow (GstElement *element, GHashTable *seen, GPtrArray *ends)
{
  g_autoptr (GPtrArray) takers = neighbours (element, GST_PAD_SRC);
  for (guint i = 0; i < takers->len; i++) {
    GstElement *taker = takers->pdata[i];
    if (!g_hash_table_add (seen, taker))
      continue;
    if (GST_IS_BIN (taker))
      add_ends_inside (GST_BIN_CAST (taker), ends);
    else if (count_pads (taker, GST_PAD_SRC) == 0)
      g_ptr_array_add (ends, gst_object_ref (taker));
    follow (taker, seen, ends);
  }
}

/**
 * gst_datahub_demand_graph_add_ends:
 * @element: an element
 * @ends: (element-type GstElement): the elements without source pads that data of
 *   @element can reach are added
 */
void
gst_datahub_demand_graph_add_ends (GstElement *element, GPtrArray *ends)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  follow (element, seen, ends);
}

typedef struct
{
  const GPtrArray *inside;
  GPtrArray *border;
} Border;

static gboolean
add_border (GstElement *element, GstPad *pad, gpointer user_data)
{
  const Border *border = user_data;
  g_autoptr (GstElement) neighbour = neighbour_of (pad);
  GstPad *peer = neighbour ? gst_pad_get_peer (pad) : NULL;
  if (peer && !g_ptr_array_find ((GPtrArray *) border->inside, neighbour, NULL))
    g_ptr_array_add (border->border, peer);
  else
    gst_clear_object (&peer);
  return TRUE;
}

/* Returns: (transfer full) (element-type GstPad): the pads that @element pushes to and
 *   that are not of an element in @inside */
GPtrArray *
gst_datahub_demand_graph_border (GstElement *element, const GPtrArray *inside)
{
  Border border = { inside, g_ptr_array_new_with_free_func (gst_object_unref) };
  gst_element_foreach_src_pad (element, add_border, &border);
  return border.border;
}
