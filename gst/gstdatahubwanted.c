/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mailbox has no answer. So that a source can refuse what its sink excludes, the
 * sink writes the types that it takes as a sticky event, which ends in the source.
 * Without such an event the sink takes all types.
 * Tests: gst-upstream */
#include "gstdatahubwanted.h"

#define EVENT "DatahubUpstreamEvents"
#define FIELD "types"

/**
 * gst_datahub_wanted_make_event:
 * @wanted: `event-types` of a sink
 *
 * Returns: (transfer full): the event
 */
GstEvent *
gst_datahub_wanted_make_event (GstDatahubEvents wanted)
{
  return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
      gst_structure_new (EVENT, FIELD, G_TYPE_UINT,
          (guint) (wanted & GST_DATAHUB_EVENTS_UPSTREAM), NULL));
}

/**
 * gst_datahub_wanted_take_event:
 * @wanted: (inout): the upstream types that the sink takes
 * @event: an event of the producer
 *
 * Returns: whether it was such an event, which is not for downstream
 */
gboolean
gst_datahub_wanted_take_event (GstDatahubEvents *wanted, GstEvent *event)
{
  guint types = GST_DATAHUB_EVENTS_UPSTREAM;
  if (GST_EVENT_TYPE (event) != GST_EVENT_CUSTOM_DOWNSTREAM_STICKY
      || !gst_event_has_name (event, EVENT))
    return FALSE;
  gst_structure_get_uint (gst_event_get_structure (event), FIELD, &types);
  *wanted = (GstDatahubEvents) types & GST_DATAHUB_EVENTS_UPSTREAM;
  return TRUE;
}
