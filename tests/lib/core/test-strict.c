/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict blocks: memory without names, sealed, handed out at a server. What a
 * stream does is held by the other programs of this folder, run once more with
 * CHECK_STRICT; here is how only a strict block comes, goes, grows and ends. */
#include "holder.h"
#include "life.h"
#include "strict.h"

#include "core/producer/producer-private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void
no_names (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  struct stat st;
  CHECK_INT (check_count_files (), ==, 3); /* the entry, lck, the socket */
  CHECK_INT (check_bytes_used (), <=, 2 * BLOCK_PAGE); /* lck, counted twice */
  CHECK (stat (check_find_file (".sck"), &st) == 0);
  CHECK (S_ISSOCK (st.st_mode));
  CHECK_INT (st.st_mode & 0777, ==, 0600);
  commit_buffer (producer, 0, 60000); /* grows */
  CHECK_INT (check_count_files (), ==, 3);
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
}

/* The mode is that of the socket. Of the lock file others can only read the
 * identity. */
static void
mode_of_socket (void)
{
  DatahubProducerOptions options = strict_options (NULL);
  struct stat st;
  options.mode = 0646;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CHECK (stat (check_find_file (".sck"), &st) == 0);
  CHECK_INT (st.st_mode & 0777, ==, 0666);
  CHECK (stat (check_find_file (".lck"), &st) == 0);
  CHECK_INT (st.st_mode & 0777, ==, 0644);
  datahub_producer_close (producer);
}

static void
read_all (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_ready (parent);
  for (uint64_t n = 0; n < 60; n++)
    expect_buffer (consumer, n, 1000 + n * 997);
  expect_outcome (consumer, DATAHUB_CLOSED);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
}

/* Every buffer is bigger than the one before: growth after growth. */
static void
grows (void)
{
  DatahubProducer *producer = strict_producer (strict_secret);
  CheckChild child;
  DatahubConsumer *watcher;
  DatahubConsumerOptions options;
  datahub_consumer_options_init (&options);
  options.secret = strict_secret;
  options.start = DATAHUB_START_OLDEST;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &watcher, &err));
  datahub_producer_close (producer);
  datahub_consumer_close (watcher);
  producer = strict_producer (NULL);
  child = check_fork_ready (read_all, NULL);
  for (uint64_t n = 0; n < 60; n++)
    commit_buffer (producer, n, 1000 + n * 997);
  CHECK_INT (producer_stats (producer).growths, >=, 3);
  datahub_producer_close (producer);
  check_join (&child);
}

static void
produce_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = strict_producer (NULL);
  check_ready (parent);
  check_hear (parent->in);
  for (uint64_t n = 0; n < 4; n++)
    commit_buffer (producer, n, 1000 + n * 20000);
  check_tell (parent->out, 2);
  check_until_killed (parent);
}

/* Pools that came while the consumer looked away are there after the producer's
 * death, which is told. */
static void
producer_killed (void)
{
  uint32_t fds = check_count_fds ();
  CheckChild child = check_fork_ready (produce_and_wait, NULL);
  char uuid[DATAHUB_UUID_TEXT];
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  strcpy (uuid, datahub_consumer_get_uuid (consumer));
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  check_kill (&child);
  for (uint64_t n = 0; n < 4; n++)
    expect_buffer (consumer, n, 1000 + n * 20000);
  expect_outcome (consumer, DATAHUB_PRODUCER_LOST);
  /* sealed memory cannot be taken over: what comes back is another block */
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_NOT_FOUND);
  DatahubProducer *producer = strict_producer (NULL);
  CHECK (strcmp (uuid, datahub_producer_get_uuid (producer)) != 0);
  CHECK_OK (consumer_try ("cam0"));
  datahub_producer_close (producer);
  datahub_consumer_close (consumer);
  CHECK_INT (check_count_files (), ==, 0);
  CHECK_INT (check_count_fds (), ==, fds);
}

static void
killed_without_consumers (void)
{
  Life life = { .options = strict_options (NULL) };
  leave_dead (&life);
  CHECK_INT (check_count_files (), ==, 3);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK_INT (check_count_files (), ==, 0);
}

