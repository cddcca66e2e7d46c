/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a strict block costs where a broker introduces: the attach of a default block by
 * name, of a strict one without a broker, and of a strict one with a ticket of the broker,
 * in turns; the descriptors of each end; and which of them keep their consumer if the
 * producer is killed and started again. Prints one JSON object a line; asserts nothing.
 * docs/strict-default.md has the figures and what follows from them. */
#include "bench-stats.h"

#include <datahub/datahub.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_TURNS 200u
#define N_WARM 5u
#define N_HELD 8u
#define LIMIT_NS (10 * INT64_C (1000000000))

typedef enum
{
  NAMED,
  STRICT_ALONE,
  STRICT_BROKER,
  N_WAYS
} Way;

static const char *const names[N_WAYS] = { "named", "strict-alone",
  "strict-broker" };
static DatahubHub *hub;
static const char *program;

static void
must (gboolean good, const char *what, const char *why)
{
  if (good)
    return;
  fprintf (stderr, "introduction: %s: %s\n", what, why);
  exit (1);
}

/* --- the producer, a process of its own --- */

static void
offer (const char *name, DatahubProducer *producer, const uint8_t *secret)
{
  GError *error = NULL;
  hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  must (datahub_hub_connect_to (hub, NULL, NULL, NULL, &error), "connect",
      error ? error->message : "");
  must (datahub_hub_wait_connected (hub, LIMIT_NS, NULL, &error), "connect",
      error ? error->message : "");
  datahub_hub_register_block (hub, name, datahub_producer_get_uuid (producer),
      NULL, secret, DATAHUB_REGISTER_STRICT);
  DatahubHubBlock *block = datahub_hub_find (hub, name, LIMIT_NS, NULL, &error);
  must (block != NULL, "register", error ? error->message : "");
  datahub_hub_block_unref (block);
}

static void G_GNUC_NORETURN
produce (Way way)
{
  DatahubProducerOptions options;
  DatahubProducer *producer = NULL;
  DatahubError error = { 0 };
  uint8_t secret[DATAHUB_SECRET_SIZE];

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  options.strict = way != NAMED;
  options.adopt = true;
  if (way == STRICT_BROKER) {
    must (datahub_secret_generate (secret, &error) == DATAHUB_OK, "secret",
        error.message);
    options.secret = secret;
  }
  must (datahub_producer_create (names[way], &options, &producer, &error)
          == DATAHUB_OK,
      "create", error.message);
  must (datahub_producer_publish (producer, &error) == DATAHUB_OK, "publish",
      error.message);
  if (way == STRICT_BROKER)
    offer (names[way], producer, secret);
  printf ("ready\n");
  fflush (stdout);
  for (;;)
    pause ();
}

static pid_t
start (Way way)
{
  int ends[2];
  char word[16] = "", number[8];

  snprintf (number, sizeof number, "%d", (int) way);
  must (pipe (ends) == 0, "pipe", "refused");
  pid_t pid = fork ();
  if (pid == 0) {
    dup2 (ends[1], STDOUT_FILENO);
    close (ends[0]);
    close (ends[1]);
    execl (program, program, "--produce", number, (char *) NULL);
    _exit (1);
  }
  close (ends[1]);
  must (read (ends[0], word, sizeof word - 1) > 0, names[way],
      "the producer does not start");
  close (ends[0]);
  return pid;
}

/* --- the consumer --- */

static DatahubConsumer *
attach (Way way)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  DatahubHubBlock *block = NULL;
  DatahubError error = { 0 };
  GError *why = NULL;

  datahub_consumer_options_init (&options);
  if (way == STRICT_BROKER) {
    block = datahub_hub_find (hub, names[way], LIMIT_NS, NULL, &why);
    must (block != NULL, "find", why ? why->message : "");
    options.ticket = datahub_hub_block_get_ticket (block);
  }
  must (datahub_consumer_attach (names[way], &options, &consumer, &error)
          == DATAHUB_OK,
      names[way], error.message);
  if (block)
    datahub_hub_block_unref (block);
  return consumer;
}

static int
count_descriptors (pid_t pid)
{
  char path[64];
  int n = 0;

  snprintf (path, sizeof path, "/proc/%d/fd", (int) pid);
  DIR *dir = opendir (path);
  must (dir != NULL, path, "cannot be read");
  while (readdir (dir))
    n++;
  closedir (dir);
  return n;
}

static void
measure_attach (void)
{
  static uint64_t samples[N_WAYS][N_TURNS];

  for (uint32_t i = 0; i < N_TURNS + N_WARM; i++)
    for (int way = 0; way < N_WAYS; way++) {
      uint64_t begin = bench_now_ns ();
      DatahubConsumer *consumer = attach ((Way) way);
      if (i >= N_WARM)
        samples[way][i - N_WARM] = bench_now_ns () - begin;
      datahub_consumer_close (consumer);
    }
  for (int way = 0; way < N_WAYS; way++) {
    char text[256];
    bench_quantiles (samples[way], N_TURNS, text, sizeof text);
    printf ("{\"bench\": \"attach-%s\", %s}\n", names[way], text);
  }
}

/* Of each more consumer; the first one can take some for the process. */
static void
measure_descriptors (Way way, pid_t pid)
{
  DatahubConsumer *held[N_HELD];
  DatahubConsumer *first = attach (way);
  int here = count_descriptors (getpid ()), there = count_descriptors (pid);

  for (uint32_t i = 0; i < N_HELD; i++)
    held[i] = attach (way);
  printf (
      "{\"bench\": \"descriptors-%s\", \"consumer\": %.2f, \"producer_each\": %.2f, "
      "\"producer_all\": %d}\n",
      names[way], (double) (count_descriptors (getpid ()) - here) / N_HELD,
      (double) (count_descriptors (pid) - there) / N_HELD, there);
  for (uint32_t i = 0; i < N_HELD; i++)
    datahub_consumer_close (held[i]);
  datahub_consumer_close (first);
}

/* Returns the new producer. */
static pid_t
measure_restart (Way way, pid_t pid)
{
  DatahubView view;
  DatahubError error = { 0 };
  DatahubConsumer *consumer = attach (way);

  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  pid = start (way);
  DatahubResult result =
      datahub_consumer_begin_read (consumer, 1000000, &view, &error);
  printf ("{\"bench\": \"restart-%s\", \"kept\": %s, \"result\": \"%s\"}\n",
      names[way], result == DATAHUB_TIMEOUT ? "true" : "false",
      datahub_result_name (result));
  datahub_consumer_close (consumer);
  return pid;
}

int
main (int argc, char **argv)
{
  pid_t producers[N_WAYS];
  GError *error = NULL;

  program = argv[0];
  if (argc == 3 && strcmp (argv[1], "--produce") == 0)
    produce ((Way) atoi (argv[2]));
  for (int way = 0; way < N_WAYS; way++)
    producers[way] = start ((Way) way);
  hub = datahub_hub_new (DATAHUB_HUB_THREAD_SIGNALS);
  must (datahub_hub_connect_to (hub, NULL, NULL, NULL, &error), "connect",
      error ? error->message : "");
  must (datahub_hub_wait_connected (hub, LIMIT_NS, NULL, &error), "connect",
      error ? error->message : "");
  measure_attach ();
  for (int way = 0; way < N_WAYS; way++)
    measure_descriptors ((Way) way, producers[way]);
  for (int way = 0; way < N_WAYS; way++) {
    producers[way] = measure_restart ((Way) way, producers[way]);
    kill (producers[way], SIGTERM);
    waitpid (producers[way], NULL, 0);
  }
  g_object_unref (hub);
  return 0;
}
