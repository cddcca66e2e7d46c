/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One process of a measurement: the producer, a consumer, or, for the
 * in-process queue, both. Prints one JSON object at its end. tests/bench/run
 * starts them. */
#include "bench-elements.h"
#include "bench-stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIDEO_SIZE (1920 * 1080 * 3 / 2)
/* A measurement that takes longer has failed. */
#define LONGEST_S 120
/* The same for every transport; a ring has half as many records as slots. */
#define MOST_IN_FLIGHT 64

static const char *role = NULL, *transport = NULL, *channel = "bench";
static const char *size_text = "65536", *board_path = NULL, *touch = "header";
static gint64 count = 1000, warm_up = 100, in_flight = 0;
static gint receiver = 0, receivers = 1;
static gdouble rate = 0;
static gboolean own_pool = FALSE, latency = FALSE;

static GOptionEntry entries[] = {
  { "role", 0, 0, G_OPTION_ARG_STRING, &role, "produce, consume or both", "R" },
  { "transport", 0, 0, G_OPTION_ARG_STRING, &transport, "datahub, shm or queue",
      "T" },
  { "channel", 0, 0, G_OPTION_ARG_STRING, &channel,
      "name of the block, or path of the socket", "C" },
  { "size", 0, 0, G_OPTION_ARG_STRING, &size_text, "bytes, or 1080p", "S" },
  { "count", 0, 0, G_OPTION_ARG_INT64, &count, "buffers", "N" },
  { "warm-up", 0, 0, G_OPTION_ARG_INT64, &warm_up,
      "buffers before the measurement", "N" },
  { "rate", 0, 0, G_OPTION_ARG_DOUBLE, &rate, "buffers a second, 0: flat out",
      "F" },
  { "touch", 0, 0, G_OPTION_ARG_STRING, &touch, "header or all", "H" },
  { "own-pool", 0, 0, G_OPTION_ARG_NONE, &own_pool,
      "the source refuses the pool it is offered", NULL },
  { "latency", 0, 0, G_OPTION_ARG_NONE, &latency, "report latencies", NULL },
  { "board", 0, 0, G_OPTION_ARG_STRING, &board_path, "shared page", "FILE" },
  { "in-flight", 0, 0, G_OPTION_ARG_INT64, &in_flight,
      "limit kept by the board", "N" },
  { "receiver", 0, 0, G_OPTION_ARG_INT, &receiver, "number of this one", "I" },
  { "receivers", 0, 0, G_OPTION_ARG_INT, &receivers, "of this measurement",
      "N" },
  { NULL },
};

GstCaps *
bench_caps (const BenchWork *work)
{
  if (work->video)
    return gst_caps_from_string ("video/x-raw, format=I420, width=1920, "
                                 "height=1080, framerate=60/1");
  return gst_caps_from_string ("application/x-bench");
}

static GstElement *
make (const char *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);
  if (!element) {
    fprintf (stderr, "transport: no element \"%s\"\n", factory);
    exit (77);
  }
  return element;
}

static GstElement *
make_sender (const BenchWork *work)
{
  if (g_str_equal (transport, "datahub")) {
    GstElement *sink = make ("datahubsink");
    /* bytes of no format say nothing of their size before the first comes */
    g_object_set (sink, "datablock", channel, "sync", FALSE, "slots",
        2 * MOST_IN_FLIGHT, "wait-for-consumers", (guint) work->receivers,
        "slot-size", (guint64) (work->video ? 0 : work->size), NULL);
    gst_util_set_object_arg (G_OBJECT (sink), "broker", "none");
    return sink;
  }
  GstElement *sink = make ("shmsink");
  /* room for what is in flight and what source and sink hold */
  guint64 area = (work->size + 4096) * 80;
  g_object_set (sink, "socket-path", channel, "sync", FALSE, "async", FALSE,
      "wait-for-connection", TRUE, "shm-size",
      (guint) MIN (MAX (area, 1 << 20), 1u << 30), NULL);
  return sink;
}

static GstElement *
make_receiver (void)
{
  if (g_str_equal (transport, "datahub")) {
    GstElement *src = make ("datahubsrc");
    g_object_set (src, "datablock", channel, NULL);
    gst_util_set_object_arg (G_OBJECT (src), "broker", "none");
    gst_util_set_object_arg (G_OBJECT (src), "delivery", "reliable");
    gst_util_set_object_arg (G_OBJECT (src), "start-at", "oldest");
    return src;
  }
  GstElement *src = make ("shmsrc");
  g_object_set (src, "socket-path", channel, "is-live", TRUE, "do-timestamp",
      FALSE, NULL);
  return src;
}

static void
link_all (GstElement *pipeline, GstElement *first, ...)
{
  va_list args;
  GstElement *next;
  gst_bin_add (GST_BIN (pipeline), first);
  va_start (args, first);
  while ((next = va_arg (args, GstElement *))) {
    gst_bin_add (GST_BIN (pipeline), next);
    if (!gst_element_link (first, next)) {
      fprintf (stderr, "transport: elements do not link\n");
      exit (1);
    }
    first = next;
  }
  va_end (args);
}

