/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-work.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct
{
  const char *name;
  uint64_t size;
  const char *caps;
} Format;

static const Format formats[] = {
  { "1080p", 1920 * 1080 * 3 / 2,
      "video/x-raw, format=I420, width=1920, height=1080, framerate=60/1" },
  { "4k", 3840 * 2160 * 3 / 2,
      "video/x-raw, format=I420, width=3840, height=2160, framerate=60/1" },
  /* 10 ms of 48 kHz, two channels, 16 bits */
  { "audio", 1920,
      "audio/x-raw, format=S16LE, rate=48000, channels=2, layout=interleaved" },
};

static const char *role, *size_text = "4096", *touch = "header", *board;
static const char *channel = "bench", *transport, *samples;
static double seconds = 1, warm_up = 0.2, rate;
static int in_flight = 64, receiver, receivers = 1;
static gboolean own_memory, limited;

static GOptionEntry entries[] = {
  { "role", 0, 0, G_OPTION_ARG_STRING, &role, "produce, consume or both", "R" },
  { "transport", 0, 0, G_OPTION_ARG_STRING, &transport, "what is measured",
      "T" },
  { "channel", 0, 0, G_OPTION_ARG_STRING, &channel,
      "name of the block, path of the socket, or port", "C" },
  { "size", 0, 0, G_OPTION_ARG_STRING, &size_text, "bytes, or 1080p, 4k, audio",
      "S" },
  { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "that are measured", "S" },
  { "warm-up", 0, 0, G_OPTION_ARG_DOUBLE, &warm_up, "seconds before them",
      "S" },
  { "rate", 0, 0, G_OPTION_ARG_DOUBLE, &rate, "buffers a second, 0: flat out",
      "F" },
  { "touch", 0, 0, G_OPTION_ARG_STRING, &touch, "header or all", "H" },
  { "own-memory", 0, 0, G_OPTION_ARG_NONE, &own_memory,
      "the source does not use the memory of the transport", NULL },
  { "samples", 0, 0, G_OPTION_ARG_STRING, &samples, "latencies, 64 bits each",
      "FILE" },
  { "board", 0, 0, G_OPTION_ARG_STRING, &board, "shared page", "FILE" },
  { "in-flight", 0, 0, G_OPTION_ARG_INT, &in_flight, "buffers at most", "N" },
  { "limited", 0, 0, G_OPTION_ARG_NONE, &limited,
      "the board keeps this limit, not the transport", NULL },
  { "receiver", 0, 0, G_OPTION_ARG_INT, &receiver, "number of this one", "I" },
  { "receivers", 0, 0, G_OPTION_ARG_INT, &receivers, "of this measurement",
      "N" },
  { NULL },
};

static void
refuse (const char *why)
{
  fprintf (stderr, "bench: %s\n", why);
  exit (2);
}

static void
set_size (BenchWork *work)
{
  work->caps = "application/x-bench";
  work->size = strtoull (size_text, NULL, 0);
  for (size_t i = 0; i < G_N_ELEMENTS (formats); i++)
    if (g_str_equal (size_text, formats[i].name)) {
      work->size = formats[i].size;
      work->caps = formats[i].caps;
    }
  if (work->size < 64)
    refuse ("--size must be at least 64");
}

void
bench_work_parse (BenchWork *work, int argc, char **argv)
{
  GError *error = NULL;
  GOptionContext *context = g_option_context_new (NULL);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    refuse (error->message);
  g_option_context_free (context);
  if (!role || !transport || receivers < 1 || receivers > BENCH_MOST_RECEIVERS
      || receiver < 0 || receiver >= receivers || in_flight < 1)
    refuse ("--role and --transport are needed, and numbers in their range");
  *work = (BenchWork){ .role = g_str_equal (role, "produce") ? BENCH_PRODUCE
        : g_str_equal (role, "consume")                      ? BENCH_CONSUME
                                                             : BENCH_BOTH,
    .transport = transport,
    .channel = channel,
    .warm_up_s = warm_up,
    .seconds = seconds,
    .rate = rate,
    .every_byte = g_str_equal (touch, "all"),
    .own_memory = own_memory,
    .in_flight = (uint64_t) in_flight,
    .limited = limited,
    .receiver = (uint32_t) receiver,
    .receivers = (uint32_t) receivers,
    .samples = samples,
    .board = bench_board_open (board) };
  set_size (work);
  if (!work->board)
    refuse ("--board must name a file of the size of a board");
}
