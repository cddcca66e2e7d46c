/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads several blocks and prints their buffers as one stream, in the order of
 * their instants: merge NAME... A line is: instant, name, number in the block,
 * payload. */
#include <datahub/core.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_INPUTS 64

/* What is next in one block. While `ready`, `view` is a lease on it. */
typedef struct
{
  const char *name;
  DatahubConsumer *consumer;
  DatahubView view;
  bool ready, ended;
} Input;

static DatahubError error;

static void
fail (const char *name)
{
  fprintf (stderr, "%s: %s\n", name, error.message);
  exit (1);
}

/* Waits for the producer. */
static void
attach (Input *input)
{
  DatahubConsumerOptions options;
  DatahubWatch *watch = datahub_watch_new (input->name);
  DatahubResult result;
  datahub_consumer_options_init (&options);
  options.reliable = true; /* the producer waits, so nothing is lost */
  options.start = DATAHUB_START_OLDEST;
  while ((result = datahub_consumer_attach (input->name, &options,
              &input->consumer, &error))
      == DATAHUB_ERROR_NOT_FOUND) {
    if (!watch) {
      fprintf (stderr, "%s: not found, and no descriptor to wait for it\n",
          input->name);
      exit (1);
    }
    datahub_watch_wait (watch, DATAHUB_FOREVER);
  }
  datahub_watch_free (watch);
  if (result != DATAHUB_OK)
    fail (input->name);
}

/* Waits for the next buffer of this block, or for its end. */
static void
fill (Input *input)
{
  while (!input->ready && !input->ended) {
    DatahubResult result = datahub_consumer_begin_read (input->consumer,
        DATAHUB_FOREVER, &input->view, &error);
    if (result == DATAHUB_CLOSED || result == DATAHUB_PRODUCER_LOST)
      input->ended = true;
    else if (result != DATAHUB_OK)
      fail (input->name);
    else if (input->view.type == DATAHUB_RECORD_BUFFER)
      input->ready = true;
    else
      datahub_consumer_end_read (input->consumer, &input->view);
  }
}

/* The input with the smallest instant; NULL if all have ended. Each must have a next
 * buffer first: one that comes later may have a smaller instant. */
static Input *
choose (Input *inputs, int n)
{
  Input *first = NULL;
  for (int i = 0; i < n; i++) {
    fill (&inputs[i]);
    if (inputs[i].ready
        && (!first || inputs[i].view.instant_ns < first->view.instant_ns))
      first = &inputs[i];
  }
  return first;
}

/* Prints what is next, and ends the lease on it. */
static void
take (Input *input)
{
  const DatahubView *view = &input->view;
  printf ("%" PRId64 " %s %" PRIu64 " ", view->instant_ns, input->name,
      view->ordinal);
  for (uint32_t i = 0; i < view->n_memories; i++)
    printf ("%.*s", (int) view->memories[i].size,
        (const char *) view->memories[i].data);
  printf ("\n");
  datahub_consumer_end_read (input->consumer, view);
  input->ready = false;
}

int
main (int argc, char **argv)
{
  static Input inputs[MAX_INPUTS];
  int n = argc - 1;
  Input *next;
  if (n < 1 || n > MAX_INPUTS) {
    fprintf (stderr, "usage: merge NAME... (at most %d)\n", MAX_INPUTS);
    return 2;
  }
  for (int i = 0; i < n; i++) {
    inputs[i].name = argv[1 + i];
    attach (&inputs[i]);
  }
  while ((next = choose (inputs, n)))
    take (next);
  for (int i = 0; i < n; i++)
    datahub_consumer_close (inputs[i].consumer);
  return 0;
}