static GstElement *
build (const BenchWork *work, BenchAddress *sent, BenchReceived *received,
    GstElement **sender)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  if (g_str_equal (role, "produce")) {
    *sender = make_sender (work);
    link_all (pipeline, bench_source_new (work, sent), *sender, NULL);
  } else if (g_str_equal (role, "consume")) {
    link_all (pipeline, make_receiver (),
        bench_sink_new (work, (uint32_t) receiver, received), NULL);
  } else {
    GstElement *queue = make ("queue");
    g_object_set (queue, "max-size-buffers", MOST_IN_FLIGHT, "max-size-bytes",
        0, "max-size-time", (guint64) 0, NULL);
    link_all (pipeline, bench_source_new (work, sent), queue,
        bench_sink_new (work, 0, received), NULL);
  }
  return pipeline;
}

static int
run (GstElement *pipeline)
{
  int status = 0;
  GstBus *bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  /* The driver starts the consumers when it reads this. */
  fprintf (stderr, "ready\n");
  fflush (stderr);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, LONGEST_S * GST_SECOND,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_APPLICATION);
  if (!message) {
    fprintf (stderr, "transport: no end after %d s\n", LONGEST_S);
    status = 1;
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    GError *error = NULL;
    char *debug = NULL;
    gst_message_parse_error (message, &error, &debug);
    fprintf (stderr, "transport: %s (%s)\n", error->message, debug);
    g_clear_error (&error);
    g_free (debug);
    status = 1;
  }
  if (message)
    gst_message_unref (message);
  gst_object_unref (bus);
  return status;
}

static void
report (const BenchWork *work, BenchReceived *received,
    const BenchAddress *sent, const char *stats, double cpu_s)
{
  char quantiles[256] = "\"n\": 0";
  double elapsed = (double) (received->last_ns - received->first_ns) / 1e9;
  if (received->latencies_ns && received->received > 0)
    bench_quantiles (received->latencies_ns,
        (uint32_t) MIN (received->received, work->count), quantiles,
        sizeof quantiles);
  printf ("{\"role\": \"%s\", \"received\": %llu, \"lost\": %llu, "
          "\"wrong\": %llu, \"per_s\": %.1f, \"cpu_s\": %.6f, "
          "\"latency\": {%s}, \"sent_at\": \"%s\", "
          "\"received_at\": \"%s\", \"stats\": \"%s\"}\n",
      role, (unsigned long long) received->received,
      (unsigned long long) received->lost, (unsigned long long) received->wrong,
      elapsed > 0 ? (double) received->received / elapsed : 0, cpu_s, quantiles,
      sent->text, received->address.text, stats);
}

/* The counters of a datahubsink, as text without the quotes of JSON. */
static char *
stats_of (GstElement *sender)
{
  GstStructure *stats = NULL;
  if (!sender
      || !g_object_class_find_property (G_OBJECT_GET_CLASS (sender), "stats"))
    return g_strdup ("");
  g_object_get (sender, "stats", &stats, NULL);
  char *text = stats ? gst_structure_to_string (stats) : g_strdup ("");
  g_strdelimit (text, "\"\\", ' ');
  if (stats)
    gst_structure_free (stats);
  return text;
}

static void
parse (int *argc, char ***argv)
{
  GError *error = NULL;
  GOptionContext *context = g_option_context_new (NULL);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, argc, argv, &error) || !role
      || !transport) {
    fprintf (stderr, "transport: %s\n",
        error ? error->message : "--role and --transport are needed");
    exit (2);
  }
  g_option_context_free (context);
}

int
main (int argc, char **argv)
{
  parse (&argc, &argv);
  bool video = g_str_equal (size_text, "1080p");
  BenchWork work = { .video = video,
    .size = video ? VIDEO_SIZE : strtoull (size_text, NULL, 0),
    .count = (uint64_t) count,
    .warm_up = (uint64_t) warm_up,
    .rate = rate,
    .every_byte = g_str_equal (touch, "all"),
    .own_pool = own_pool,
    .in_flight = (uint64_t) in_flight,
    .receivers = (uint32_t) receivers,
    .board = bench_board_open (board_path) };
  BenchReceived received = { 0 };
  BenchAddress sent = { "" };
  GstElement *sender = NULL;
  if (latency)
    received.latencies_ns = calloc (work.count, sizeof (uint64_t));
  GstElement *pipeline = build (&work, &sent, &received, &sender);
  int status = run (pipeline);
  double cpu_s = bench_cpu_s ();
  char *stats = stats_of (sender);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  report (&work, &received, &sent, stats, cpu_s);
  g_free (stats);
  gst_object_unref (pipeline);
  free (received.latencies_ns);
  return status;
}
