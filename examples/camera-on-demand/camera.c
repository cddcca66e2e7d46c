/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A camera that is on only while it has viewers. Prints when it goes on and off, with
 * the number of viewers, until SIGINT:
 *
 *   camera [PIPELINE]
 *
 * PIPELINE has a datahubsink with the name "sink". */
#include <glib-unix.h>
#include <gst/gst.h>
#include <signal.h>

#define PICTURE                                                                \
  "videotestsrc name=camera is-live=true ! "                                   \
  "video/x-raw,format=I420,width=640,height=480 ! "                            \
  "datahubsink name=sink datablock=cam0 on-demand=true"

/* A handler of these signals may change the state of elements: no lock is held. An
 * application could switch a lamp here. */
static void
on_started (GstElement *sink, gchar **sources, gpointer data)
{
  g_print ("on: %s\n", sources[0]);
}

static void
on_stopped (GstElement *sink, gchar **sources, gpointer data)
{
  g_print ("off: %s\n", sources[0]);
}

static void
on_demanded (GstElement *sink, GParamSpec *spec, gpointer data)
{
  gboolean demanded;
  g_object_get (sink, "demanded", &demanded, NULL);
  g_print ("%s\n", demanded ? "wanted" : "not wanted");
}

/* The same facts come as messages, in the thread of the main loop. */
static void
show_message (GstMessage *message)
{
  const GstStructure *fields = gst_message_get_structure (message);
  if (gst_structure_has_name (fields, "consumer-added"))
    g_print ("viewer: %s\n", gst_structure_get_string (fields, "name"));
}

typedef struct
{
  GMainLoop *loop;
  int status;
} Camera;

static void
show_error (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  gst_message_parse_error (message, &error, NULL);
  g_printerr ("%s\n", error->message);
}

/* A camera that cannot start now is tried again for the next viewer, so an error of
 * it does not end the program. Other errors do. */
static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Camera *camera = data;
  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      show_message (message);
      break;
    case GST_MESSAGE_ERROR:
      show_error (message);
      if (g_str_equal (GST_MESSAGE_SRC_NAME (message), "camera"))
        break;
      camera->status = 1;
      g_main_loop_quit (camera->loop);
      break;
    case GST_MESSAGE_EOS:
      g_main_loop_quit (camera->loop);
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt (gpointer data)
{
  g_main_loop_quit (((Camera *) data)->loop);
  return G_SOURCE_CONTINUE;
}

static void
connect_sink (GstElement *pipeline)
{
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  if (!sink)
    g_error ("The pipeline needs a datahubsink with name=sink.");
  g_signal_connect (sink, "source-started", G_CALLBACK (on_started), NULL);
  g_signal_connect (sink, "source-stopped", G_CALLBACK (on_stopped), NULL);
  g_signal_connect (sink, "notify::demanded", G_CALLBACK (on_demanded), NULL);
  gst_object_unref (sink);
}

int
main (int argc, char **argv)
{
  Camera camera = { 0 };
  GstElement *pipeline;
  GstBus *bus;
  gst_init (&argc, &argv);
  pipeline = gst_parse_launch (argc > 1 ? argv[1] : PICTURE, NULL);
  if (!GST_IS_PIPELINE (pipeline))
    g_error ("This is no pipeline.");
  connect_sink (pipeline);
  camera.loop = g_main_loop_new (NULL, FALSE);
  bus = gst_element_get_bus (pipeline);
  gst_bus_add_watch (bus, on_message, &camera);
  g_unix_signal_add (SIGINT, on_interrupt, &camera);
  if (gst_element_set_state (pipeline, GST_STATE_PLAYING)
      != GST_STATE_CHANGE_FAILURE)
    g_print ("ready\n");
  g_main_loop_run (camera.loop);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  g_main_loop_unref (camera.loop);
  return camera.status;
}
