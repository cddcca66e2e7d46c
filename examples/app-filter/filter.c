/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a block, inverts the brightness of each picture, and writes another block:
 * appsink and appsrc in C. */
#include <gst/app/app.h>
#include <gst/video/video.h>

#include <glib-unix.h>
#include <signal.h>

typedef struct
{
  GMainLoop *loop;
  GstElement *pipeline;
  GstAppSink *sink;
  GstAppSrc *source;
  GstVideoInfo info; /* of the caps that came last */
  GstCaps *caps;
  GstAllocator *slots; /* what datahubsink offers, or NULL */
  GstAllocationParams params;
  int status;
} Filter;

/* Asks datahubsink for the memory that it wants to have. The answer holds for all
 * pictures: it is the allocator of its slots. */
static void
ask_for_slots (Filter *self)
{
  g_autoptr (GstPad) pad =
      gst_element_get_static_pad (GST_ELEMENT (self->source), "src");
  GstQuery *query = gst_query_new_allocation (self->caps, FALSE);
  g_clear_object (&self->slots);
  if (gst_pad_peer_query (pad, query)
      && gst_query_get_n_allocation_params (query) > 0)
    gst_query_parse_nth_allocation_param (query, 0, &self->slots,
        &self->params);
  gst_query_unref (query);
}

/* New caps go on before the first picture that has them. */
static gboolean
follow_caps (Filter *self, GstCaps *caps)
{
  if (self->caps && gst_caps_is_equal (self->caps, caps))
    return TRUE;
  if (!gst_video_info_from_caps (&self->info, caps))
    return FALSE;
  gst_caps_replace (&self->caps, caps);
  gst_app_src_set_caps (self->source, caps);
  ask_for_slots (self);
  return TRUE;
}

static void
invert (const GstVideoFrame *from, GstVideoFrame *to)
{
  for (int y = 0; y < GST_VIDEO_FRAME_HEIGHT (to); y++) {
    const guint8 *in = (const guint8 *) GST_VIDEO_FRAME_PLANE_DATA (from, 0)
        + y * GST_VIDEO_FRAME_PLANE_STRIDE (from, 0);
    guint8 *out = (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (to, 0)
        + y * GST_VIDEO_FRAME_PLANE_STRIDE (to, 0);
    for (int x = 0; x < GST_VIDEO_FRAME_WIDTH (to); x++)
      out[x] = (guint8) (255 - in[x]);
  }
  gst_video_frame_copy_plane (to, from, 1);
  gst_video_frame_copy_plane (to, from, 2);
}

/* The inverted picture, written into a slot; or NULL. */
static GstBuffer *
filtered (Filter *self, GstBuffer *buffer)
{
  GstVideoFrame from, to;
  GstBuffer *out = gst_buffer_new_allocate (self->slots,
      GST_VIDEO_INFO_SIZE (&self->info), &self->params);
  if (!out)
    return NULL;
  if (!gst_video_frame_map (&from, &self->info, buffer, GST_MAP_READ)) {
    gst_buffer_unref (out);
    return NULL;
  }
  if (!gst_video_frame_map (&to, &self->info, out, GST_MAP_WRITE)) {
    gst_video_frame_unmap (&from);
    gst_buffer_unref (out);
    return NULL;
  }
  invert (&from, &to);
  gst_video_frame_unmap (&to);
  gst_video_frame_unmap (&from);
  gst_buffer_copy_into (out, buffer,
      GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  return out;
}

/* In the thread of datahubsrc. A picture is given back before the next one is taken. */
static GstFlowReturn
on_new_sample (GstAppSink *sink, gpointer data)
{
  Filter *self = data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  GstBuffer *out;
  if (!sample)
    return GST_FLOW_EOS;
  if (!follow_caps (self, gst_sample_get_caps (sample)))
    return GST_FLOW_NOT_NEGOTIATED;
  out = filtered (self, gst_sample_get_buffer (sample));
  return out ? gst_app_src_push_buffer (self->source, out) : GST_FLOW_ERROR;
}

static void
on_eos (GstAppSink *sink, gpointer data)
{
  Filter *self = data;
  gst_app_src_end_of_stream (self->source);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Filter *self = data;
  g_autoptr (GError) error = NULL;
  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning (message, &error, NULL);
      g_printerr ("filter: %s\n", error->message);
      break;
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &error, NULL);
      g_printerr ("filter: %s\n", error->message);
      self->status = 1;
      g_main_loop_quit (self->loop);
      break;
    case GST_MESSAGE_EOS:
      g_main_loop_quit (self->loop);
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt (gpointer data)
{
  Filter *self = data;
  g_main_loop_quit (self->loop);
  return G_SOURCE_CONTINUE;
}

/* Both chains are in one pipeline, so a picture leaves with the time with which it came.
 * Neither sink waits for a first picture: the second one gets it from the first. If the
 * next block has no room, a picture is left out: the thread that appsink called must
 * not wait, or appsink could not stop. */
static gboolean
build (Filter *self, const char *from, const char *to)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) in = NULL, out = NULL;
  self->pipeline =
      gst_parse_launch ("datahubsrc name=in ! video/x-raw,format=I420 "
                        "! appsink name=sink sync=false async=false "
                        "max-buffers=2 drop=true "
                        "appsrc name=source is-live=true format=time "
                        "leaky-type=downstream max-buffers=2 "
                        "! datahubsink name=out async=false",
          &error);
  if (!self->pipeline) {
    g_printerr ("filter: %s\n", error->message);
    return FALSE;
  }
  in = gst_bin_get_by_name (GST_BIN (self->pipeline), "in");
  out = gst_bin_get_by_name (GST_BIN (self->pipeline), "out");
  self->sink =
      GST_APP_SINK (gst_bin_get_by_name (GST_BIN (self->pipeline), "sink"));
  self->source =
      GST_APP_SRC (gst_bin_get_by_name (GST_BIN (self->pipeline), "source"));
  g_object_set (in, "datablock", from, NULL);
  g_object_set (out, "datablock", to, NULL);
  return TRUE;
}

static void
run (Filter *self)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (self->pipeline);
  GstAppSinkCallbacks callbacks = { .eos = on_eos,
    .new_sample = on_new_sample };
  gst_app_sink_set_callbacks (self->sink, &callbacks, self, NULL);
  gst_bus_add_watch (bus, on_message, self);
  g_unix_signal_add (SIGINT, on_interrupt, self);
  g_unix_signal_add (SIGTERM, on_interrupt, self);
  gst_element_set_state (self->pipeline, GST_STATE_PLAYING);
  g_main_loop_run (self->loop);
  gst_element_set_state (self->pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
}

int
main (int argc, char **argv)
{
  Filter self = { .status = 1 };
  gst_init (&argc, &argv);
  if (argc != 3) {
    g_printerr ("usage: filter FROM TO\n");
    return 2;
  }
  gst_allocation_params_init (&self.params);
  self.loop = g_main_loop_new (NULL, FALSE);
  if (build (&self, argv[1], argv[2])) {
    self.status = 0;
    run (&self);
  }
  g_clear_object (&self.sink);
  g_clear_object (&self.source);
  g_clear_object (&self.slots);
  gst_clear_caps (&self.caps);
  g_clear_object (&self.pipeline);
  g_main_loop_unref (self.loop);
  return self.status;
}
