/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A streaming thread that is to end may wait in a sink: the border of what goes off is
 * flushed.
 * Tests: gst-demand, gst-demand-pipelines */
#include "gstdatahubdemandsources.h"
#include "gstdatahubdemandgraph.h"

/* The border of @elements. A sink that got EOS has nothing to wait for, and its
 * consumers read on. */
static GPtrArray *
border_of (const GPtrArray *elements)
{
  GPtrArray *border = gst_datahub_elements_new ();
  for (guint i = 0; i < elements->len; i++) {
    g_autoptr (GPtrArray) pads =
        gst_datahub_demand_graph_border (elements->pdata[i], elements);
    for (guint j = 0; j < pads->len; j++) {
      g_autoptr (GstElement) parent =
          gst_pad_get_parent_element (pads->pdata[j]);
      GstDatahubDemand *demand = parent ? gst_datahub_demand_of (parent) : NULL;
      if (!demand || !g_atomic_int_get (&demand->drained))
        g_ptr_array_add (border, gst_object_ref (pads->pdata[j]));
    }
  }
  return border;
}

static void
hold (GPtrArray *held, GstElement *element)
{
  gst_element_set_locked_state (element, TRUE);
  if (!gst_datahub_elements_have (held, element))
    g_ptr_array_add (held, gst_object_ref (element));
}

/* Sets them to READY, with a locked state. */
void
gst_datahub_demand_sources_off (GPtrArray *held, const GPtrArray *elements)
{
  g_autoptr (GPtrArray) border = border_of (elements);
  for (guint i = 0; i < border->len; i++)
    gst_pad_send_event (border->pdata[i], gst_event_new_flush_start ());
  for (guint i = 0; i < elements->len; i++) {
    hold (held, elements->pdata[i]);
    gst_element_set_state (elements->pdata[i], GST_STATE_READY);
  }
  for (guint i = 0; i < border->len; i++)
    gst_pad_send_event (border->pdata[i], gst_event_new_flush_stop (FALSE));
}

/* All sinks on demand play. The pipeline may be about to, because another sink was added,
 * which waits for data of this element. One that was taken out meanwhile stays. */
gboolean
gst_datahub_demand_sources_release (GstElement *element)
{
  g_autoptr (GstObject) parent =
      gst_object_get_parent (GST_OBJECT_CAST (element));
  gst_element_set_locked_state (element, FALSE);
  return !parent
      || gst_element_set_state (element, GST_STATE_PLAYING)
      != GST_STATE_CHANGE_FAILURE;
}

/* Returns: (transfer full): the names of the sources in @elements that feed @demand. Any
 * thread. */
GPtrArray *
gst_datahub_demand_sources_names (GstDatahubDemand *demand,
    const GPtrArray *elements)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) sources =
      gst_datahub_demand_plan_sources (demand->element);
  for (guint i = 0; i < sources->len; i++)
    if (gst_datahub_elements_have (elements, sources->pdata[i]))
      g_ptr_array_add (names, gst_object_get_name (sources->pdata[i]));
  return names;
}

void
gst_datahub_demand_sources_report (const GPtrArray *members,
    const GPtrArray *elements, gboolean started)
{
  for (guint i = 0; i < members->len; i++) {
    g_autoptr (GPtrArray) names =
        gst_datahub_demand_sources_names (members->pdata[i], elements);
    if (names->len > 0)
      gst_datahub_demand_report (members->pdata[i], started, names);
  }
}

/* Each of the members waits for another consumer. */
void
gst_datahub_demand_sources_report_failure (const GPtrArray *members,
    const GPtrArray *elements, GstElement *failed)
{
  for (guint i = 0; i < members->len; i++) {
    g_autoptr (GPtrArray) names =
        gst_datahub_demand_sources_names (members->pdata[i], elements);
    if (names->len > 0)
      gst_datahub_demand_report_failure (members->pdata[i],
          GST_OBJECT_NAME (failed));
  }
}

/* Elements that feed no member have the state of the pipeline again. */
void
gst_datahub_demand_sources_let_go (GPtrArray *held, const GPtrArray *members)
{
  g_autoptr (GPtrArray) chain = gst_datahub_demand_plan_chain (members);
  for (guint i = held->len; i-- > 0;)
    if (!gst_datahub_elements_have (chain, held->pdata[i])) {
      gst_element_set_locked_state (held->pdata[i], FALSE);
      g_ptr_array_remove_index (held, i);
    }
}

/* Those that run already are switched off when the sink plays. */
void
gst_datahub_demand_sources_hold_stopped (GPtrArray *held,
    const GPtrArray *members)
{
  g_autoptr (GPtrArray) off =
      gst_datahub_demand_plan_choose_off (held, members);
  for (guint i = 0; i < off->len; i++)
    if (GST_STATE (off->pdata[i]) <= GST_STATE_READY)
      hold (held, off->pdata[i]);
}
