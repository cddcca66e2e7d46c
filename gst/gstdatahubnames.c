/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another program may remove the files of a block while it is in use. The service
 * thread of the sink looks once a second. What it cannot mend needs another block,
 * which the streaming thread makes (gstdatahubrenewal.c).
 * Tests: gst-lost-names */
#include "gstdatahubnames.h"
#include "gstdatahubclient.h"
#include "gstdatahubtime.h"

#define LOOK_NS (G_GINT64_CONSTANT (1) * GST_SECOND)

void
gst_datahub_names_init (GstDatahubNames *names, GstElement *element)
{
  *names = (GstDatahubNames){ .element = element };
}

/* A block was published. The service thread does not run. */
void
gst_datahub_names_start (GstDatahubNames *names)
{
  g_atomic_pointer_set (&names->lost, NULL);
  g_atomic_int_set (&names->revoked, FALSE);
  names->found = DATAHUB_OK;
  names->looked_at = gst_datahub_monotonic_now ();
}

/* Returns: when to look again, in nanoseconds from now */
gint64
gst_datahub_names_look (GstDatahubNames *names, DatahubProducer *producer)
{
  gint64 since = gst_datahub_monotonic_now () - names->looked_at;
  DatahubError error = { 0 };
  DatahubResult found;
  if (since < LOOK_NS)
    return LOOK_NS - since;
  names->looked_at += since;
  found = datahub_producer_check_names (producer, &error);
  if (found == DATAHUB_ERROR_BUSY && names->found != found)
    gst_datahub_client_post (names->element, GST_MESSAGE_WARNING, &error,
        "looking for the names of the block");
  if (found == DATAHUB_ERROR_NOT_FOUND)
    g_atomic_pointer_set (&names->lost, producer);
  names->found = found;
  return LOOK_NS;
}

/* A consumer of the block of @producer has lost the right to it. Any thread. */
void
gst_datahub_names_revoke (GstDatahubNames *names, DatahubProducer *producer)
{
  g_atomic_int_set (&names->revoked, TRUE);
  g_atomic_pointer_set (&names->lost, producer);
}
