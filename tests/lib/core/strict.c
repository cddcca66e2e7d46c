/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "strict.h"

const uint8_t strict_secret[DATAHUB_SECRET_SIZE] =
    "a secret of thirty-two bytes...";
const uint8_t strict_other_secret[DATAHUB_SECRET_SIZE] =
    "another one of as many bytes...";

DatahubProducerOptions
strict_options (const uint8_t *secret)
{
  DatahubProducerOptions options = small_options ();
  options.strict = true;
  options.secret = secret;
  return options;
}

DatahubProducer *
strict_producer (const uint8_t *secret)
{
  DatahubProducerOptions options = strict_options (secret);
  return producer_new ("cam0", &options);
}

DatahubResult
strict_attach (const uint8_t *ticket, const uint8_t *secret)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  datahub_consumer_options_init (&options);
  options.ticket = ticket;
  options.secret = secret;
  options.timeout_ns = SOON;
  DatahubResult result =
      datahub_consumer_attach ("cam0", &options, &consumer, &err);
  CHECK_INT (consumer != NULL, ==, result == DATAHUB_OK);
  datahub_consumer_close (consumer);
  return result;
}
