/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits for the producer and prints each line that it publishes. */
#include <datahub/core.h>

#include <stdio.h>

int
main (void)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  DatahubError error;
  DatahubView view;
  DatahubWatch *watch = datahub_watch_new ("hello");

  datahub_consumer_options_init (&options);
  options.reliable = true; /* the producer waits, so nothing is lost */
  options.start = DATAHUB_START_OLDEST;
  while (datahub_consumer_attach ("hello", &options, &consumer, &error)
          == DATAHUB_ERROR_NOT_FOUND
      && watch) /* NULL: descriptors are out */
    datahub_watch_wait (watch, DATAHUB_FOREVER);
  datahub_watch_free (watch);
  if (error.code != DATAHUB_OK) {
    fprintf (stderr, "%s\n", error.message);
    return 1;
  }
  while (datahub_consumer_begin_read (consumer, DATAHUB_FOREVER, &view, &error)
      == DATAHUB_OK) {
    const DatahubViewMemory *memory = &view.memories[0];
    printf ("%.*s\n", (int) memory->size, (const char *) memory->data);
    datahub_consumer_end_read (consumer, &view);
  }
  datahub_consumer_close (consumer);
  return error.code == DATAHUB_CLOSED ? 0 : 1;
}
