/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source is to be off if all its data ends at on-demand sinks without a demand, and
 * an element behind sources if all of these are.
 * Tests: gst-demand, gst-demand-pipelines */
#include "gstdatahubdemandplan.h"
#include "gstdatahubdemandgraph.h"

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

/* Returns: (transfer full): @elements without @others */
GPtrArray *
gst_datahub_elements_without (const GPtrArray *elements,
    const GPtrArray *others)
{
  GPtrArray *rest = gst_datahub_elements_new ();
  for (guint i = 0; i < elements->len; i++)
    if (!gst_datahub_elements_have (others, elements->pdata[i]))
      g_ptr_array_add (rest, gst_object_ref (elements->pdata[i]));
  return rest;
}

static gboolean
is_end_off (GstElement *end)
{
  GstDatahubDemand *demand = gst_datahub_demand_of (end);
  return demand && gst_datahub_demand_is_on (demand)
      && !gst_datahub_demand_wants (demand);
}

/* Returns: (transfer full) (nullable): an end of @source that is no sink on demand */
static GstElement *
find_other_end (GstElement *source)
{
  g_autoptr (GPtrArray) ends = gst_datahub_elements_new ();
  gst_datahub_demand_graph_add_ends (source, ends);
  for (guint i = 0; i < ends->len; i++) {
    GstDatahubDemand *demand = gst_datahub_demand_of (ends->pdata[i]);
    if (!demand || !gst_datahub_demand_is_on (demand))
      return gst_object_ref (ends->pdata[i]);
  }
  return NULL;
}

static gboolean
is_source_off (GstElement *source)
{
  g_autoptr (GPtrArray) ends = gst_datahub_elements_new ();
  gst_datahub_demand_graph_add_ends (source, ends);
  for (guint i = 0; i < ends->len; i++)
    if (!is_end_off (ends->pdata[i]))
      return FALSE;
  return TRUE;
}

/* Returns: (transfer full): @element, if it is one, or those that feed it */
GPtrArray *
gst_datahub_demand_plan_sources (GstElement *element)
{
  GPtrArray *found = gst_datahub_elements_new ();
  if (gst_datahub_demand_graph_is_source (element))
    g_ptr_array_add (found, gst_object_ref (element));
  else
    gst_datahub_demand_graph_add_upstream (element, found);
  for (guint i = found->len; i-- > 0;)
    if (!gst_datahub_demand_graph_is_source (found->pdata[i]))
      g_ptr_array_remove_index (found, i);
  return found;
}

static gboolean
is_to_be_off (GstElement *element)
{
  g_autoptr (GPtrArray) sources = gst_datahub_demand_plan_sources (element);
  for (guint i = 0; i < sources->len; i++)
    if (!is_source_off (sources->pdata[i]))
      return FALSE;
  return sources->len > 0;
}

/* What the application has locked stays as it is. */
static gboolean
is_held_by_others (const GPtrArray *held, GstElement *element)
{
  return !gst_datahub_elements_have (held, element)
      && gst_element_is_locked_state (element);
}

/* Returns: (transfer full): what feeds @members, each in front of what feeds it */
GPtrArray *
gst_datahub_demand_plan_chain (const GPtrArray *members)
{
  GPtrArray *chain = gst_datahub_elements_new ();
  for (guint i = 0; i < members->len; i++) {
    GstDatahubDemand *demand = members->pdata[i];
    gst_datahub_demand_graph_add_upstream (demand->element, chain);
  }
  return chain;
}

/**
 * gst_datahub_demand_plan_choose_off:
 * @held: what the sinks keep off already
 * @members: (element-type GstDatahubDemand): all on-demand sinks of a pipeline that run
 *
 * Returns: (transfer full): the elements that are to be off, each in front of what
 *   feeds it
 */
GPtrArray *
gst_datahub_demand_plan_choose_off (const GPtrArray *held,
    const GPtrArray *members)
{
  GPtrArray *off = gst_datahub_demand_plan_chain (members);
  for (guint i = off->len; i-- > 0;)
    if (is_held_by_others (held, off->pdata[i])
        || !is_to_be_off (off->pdata[i]))
      g_ptr_array_remove_index (off, i);
  return off;
}

/* Whether a source of @demand can be switched; if none can, the error is posted. */
gboolean
gst_datahub_demand_plan_check (GstDatahubDemand *demand)
{
  g_autoptr (GPtrArray) sources =
      gst_datahub_demand_plan_sources (demand->element);
  g_autoptr (GstElement) other = NULL;
  for (guint i = 0; i < sources->len; i++) {
    gst_clear_object (&other);
    other = find_other_end (sources->pdata[i]);
    if (!other)
      return TRUE;
  }
  if (sources->len == 0)
    GST_ELEMENT_ERROR (demand->element, RESOURCE, SETTINGS,
        ("on-demand=true, but no source feeds this sink. Link it to a source "
         "before the pipeline starts; elements that add their pads later, such as "
         "decodebin, cannot be switched on demand."),
        ("a source is an element without sink pads"));
  else
    GST_ELEMENT_ERROR (demand->element, RESOURCE, SETTINGS,
        ("on-demand=true, but %s also feeds %s, which always needs it. Remove %s "
         "from the pipeline, or use on-demand=false.",
            GST_OBJECT_NAME (sources->pdata[sources->len - 1]),
            GST_OBJECT_NAME (other), GST_OBJECT_NAME (other)),
        ("%u sources", sources->len));
  return FALSE;
}
