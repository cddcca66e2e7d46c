/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One process of a measurement with GStreamer: the producer, a consumer, or, for
 * the in-process queue, all. Prints one JSON object at its end. tests/bench/run
 * starts them. */
#include "bench-elements.h"
#include "bench-report.h"
#include "bench-usage.h"

#include <stdio.h>
#include <stdlib.h>

/* A measurement that takes longer has failed. */
#define LONGEST_S 120
/* After its last buffer a transport may wait for more readers. */
#define LONGEST_END_S 1
#define SKIPPED 77

typedef struct
{
  BenchWork work;
  BenchSender sender;
  BenchReceiver receivers[BENCH_MOST_RECEIVERS];
  uint32_t n_receivers;
  GstElement *pipeline, *transport;
} Bench;

static GstElement *
make (const char *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);
  if (!element) {
    fprintf (stderr, "transport: no element \"%s\"\n", factory);
    exit (SKIPPED);
  }
  return element;
}

/* Puts an element behind the last one of the pipeline. */
static GstElement *
append (Bench *bench, GstElement *last, GstElement *next)
{
  gst_bin_add (GST_BIN (bench->pipeline), next);
  if (last && !gst_element_link (last, next)) {
    fprintf (stderr, "transport: elements do not link\n");
    exit (1);
  }
  return next;
}

/* ---- datahub ---- */

static GstElement *
datahub_sink (Bench *bench, GstElement *last)
{
  const BenchWork *work = &bench->work;
  GstElement *sink = append (bench, last, make ("datahubsink"));
  g_object_set (sink, "datablock", work->channel, "sync", FALSE,
      "wait-for-consumers", (guint) work->receivers, NULL);
  gst_util_set_object_arg (G_OBJECT (sink), "broker", "none");
  return sink;
}

/* With as many buffers as queue has: a ring has half as many records as slots. For
 * bytes without a format it gets their size, too. */
static GstElement *
datahub_set_sink (Bench *bench, GstElement *last)
{
  const BenchWork *work = &bench->work;
  GstElement *sink = datahub_sink (bench, last);
  bool is_video = g_str_has_prefix (work->caps, "video/");
  g_object_set (sink, "slots", (guint) (2 * work->in_flight), "slot-size",
      is_video ? (guint64) 0 : work->size, NULL);
  return sink;
}

static GstElement *
datahub_src (Bench *bench)
{
  GstElement *src = append (bench, NULL, make ("datahubsrc"));
  g_object_set (src, "datablock", bench->work.channel, NULL);
  gst_util_set_object_arg (G_OBJECT (src), "broker", "none");
  gst_util_set_object_arg (G_OBJECT (src), "delivery", "reliable");
  gst_util_set_object_arg (G_OBJECT (src), "start-at", "oldest");
  return src;
}

/* ---- peers ---- */

static GstElement *
shm_sink (Bench *bench, GstElement *last)
{
  GstElement *sink = append (bench, last, make ("shmsink"));
  /* room for what is in flight and what source and sink hold */
  guint64 area = (bench->work.size + 4096) * (bench->work.in_flight + 16);
  g_object_set (sink, "socket-path", bench->work.channel, "sync", FALSE,
      "async", FALSE, "wait-for-connection", TRUE, "shm-size",
      (guint) CLAMP (area, 1 << 20, 1u << 30), NULL);
  return sink;
}

static GstElement *
shm_src (Bench *bench)
{
  GstElement *src = append (bench, NULL, make ("shmsrc"));
  g_object_set (src, "socket-path", bench->work.channel, "is-live", TRUE,
      "do-timestamp", FALSE, NULL);
  return src;
}

static GstElement *
unixfd_sink (Bench *bench, GstElement *last)
{
  GstElement *sink = append (bench, last, make ("unixfdsink"));
  g_object_set (sink, "socket-path", bench->work.channel, "sync", FALSE,
      "async", FALSE, NULL);
  return sink;
}

static GstElement *
unixfd_src (Bench *bench)
{
  GstElement *src = append (bench, NULL, make ("unixfdsrc"));
  g_object_set (src, "socket-path", bench->work.channel, NULL);
  return src;
}

static GstElement *
tcp_sink (Bench *bench, GstElement *last)
{
  GstElement *pay = append (bench, last, make ("gdppay"));
  GstElement *sink = append (bench, pay, make ("tcpserversink"));
  g_object_set (sink, "host", "127.0.0.1", "port", atoi (bench->work.channel),
      "sync", FALSE, "async", FALSE, NULL);
  return sink;
}

static GstElement *
tcp_src (Bench *bench)
{
  GstElement *src = append (bench, NULL, make ("tcpclientsrc"));
  g_object_set (src, "host", "127.0.0.1", "port", atoi (bench->work.channel),
      NULL);
  return append (bench, src, make ("gdpdepay"));
}

typedef struct
{
  const char *name;
  GstElement *(*append_sink) (Bench *bench, GstElement *last);
  GstElement *(*append_src) (Bench *bench);
} Transport;

