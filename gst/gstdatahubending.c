/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application ends a pipeline by an EOS that it sends to the pipeline, as
 * gst-launch-1.0 -e does. The pipeline passes it on to its sources, each of which
 * pushes it behind the buffer that it pushes now. While the sink holds that buffer,
 * the EOS does not come. So as long as a sink waits, it and the bins around it count
 * as sources: then the pipeline sends the EOS to the sink, too.
 * Tests: gst-stopping */
#include "gstdatahubending.h"

/* Returns: whether the element was none before */
static gboolean
mark (GstElement *element, gboolean source)
{
  gboolean was;
  GST_OBJECT_LOCK (element);
  was = GST_OBJECT_FLAG_IS_SET (element, GST_ELEMENT_FLAG_SOURCE);
  if (source)
    GST_OBJECT_FLAG_SET (element, GST_ELEMENT_FLAG_SOURCE);
  else
    GST_OBJECT_FLAG_UNSET (element, GST_ELEMENT_FLAG_SOURCE);
  GST_OBJECT_UNLOCK (element);
  return !was;
}

/**
 * gst_datahub_ending_listen:
 * @ending: one that does not listen
 * @element: the sink
 *
 * From now on, an EOS for the pipeline of @element reaches its send_event.
 */
void
gst_datahub_ending_listen (GstDatahubEnding *ending, GstElement *element)
{
  GstObject *at = gst_object_ref (GST_OBJECT_CAST (element));
  for (guint i = 0; i < G_N_ELEMENTS (ending->marked) && at; i++) {
    GstObject *parent = gst_object_get_parent (at);
    /* the outermost one is not asked for its flags */
    if (parent && mark (GST_ELEMENT_CAST (at), TRUE))
      ending->marked[i] = GST_ELEMENT_CAST (gst_object_ref (at));
    gst_object_unref (at);
    at = parent;
  }
  gst_clear_object (&at);
}

/* No longer. */
void
gst_datahub_ending_ignore (GstDatahubEnding *ending)
{
  for (guint i = 0; i < G_N_ELEMENTS (ending->marked); i++) {
    if (ending->marked[i])
      mark (ending->marked[i], FALSE);
    gst_clear_object (&ending->marked[i]);
  }
}