static void
last_consumer_sweeps (void)
{
  Life life = { .options = strict_options (NULL) };
  DatahubConsumer *consumer = orphan_of (&life, false);
  datahub_consumer_close (consumer);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
second_producer (void)
{
  DatahubProducer *producer = strict_producer (NULL), *second;
  DatahubProducerOptions options = strict_options (NULL);
  CHECK_RESULT (producer_try ("cam0", &options, &second), DATAHUB_ERROR_BUSY);
  options.strict = false;
  CHECK_RESULT (producer_try ("cam0", &options, &second), DATAHUB_ERROR_BUSY);
  CHECK_OK (consumer_try ("cam0"));
  datahub_producer_close (producer);
}

/* Its row is back by the kernel's word, without a timeout. */
static void
consumer_killed (void)
{
  const Holder holder = { .reliable = true, .quota = 4, .records = 4 };
  DatahubProducer *producer = strict_producer (NULL);
  for (int round = 0; round < 10; round++) {
    DatahubConsumerInfo info;
    CheckChild child = check_fork (hold_on, &holder);
    commit_buffers (producer, 0, 4);
    CHECK_HEAR (child.from, 1);
    uint64_t before = producer_stats (producer).reaped;
    check_kill (&child);
    uint64_t start = check_now_ns ();
    CHECK_UNTIL (producer_stats (producer).reaped != before);
    check_note ("reaped within %.1f ms",
        (double) (check_now_ns () - start) / 1e6);
    CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 0);
    commit_buffers (producer, 4, 40); /* nobody holds it up */
  }
  datahub_producer_close (producer);
}

static void
no_fd_leak (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  CHECK_OK (consumer_try ("cam0"));
  commit_buffer (producer, 0, 10000);
  CHECK_OK (consumer_try ("cam0"));
  uint32_t fds = check_count_fds ();
  for (int i = 0; i < 300; i++)
    CHECK_OK (consumer_try ("cam0"));
  CHECK_UNTIL (check_count_fds () <= fds);
  datahub_producer_close (producer);
}

static void
full (void)
{
  DatahubProducerOptions options = strict_options (NULL);
  options.max_consumers = 2;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *a = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubConsumer *b = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_FULL);
  CHECK_CONTAINS (err.message, "2 consumers");
  datahub_consumer_close (a);
  CHECK_OK (consumer_try ("cam0"));
  datahub_consumer_close (b);
  datahub_producer_close (producer);
}

static unsigned long
free_huge_pages (uint64_t size)
{
  char path[128];
  unsigned long n = 0;
  snprintf (path, sizeof path,
      "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
      (unsigned long long) size / 1024);
  FILE *file = fopen (path, "re");
  if (file && fscanf (file, "%lu", &n) != 1)
    n = 0;
  if (file)
    fclose (file);
  return n;
}

/* A pool and the one it grows into take @n_needed pages at most. */
static void
stream_on_pages (DatahubHugePages wish, uint64_t size, unsigned long n_needed)
{
  unsigned long n_free = free_huge_pages (size);
  DatahubProducerOptions options = strict_options (NULL);
  options.hugepages = wish;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  expect_buffers (consumer, 0, 8);
  commit_buffer (producer, 8, 300000);
  expect_buffer (consumer, 8, 300000);
  uint64_t page = producer_stats (producer).page_size;
  CHECK (fcntl (producer->pools.newest[POOL_PAYLOAD]->fd, F_GET_SEALS)
      & F_SEAL_FUTURE_WRITE);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  check_note ("pages of %llu bytes, %lu huge ones were free",
      (unsigned long long) page, n_free);
  if (n_free < n_needed) {
    CHECK_INT (page, ==, 4096);
    check_skip ("this machine has no such pages to spare; normal ones work");
  }
  CHECK_INT (page, ==, size);
  CHECK_INT (free_huge_pages (size), ==, n_free);
}

static void
huge_pages (void)
{
  stream_on_pages (DATAHUB_HUGEPAGES_2M, UINT64_C (2) << 20, 8);
}

static void
huger_pages (void)
{
  stream_on_pages (DATAHUB_HUGEPAGES_1G, UINT64_C (1) << 30, 2);
}

static const CheckTest tests[] = {
  { "nothing has a name but the lock file and the socket", no_names },
  { "shm-mode is that of the socket, not of the lock", mode_of_socket },
  { "growth reaches the consumers of a strict block, losslessly", grows },
  { "a killed producer is told of; pools it handed over are read to the end",
      producer_killed },
  { "what a killed producer leaves is reclaimed", killed_without_consumers },
  { "the last consumer of a dead producer removes its names",
      last_consumer_sweeps },
  { "a second live producer is refused, strict or not", second_producer },
  { "a killed consumer's row is back by the kernel's word", consumer_killed },
  { "consumers that come and go leave no descriptor behind", no_fd_leak },
  { "a full table refuses at the server and takes again after a leave", full },
  { "strict blocks on huge pages, where there are any", huge_pages },
  { "strict blocks on pages of 1 GiB, where there are any", huger_pages },
};
CHECK_MAIN (tests)
