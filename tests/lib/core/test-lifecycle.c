/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks come and go: clean ends, deaths, successors. */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
closed (void)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 5);
  datahub_producer_close (producer);
  expect_buffers (consumer, 0, 5);
  for (int i = 0; i < 3; i++)
    expect_outcome (consumer, DATAHUB_CLOSED);
  /* Nobody can find it any more. */
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_NOT_FOUND);
  datahub_consumer_close (consumer);
}

static void
publish_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 5);
  check_ready (parent);
  check_hear (parent->in);
  datahub_producer_close (producer);
}

static void
busy (void)
{
  CheckChild child = check_fork_ready (publish_and_wait, NULL);
  DatahubProducer *producer;
  char pid[32];
  CHECK_RESULT (producer_try ("cam0", NULL, &producer), DATAHUB_ERROR_BUSY);
  snprintf (pid, sizeof pid, "%d", (int) child.pid);
  CHECK_CONTAINS (err.message, "cam0");
  CHECK_CONTAINS (err.message, pid);
  /* The first one did not notice. */
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 5);
  datahub_consumer_close (consumer);
  check_tell (child.to, 1);
  check_join (&child);
  datahub_producer_close (producer_new ("cam0", NULL));
}

static void
busy_in_process (void)
{
  DatahubProducer *first = producer_new ("cam0", NULL), *second;
  CHECK_RESULT (producer_try ("cam0", NULL, &second), DATAHUB_ERROR_BUSY);
  DatahubProducer *other = producer_new ("cam1", NULL);
  datahub_producer_close (first);
  datahub_producer_close (other);
}

static void
died (void)
{
  CheckChild child = check_fork_ready (publish_and_wait, NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  check_kill (&child);
  /* What it committed is complete and readable; then its death is told. */
  expect_buffers (consumer, 0, 5);
  expect_outcome (consumer, DATAHUB_PRODUCER_LOST);
  datahub_consumer_close (consumer);
  check_allow_files ();
}

static void
replaced (void)
{
  CheckChild child = check_fork_ready (publish_and_wait, NULL);
  DatahubConsumer *old = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view, held = read_record (old);
  check_kill (&child);

  /* By one that does not go on with the block. */
  DatahubProducerOptions options = small_options ();
  options.adopt = false;
  DatahubProducer *producer = producer_new ("cam0", &options);
  commit_buffers (producer, 100, 3);
  expect_buffers (old, 1, 4);
  DatahubResult result = datahub_consumer_begin_read (old, SOON, &view, &err);
  CHECK (result == DATAHUB_CLOSED || result == DATAHUB_PRODUCER_LOST);
  CHECK_INT (strcmp (datahub_consumer_get_uuid (old),
                 datahub_producer_get_uuid (producer)),
      !=, 0);
  datahub_consumer_close (old);

  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 100, 3);
  /* The lease on the dead producer's memory is as it was. */
  check_buffer (&held, 0, 1000);
  datahub_consumer_end_read (old, &held);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
fills_and_dies (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 3);
  DatahubSlot slot;
  CHECK_OK (datahub_producer_acquire_slot (producer, 4096, 0, &slot, &err));
  pattern_fill (slot.data, 2000, 77);
  check_ready (parent);
  check_hear (parent->in);
  raise (SIGKILL);
}

static void
died_while_filling (void)
{
  CheckChild child = check_fork_ready (fills_and_dies, NULL);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_tell (child.to, 1);
  expect_buffers (consumer, 0, 3);
  expect_outcome (consumer, DATAHUB_PRODUCER_LOST);
  CHECK_INT (consumer_stats (consumer).head, ==, 3);
  check_kill (&child);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer_new ("cam0", NULL));
}

static void
died_asleep_reader (void)
{
  CheckChild child = check_fork_ready (publish_and_wait, NULL);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 5);
  check_kill (&child);
  uint64_t start = check_now_ns ();
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, DATAHUB_FOREVER, &view,
                    &err),
      DATAHUB_PRODUCER_LOST);
  /* Nobody woke it: it looked by itself. */
  CHECK_INT (check_now_ns () - start, <, (uint64_t) check_scaled_ns (CHECK_S));
  datahub_consumer_close (consumer);
  check_allow_files ();
}

static void
restarted_many_times (void)
{
  uint64_t bytes = 0;
  for (int i = 0; i < 30; i++) {
    CheckChild child = check_fork_ready (publish_and_wait, NULL);
    check_kill (&child);
    if (i == 0)
      bytes = check_bytes_used ();
    /* Each successor removes what the dead one left. */
    CHECK_INT (check_bytes_used (), <=, bytes);
  }
  datahub_producer_close (producer_new ("cam0", NULL));
}

static void
mode (void)
{
  DatahubProducerOptions options = small_options ();
  struct stat st;
  if (is_strict_run ())
    check_skip ("a strict block has no such files");
  umask (0077);
  DatahubProducer *producer = producer_new ("cam0", &options);
  CHECK (stat (check_find_file (".ctl"), &st) == 0);
  CHECK_INT (st.st_mode & 0777, ==, 0600);
  CHECK (stat (check_find_file (".con"), &st) == 0);
  CHECK_INT (st.st_mode & 0777, ==, 0600);
  datahub_producer_close (producer);
}

