/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes one mistake with the library and prints the error: mistakes-library MISTAKE.
 * See mistakes.py. */
#include <datahub/core.h>

#include <stdio.h>
#include <string.h>

static DatahubError error;

static void
create (const char *channel, const DatahubProducerOptions *options)
{
  DatahubProducer *producer = NULL;
  if (datahub_producer_create (channel, options, &producer, &error)
      == DATAHUB_OK)
    datahub_producer_close (producer);
}

static void
create_with (uint32_t slots, uint64_t slot_size, uint32_t max_consumers)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slots = slots;
  options.slot_size = slot_size;
  options.max_consumers = max_consumers;
  create ("cam0", &options);
}

static void
attach (const char *channel)
{
  DatahubConsumer *consumer = NULL;
  if (datahub_consumer_attach (channel, NULL, &consumer, &error) == DATAHUB_OK)
    datahub_consumer_close (consumer);
}

static void
make (const char *mistake)
{
  if (strcmp (mistake, "bad-name") == 0)
    create ("../cam0", NULL);
  else if (strcmp (mistake, "long-name") == 0)
    create ("a123456789b123456789c123456789d123456789e123456789f123456789gxxxx",
        NULL);
  else if (strcmp (mistake, "too-many-consumers") == 0)
    create_with (8, 4096, 100000);
  else if (strcmp (mistake, "too-few-slots") == 0)
    create_with (1, 4096, 4);
  else if (strcmp (mistake, "start") == 0) /* not a mistake in itself */
    create_with (8, 4096, 4);
  else if (strcmp (mistake, "no-producer") == 0)
    attach ("cam0");
  else if (strcmp (mistake, "attach-bad-name") == 0)
    attach ("cam 0");
  else if (strcmp (mistake, "too-big") == 0)
    create_with (64, UINT64_C (1) << 40, 4);
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    return 2;
  make (argv[1]);
  fprintf (stderr, "%s\n", error.message);
  return error.code == DATAHUB_OK ? 0 : 1;
}
