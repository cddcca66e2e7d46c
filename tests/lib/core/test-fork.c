/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A forked child has copies of its parent's handles and must not act on them.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static DatahubProducer *producer;
static DatahubConsumer *consumer;
static DatahubView view;
static DatahubSlot slot;

static void
set_up (void)
{
  producer = producer_new ("cam0", NULL);
  consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 2);
  view = read_record (consumer);
  fill_slot (producer, 2, 1000, &slot);
}

/* The parent's block is as it was: same lock, same row, same pins. */
static void
tear_down (void)
{
  DatahubProducer *second;
  CHECK_RESULT (producer_try ("cam0", NULL, &second), DATAHUB_ERROR_BUSY);
  check_buffer (&view, 0, 1000);
  DatahubCommit record = buffer_record (&slot, 2, 1000);
  CHECK_OK (datahub_producer_commit (producer, &record, 0, NULL, &err));
  datahub_consumer_end_read (consumer, &view);
  expect_buffers (consumer, 1, 2);
  /* Its row still gates. */
  commit_buffers (producer, 3, 8);
  CHECK_RESULT (try_commit (producer, 11, 1000, 0), DATAHUB_TIMEOUT);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* Calls that only look: the memory they would look at is not the child's. */
static void
uses_what_is_mapped (void)
{
  DatahubConsumerInfo infos[2];
  DatahubIndices indices;
  DatahubProducerStats stats;
  DatahubConsumerStats consumer_stats;
  DatahubSpinlock *lock;
  DatahubView sticky;
  uint8_t bytes[8] = { 0 };
  uint64_t id = 0, size = sizeof bytes;
  char caps[8];
  CHECK_INT (datahub_producer_list_consumers (producer, infos, 2), ==, 0);
  CHECK_INT (datahub_producer_take_requests (producer), ==, 0);
  datahub_producer_get_indices (producer, &indices);
  datahub_producer_get_stats (producer, &stats);
  datahub_producer_count_dropped (producer, 1);
  datahub_producer_set_interrupted (producer, DATAHUB_WAIT_ALL, true);
  CHECK_RESULT (datahub_producer_write_zone (producer, 0, bytes, 1, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_open_spinlock (producer, 0, &lock, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_open_named_spinlock (producer, "zone", &lock,
                    &err),
      DATAHUB_ERROR_FORKED);
  datahub_consumer_get_indices (consumer, &indices);
  datahub_consumer_get_stats (consumer, &consumer_stats);
  datahub_consumer_request (consumer, DATAHUB_REQUEST_KEYFRAME);
  CHECK_RESULT (datahub_consumer_post_event (consumer, bytes, 1, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_set_limits (consumer, "x", &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_take_event (producer, &id, bytes, &size, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_get_limits (producer, id, caps, sizeof caps,
                    &err),
      DATAHUB_ERROR_FORKED);
  datahub_consumer_set_interrupted (consumer, true);
  datahub_consumer_beat (consumer);
  datahub_consumer_hold (consumer, &view);
  CHECK_RESULT (datahub_consumer_get_context (consumer, &view,
                    DATAHUB_CONTEXT_CAPS, &sticky, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_read_sticky (consumer, DATAHUB_RECORD_CAPS,
                    &sticky, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_read_zone (consumer, 0, bytes, 1, NULL, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_open_spinlock (consumer, 0, &lock, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_open_named_spinlock (consumer, "zone", &lock,
                    &err),
      DATAHUB_ERROR_FORKED);
}

static void
uses_everything (CheckParent *parent)
{
  DatahubSlot other;
  DatahubView read;
  uint32_t seen = 0;
  DatahubCommit record = buffer_record (&slot, 9, 10);
  CHECK_RESULT (datahub_producer_acquire_slot (producer, 10, 0, &other, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_commit (producer, &record, 0, NULL, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_commit_batch (producer, &record, 1, 0, NULL,
                    &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_publish (producer, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_flush (producer), DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_wait_consumers (producer, 1, 0),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_producer_wait_attention (producer, &seen, 0),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &read, &err),
      DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_wait (consumer, 0), DATAHUB_ERROR_FORKED);
  CHECK_RESULT (datahub_consumer_rejoin (consumer, &err), DATAHUB_ERROR_FORKED);
  uses_what_is_mapped ();
}

static void
every_call (void)
{
  set_up ();
  CheckChild child = check_fork (uses_everything, NULL);
  check_join (&child);
  tear_down ();
}

static void
closes_everything (CheckParent *parent)
{
  datahub_producer_abort (producer, &slot);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
closing (void)
{
  set_up ();
  CheckChild child = check_fork (closes_everything, NULL);
  check_join (&child);
  tear_down ();
}

#ifndef DATAHUB_SHARED_MAPPINGS /* a child inherits those */
/* Returns the signal that ends a child that touches @byte, or 0. */
static int
touch_in_child (volatile uint8_t *byte, bool write)
{
  struct rlimit none = { 0, 0 };
  int status = 0;
  pid_t child = fork ();
  if (child == 0) {
    setrlimit (RLIMIT_CORE, &none);
    signal (SIGSEGV, SIG_DFL); /* a sanitizer has its own */
    if (write)
      *byte = 1;
    _exit (*byte == 0xff ? 2 : 0);
  }
  CHECK (child > 0 && waitpid (child, &status, 0) == child);
  return WIFSIGNALED (status) ? WTERMSIG (status) : 0;
}

/* An emulator may ignore MADV_DONTFORK. */
static bool
memory_can_stay (void)
{
  void *page = mmap (NULL, 4096, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  bool stays;
  CHECK (page != MAP_FAILED);
  stays = madvise (page, 4096, MADV_DONTFORK) == 0
      && touch_in_child (page, false) == SIGSEGV;
  munmap (page, 4096);
  return stays;
}

/* The memory of frames and of slots is not in the child. */
static void
reads_a_frame (void)
{
  if (!memory_can_stay ())
    check_skip ("the system gives a child all memory of its parent");
  set_up ();
  CHECK_INT (touch_in_child ((uint8_t *) view.memories[0].data, false), ==,
      SIGSEGV);
  CHECK_INT (touch_in_child (slot.data, false), ==, SIGSEGV);
  CHECK_INT (touch_in_child (slot.data, true), ==, SIGSEGV);
  tear_down ();
}
#endif

static void
only_exits (CheckParent *parent)
{
}

static void
exiting (void)
{
  set_up ();
  CheckChild child = check_fork (only_exits, NULL);
  check_join (&child);
  tear_down ();
}

static void
lives_on (CheckParent *parent)
{
  check_ready (parent);
  check_hear (parent->in);
}

/* A child that lives on must not keep the parent's block alive. */
static void
outlived (void)
{
  set_up ();
  CheckChild child = check_fork_ready (lives_on, NULL);
  datahub_consumer_end_read (consumer, &view);
  datahub_producer_abort (producer, &slot);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
  datahub_producer_close (producer_new ("cam0", NULL));
  check_tell (child.to, 1);
  check_join (&child);
}

static void
own_handles (CheckParent *parent)
{
  DatahubConsumer *own = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  expect_buffers (own, 0, 2);
  datahub_consumer_close (own);
}

static void
attaches_anew (void)
{
  set_up ();
  CheckChild child = check_fork (own_handles, NULL);
  check_join (&child);
  tear_down ();
}

static void *
asks_for_a_name (void *data)
{
  DatahubSpinlock *lock = NULL;
  CHECK_OK (datahub_consumer_open_named_spinlock (consumer, "zone", &lock,
      &err));
  datahub_spinlock_close (lock);
  return NULL;
}

static void
names_its_own (CheckParent *parent)
{
  DatahubProducerOptions options = small_options ();
  DatahubSpinlock *lock = NULL;
  close (*(const int *) parent->data);
  check_tell (parent->out, 0);
  /* a thread of its own would not be started here under ThreadSanitizer */
  options.strict = false;
  DatahubProducer *own = producer_new ("cam1", &options);
  CHECK_OK (datahub_producer_open_named_spinlock (own, "mine", &lock, &err));
  datahub_spinlock_close (lock);
  datahub_producer_close (own);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

/* Forked while a thread of the parent waits for the names of the locks: the
 * child can use those of its own block, and keeps nobody from the parent's. */
static void
names_of_locks (void)
{
  struct flock byte = { .l_type = F_WRLCK, .l_start = 2, .l_len = 1 };
  DatahubSpinlock *lock = NULL;
  set_up ();
  int fd = open (check_find_file (".lck"), O_RDWR | O_CLOEXEC);
  CHECK (fd >= 0 && fcntl (fd, F_OFD_SETLK, &byte) == 0);
  CheckThread *thread = check_thread (asks_for_a_name, NULL);
  check_until_asleep (thread);
  CheckChild child = check_fork (names_its_own, &fd);
  CHECK_HEAR (child.from, 0);
  close (fd);
  check_thread_join (thread);
  CHECK_HEAR (child.from, 1);
  CHECK_OK (datahub_producer_open_named_spinlock (producer, "other", &lock,
      &err));
  datahub_spinlock_close (lock);
  check_tell (child.to, 1);
  check_join (&child);
  tear_down ();
}

static const CheckTest tests[] = {
#ifndef DATAHUB_SHARED_MAPPINGS
  { "a child that reads a frame of its parent ends with SIGSEGV",
      reads_a_frame },
#endif
  { "every call on a parent's handle is refused in the child", every_call },
  { "closing a parent's handle in the child changes nothing", closing },
  { "a child that only exits changes nothing", exiting },
  { "a child that lives on keeps nothing of the parent's", outlived },
  { "a child can attach on its own", attaches_anew },
  { "a child is not in the way of the names of locks", names_of_locks },
};
CHECK_MAIN (tests)