/* They could write to its files. */
static void
mode_for_others (void)
{
  static const uint32_t modes[] = { 0640, 0620, 0604, 0602, 0660, 0666 };
  DatahubProducer *producer;
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    DatahubProducerOptions options = small_options ();
    options.strict = false;
    options.mode = modes[i];
    CHECK_RESULT (datahub_producer_create ("cam0", &options, &producer, &err),
        DATAHUB_ERROR_INVALID);
    CHECK_CONTAINS (err.message, "strict");
    options.strict = true;
    CHECK_OK (datahub_producer_create ("cam0", &options, &producer, &err));
    datahub_producer_close (producer);
  }
}

static void
secret (void)
{
  uint8_t right[DATAHUB_SECRET_SIZE], wrong[DATAHUB_SECRET_SIZE];
  DatahubConsumer *consumer = NULL;
  DatahubConsumerOptions as;
  memset (right, 7, sizeof right);
  memset (wrong, 8, sizeof wrong);
  DatahubProducerOptions options = small_options ();
  options.secret = right;
  DatahubProducer *producer = producer_new ("cam0", &options);
  datahub_consumer_options_init (&as);
  as.secret = wrong;
  CHECK_RESULT (datahub_consumer_attach ("cam0", &as, &consumer, &err),
      DATAHUB_ERROR_DENIED);
  as.secret = right;
  CHECK_OK (datahub_consumer_attach ("cam0", &as, &consumer, &err));
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
invalid_options (void)
{
  DatahubProducer *producer = NULL;
  DatahubProducerOptions options = small_options ();
  options.slot_size = 0;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_INVALID);
  options = small_options ();
  options.max_consumers = 257;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_INVALID);
  CHECK_CONTAINS (err.message, "256");
  options = small_options ();
  options.ring_size = 7;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_INVALID);
  options = small_options ();
  options.slot_size = UINT64_MAX;
  CHECK_INT (producer_try ("cam0", &options, &producer), >=,
      DATAHUB_ERROR_FIRST);
  CHECK (producer == NULL);
}

/* Whether a file of the run's directory has @size bytes in it. */
static bool
is_anywhere (const void *bytes, size_t size)
{
  DIR *dir = opendir (datahub_shm_directory ());
  struct dirent *entry;
  bool found = false;
  CHECK (dir != NULL);
  while ((entry = readdir (dir))) {
    struct stat info;
    int fd = openat (dirfd (dir), entry->d_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENXIO)
      continue; /* the server's socket */
    CHECK (fd >= 0 && fstat (fd, &info) == 0);
    if (S_ISREG (info.st_mode) && info.st_size > 0) {
      char *all = malloc ((size_t) info.st_size);
      CHECK (all && pread (fd, all, (size_t) info.st_size, 0) == info.st_size);
      found = found || memmem (all, (size_t) info.st_size, bytes, size);
      free (all);
    }
    close (fd);
  }
  closedir (dir);
  return found;
}

/* Shared memory has a keyed tag of it, and no more. */
static void
secret_is_not_shared (void)
{
  static const char marker[] = "what was committed can be found";
  uint8_t bytes[DATAHUB_SECRET_SIZE];
  char text[2 * DATAHUB_SECRET_SIZE + 1];
  CHECK_OK (datahub_secret_generate (bytes, &err));
  for (uint32_t i = 0; i < sizeof bytes; i++)
    snprintf (text + 2 * i, 3, "%02x", bytes[i]);
  DatahubProducerOptions options = small_options ();
  options.secret = bytes;
  DatahubProducer *producer = producer_new ("cam0", &options);
  commit_event (producer, DATAHUB_RECORD_CAPS, marker);
  CHECK (is_anywhere (marker, sizeof marker - 1) || is_strict_run ());
  CHECK (!is_anywhere (bytes, sizeof bytes / 2));
  CHECK (!is_anywhere (text, sizeof bytes));
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a closed block drains, then says that it is closed", closed },
  { "a second live producer is refused and told who holds the name", busy },
  { "the same process cannot publish a name twice", busy_in_process },
  { "after the producer's death what it committed is read, then it is told",
      died },
  { "a dead producer is replaced, consumers drain and come again", replaced },
  { "a producer killed while filling: committed is read, the rest never",
      died_while_filling },
  { "a sleeping reader notices the death of its producer by itself",
      died_asleep_reader },
  { "thirty dead producers leave no more than one", restarted_many_times },
  { "the files have the mode that was asked for, whatever the umask", mode },
  { "a mode for other users needs a strict block", mode_for_others },
  { "a wrong secret is refused", secret },
  { "the secret itself is nowhere in shared memory", secret_is_not_shared },
  { "options that make no sense are refused", invalid_options },
};
CHECK_MAIN (tests)
