/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "messages.h"

#include <gst/check/gstcheck.h>

GstMessage *
wait_message (GstElement *element, GstMessageType types)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (element);
  GstMessage *message =
      gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND, types);
  fail_unless (message != NULL);
  return message;
}

void
expect_error (GstElement *element, GQuark domain, gint code, const gchar *word)
{
  g_autoptr (GstMessage) message = wait_message (element, GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *detail = NULL;
  gst_message_parse_error (message, &error, &detail);
  fail_unless (g_error_matches (error, domain, code), "%s %d: %s",
      g_quark_to_string (error->domain), error->code, error->message);
  fail_unless (strstr (error->message, word) != NULL, "%s", error->message);
  fail_unless (detail && *detail);
}

GError *
run_until_error (const gchar *line)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstMessage) message = NULL;
  GError *error = NULL;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = wait_message (pipeline, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  return error;
}