static const Transport transports[] = {
  { "datahub", datahub_set_sink, datahub_src },
  /* as an application gets it that sets nothing */
  { "datahub-default", datahub_sink, datahub_src },
  { "shm", shm_sink, shm_src },
  { "unixfd", unixfd_sink, unixfd_src },
  { "tcp", tcp_sink, tcp_src },
};

static const Transport *
find_transport (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (transports); i++)
    if (g_str_equal (name, transports[i].name))
      return &transports[i];
  fprintf (stderr, "transport: there is no transport \"%s\"\n", name);
  exit (2);
}

/* ---- pipelines ---- */

static GstElement *
new_receiver (Bench *bench, uint32_t number)
{
  BenchReceiver *receiver = &bench->receivers[bench->n_receivers++];
  bench_receiver_init (receiver, &bench->work, number);
  return bench_sink_new (receiver);
}

/* One process: source ! queue ! sink, or source ! tee with a queue for each. */
static void
build_queues (Bench *bench)
{
  GstElement *last = append (bench, NULL, bench_source_new (&bench->sender));
  if (bench->work.receivers > 1)
    last = append (bench, last, make ("tee"));
  for (uint32_t i = 0; i < bench->work.receivers; i++) {
    GstElement *queue = append (bench, last, make ("queue"));
    g_object_set (queue, "max-size-buffers", (guint) bench->work.in_flight,
        "max-size-bytes", 0, "max-size-time", (guint64) 0, NULL);
    append (bench, queue, new_receiver (bench, i));
  }
}

static void
build (Bench *bench)
{
  bench->pipeline = gst_pipeline_new (NULL);
  if (bench->work.role == BENCH_BOTH) {
    build_queues (bench);
    return;
  }
  const Transport *transport = find_transport (bench->work.transport);
  if (bench->work.role == BENCH_PRODUCE)
    bench->transport = transport->append_sink (bench,
        append (bench, NULL, bench_source_new (&bench->sender)));
  else
    append (bench, transport->append_src (bench),
        new_receiver (bench, bench->work.receiver));
}

/* Returns 1 after an error. */
static int
handle (GstMessage *message)
{
  GError *error = NULL;
  char *debug = NULL;
  bool failed = GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;
  if (failed) {
    gst_message_parse_error (message, &error, &debug);
    fprintf (stderr, "transport: %s (%s)\n", error->message, debug);
    g_clear_error (&error);
    g_free (debug);
  }
  gst_message_unref (message);
  return failed;
}

static int
run (Bench *bench)
{
  GstBus *bus = gst_element_get_bus (bench->pipeline);
  GstMessageType ends = GST_MESSAGE_EOS | GST_MESSAGE_ERROR;
  GstMessage *message = NULL;
  /* each of several sinks of this process posts that it is complete */
  if (bench->work.role != BENCH_BOTH)
    ends |= GST_MESSAGE_APPLICATION;
  gst_element_set_state (bench->pipeline, GST_STATE_PLAYING);
  /* The driver starts the consumers when it reads this. */
  fprintf (stderr, "ready\n");
  fflush (stderr);
  message = gst_bus_timed_pop_filtered (bus, LONGEST_S * GST_SECOND, ends);
  if (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_APPLICATION
      && bench->work.role == BENCH_PRODUCE) {
    gst_message_unref (message);
    message =
        gst_bus_timed_pop_filtered (bus, LONGEST_END_S * GST_SECOND, ends);
    gst_object_unref (bus);
    return message ? handle (message) : 0;
  }
  gst_object_unref (bus);
  if (message)
    return handle (message);
  fprintf (stderr, "transport: no end after %d s\n", LONGEST_S);
  return 1;
}

/* The counters of a datahubsink, as text without the quotes of JSON. */
static char *
stats_of (GstElement *transport)
{
  GstStructure *stats = NULL;
  if (!transport
      || !g_object_class_find_property (G_OBJECT_GET_CLASS (transport),
          "stats"))
    return g_strdup ("");
  g_object_get (transport, "stats", &stats, NULL);
  char *text = stats ? gst_structure_to_string (stats) : g_strdup ("");
  g_strdelimit (text, "\"\\", ' ');
  if (stats)
    gst_structure_free (stats);
  return text;
}

int
main (int argc, char **argv)
{
  static Bench bench;
  char usage[256];
  bench_work_parse (&bench.work, argc, argv);
  gst_init (NULL, NULL);
  bench.sender.work = &bench.work;
  build (&bench);
  int status = run (&bench);
  bench_usage_end (usage, sizeof usage);
  char *stats = stats_of (bench.transport);
  bench_report_print (bench.work.role == BENCH_CONSUME ? NULL : &bench.sender,
      bench.receivers, bench.n_receivers, usage, stats);
  g_free (stats);
  gst_element_set_state (bench.pipeline, GST_STATE_NULL);
  gst_object_unref (bench.pipeline);
  return status;
}
