/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory limit of the control group counts as the space of the file system does. A
 * wrapper, which the linker puts before the function, gives what the group has left. */
#include "fixture.h"
#include "life.h"

#include "core/os/os-cgroup-private.h"
#include "core/os/os-private.h"
#include "core/producer/producer-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define KIB UINT64_C (1024)
#define MIB (1024 * KIB)
#define PAGE 4096 /* before the slots of a pool */

/* Threads of the library read them, too. */
static _Atomic uint64_t limit = UINT64_MAX, available = UINT64_MAX;
static _Atomic uint32_t n_reads;
/* No other thread holds the lock of this producer for long. */
static _Thread_local DatahubProducer *growing;

GroupSpace __wrap_os_group_space (void);

GroupSpace
__wrap_os_group_space (void)
{
  n_reads++;
  if (growing) {
    struct timespec end;
    clock_gettime (CLOCK_REALTIME, &end);
    end.tv_sec += 30;
    CHECK_INT (pthread_mutex_timedlock (&growing->lock, &end), ==, 0);
    pthread_mutex_unlock (&growing->lock);
  }
  return (GroupSpace){ limit, available };
}

static bool parts_count; /* what a part takes, the group has not any more */

DatahubResult __real_os_check_group (uint64_t size, const char *what,
    DatahubError *error);
DatahubResult __wrap_os_check_group (uint64_t size, const char *what,
    DatahubError *error);

DatahubResult
__wrap_os_check_group (uint64_t size, const char *what, DatahubError *error)
{
  DatahubResult result = __real_os_check_group (size, what, error);
  if (result == DATAHUB_OK && parts_count)
    available -= size;
  return result;
}

/* Of a file system that takes more than the size of a file. */
static uint64_t more_allocated;

uint64_t __real_os_allocated (int fd);
uint64_t __wrap_os_allocated (int fd);

uint64_t
__wrap_os_allocated (int fd)
{
  return __real_os_allocated (fd) + more_allocated;
}

static void
set_group (uint64_t new_limit, uint64_t new_available)
{
  limit = new_limit;
  available = new_available;
}

static DatahubProducerOptions
options_of (uint64_t slot_size, uint32_t slots)
{
  DatahubProducerOptions options = small_options ();
  options.slot_size = slot_size;
  options.slots = slots;
  options.max_bytes = 256 * MIB;
  return options;
}

static void
at_creation (void)
{
  DatahubProducerOptions options = options_of (64 * KIB, 64);
  DatahubProducer *producer;
  set_group (8 * MIB, 2 * MIB + PAGE);
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_NO_SPACE);
  CHECK_CONTAINS (err.message, "payload pool");
  CHECK_CONTAINS (err.message,
      "2.0 MiB free of 8.0 MiB, the memory limit of the control group");
  CHECK_CONTAINS (err.message, "Raise that limit, or use");
  CHECK_INT (number_before (" such slots fit"), ==, 32);
  CHECK_INT (check_count_files (), ==, 0);
  options.slots = 33;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_NO_SPACE);
  options.slots = 32;
  CHECK_OK (producer_try ("cam0", &options, &producer));
  datahub_producer_close (producer);
}

/* With fewer slots that are open, they are what fits. */
static void
automatic (void)
{
  DatahubProducerOptions options = options_of (64 * KIB, 0);
  DatahubProducer *producer;
  options.max_bytes = 0;
  set_group (4 * MIB, 2 * MIB + PAGE);
  parts_count = true;
  CHECK_OK (producer_try ("cam0", &options, &producer));
  CHECK_INT (available, <, 2 * MIB - 64 * KIB);
  parts_count = false;
  CHECK_INT (producer_stats (producer).max_bytes, ==, 2 * MIB);
  CHECK_INT (producer_stats (producer).slots, >=, 4);
  CHECK_INT (producer_stats (producer).bytes_used, <=, 1 * MIB);
  datahub_producer_close (producer);
  /* the file system has less left, and the group is the smaller one */
  set_group (4 * MIB, UINT64_MAX);
  CHECK_OK (producer_try ("cam0", &options, &producer));
  CHECK_INT (producer_stats (producer).max_bytes, ==, 2 * MIB);
  datahub_producer_close (producer);
  set_group (UINT64_MAX, UINT64_MAX);
  CHECK_OK (producer_try ("cam0", &options, &producer));
  CHECK_INT (producer_stats (producer).max_bytes, >, 2 * MIB);
  datahub_producer_close (producer);
}

static void
at_growth (void)
{
  DatahubProducerOptions options = options_of (4 * KIB, 16);
  DatahubProducer *producer = producer_new ("cam0", &options);
  commit_buffers (producer, 0, 4);
  set_group (8 * MIB, 2560 * KIB + PAGE);
  growing = producer;
  n_reads = 0;
  CHECK_RESULT (try_commit (producer, 4, MIB, 0), DATAHUB_ERROR_NO_SPACE);
  CHECK_INT (n_reads, >, 0);
  CHECK_CONTAINS (err.message, "4.0 MiB wanted for 4 slots");
  CHECK_CONTAINS (err.message,
      "2.5 MiB free of 8.0 MiB, the memory limit of the control group");
  CHECK_CONTAINS (err.message, "Raise that limit, or use");
  CHECK_INT (number_before (" such slots fit"), ==, 2);
  CHECK_INT (number_before (" bytes fits"), ==, 640 * KIB);
  set_group (8 * MIB, PAGE - 1);
  CHECK_RESULT (try_commit (producer, 4, MIB, 0), DATAHUB_ERROR_NO_SPACE);
  CHECK_INT (number_before (" such slots fit"), ==, 0);
  CHECK_INT (number_before (" bytes fits"), ==, 0);
  set_group (8 * MIB, 2560 * KIB + PAGE);
  /* the block goes on as it was */
  commit_buffers (producer, 4, 4);
  CHECK_INT (producer_stats (producer).growths, ==, 0);
  CHECK_OK (try_commit (producer, 8, 640 * KIB, 0));
  CHECK_INT (producer_stats (producer).growths, ==, 1);
  growing = NULL;
  datahub_producer_close (producer);
}

/* Where slots are short, a growth is tried once a second: the group is not read each
 * time. */
static void
no_growth_no_read (void)
{
  DatahubProducerOptions options = options_of (4 * KIB, 16);
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubSlot slots[17];
  set_group (8 * MIB, 0);
  for (uint32_t i = 0; i < 16; i++)
    CHECK_OK (datahub_producer_acquire_slot (producer, 4 * KIB, 0, &slots[i],
        &err));
  CHECK (datahub_producer_acquire_slot (producer, 4 * KIB, 0, &slots[16], &err)
      != DATAHUB_OK);
  CHECK_INT (n_reads, >, 0);
  /* until two tries are within the same second */
  for (int i = 0; i < 100; i++) {
    n_reads = 0;
    CHECK (datahub_producer_acquire_slot (producer, 4 * KIB, 0, &slots[16],
               &err)
        != DATAHUB_OK);
    if (n_reads == 0)
      break;
  }
  CHECK_INT (n_reads, ==, 0);
  for (uint32_t i = 0; i < 16; i++)
    datahub_producer_abort (producer, &slots[i]);
  datahub_producer_close (producer);
}

/* What the group has left after the first piece of a pool. */
typedef struct
{
  uint64_t rest;
  bool begun; /* the first question is before anything is made */
} Taking;

static bool
take_the_rest (void *data)
{
  Taking *taking = data;
  if (taking->begun)
    set_group (64 * MIB, taking->rest);
  taking->begun = true;
  return true;
}

/* Others take memory while a pool is made: the next piece is refused. */
static void
between_two_pieces (void)
{
  DatahubProducerOptions options = options_of (MIB, 12);
  DatahubProducer *producer;
  Taking taking = { 4 * MIB - 1, false };
  options.may_go_on = take_the_rest;
  options.may_go_on_data = &taking;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_NO_SPACE);
  CHECK_CONTAINS (err.message, "4.0 MiB free of 64.0 MiB, the memory limit");
  CHECK_INT (check_count_files (), ==, 0);
  CHECK_INT (check_bytes_used (), ==, 0);
  /* the whole is refused, although each piece fits */
  options.may_go_on = NULL;
  set_group (64 * MIB, 12 * MIB);
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_NO_SPACE);
  options.may_go_on = take_the_rest;
  set_group (UINT64_MAX, UINT64_MAX);
  taking = (Taking){ 4 * MIB, false }; /* a piece, and no byte more */
  CHECK_OK (producer_try ("cam0", &options, &producer));
  CHECK_INT (available, ==, 4 * MIB);
  datahub_producer_close (producer);
}

/* Huge pages do not count. */
static void
huge_pages (void)
{
  DatahubProducerOptions options = options_of (64 * KIB, 64);
  DatahubProducer *producer;
  Taking taking = { 0, false };
  options.hugepages = DATAHUB_HUGEPAGES_2M;
  CHECK_OK (producer_try ("cam0", &options, &producer));
  bool huge = producer_stats (producer).page_size == 2 * MIB;
  datahub_producer_close (producer);
  if (!is_strict_run () || !huge)
    check_skip ("huge pages are for strict blocks, where the kernel has some");
  options.slots = 128; /* several pieces */
  options.may_go_on = take_the_rest;
  options.may_go_on_data = &taking;
  CHECK_OK (producer_try ("cam0", &options, &producer));
  CHECK_INT (producer_stats (producer).page_size, ==, 2 * MIB);
  datahub_producer_close (producer);
}

/* All that is not a pool. */
static void
parts (void)
{
  uint64_t size = 8192;
  int fd, dir = open (check_directory (), O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  set_group (64 * MIB, 8191);
  CHECK_INT (os_create_unnamed (dir, size, 0600, "part", &err), ==, -1);
  CHECK_RESULT (err.code, DATAHUB_ERROR_NO_SPACE);
  CHECK_CONTAINS (err.message, "memory for the part");
  CHECK_CONTAINS (err.message, "free of 64.0 MiB, the memory limit of the");
  memset (&err, 0, sizeof err);
  CHECK_INT (os_create_memory (&size, 0600, "part", &err), ==, -1);
  CHECK_RESULT (err.code, DATAHUB_ERROR_NO_SPACE);
  CHECK_CONTAINS (err.message, "free of 64.0 MiB, the memory limit of the");
  available = 8192;
  fd = os_create_unnamed (dir, size, 0600, "part", &err);
  CHECK_INT (fd, >=, 0);
  close (fd);
  fd = os_create_memory (&size, 0600, "part", &err);
  CHECK_INT (fd, >=, 0);
  close (fd);
  close (dir);
}

static void
leave_dead_with_hole (void)
{
  Life life = small_life (0, 5);
  int fd;
  leave_dead (&life);
  fd = open (check_find_file (".d2"), O_RDWR | O_CLOEXEC);
  CHECK (fd >= 0);
  CHECK (os_punch (fd, PAGE, 2 * PAGE));
  close (fd);
}

/* An adopter makes the memory whole that its predecessor had given back. */
static void
adopted (void)
{
  Life life = small_life (0, 5);
  DatahubProducer *producer;
  if (is_strict_run ())
    check_skip ("a strict block ends with its producer");
  for (int i = 0; i < 2; i++) {
    leave_dead (&life);
    more_allocated = (uint64_t) i * PAGE;
    set_group (64 * MIB, 0);
    datahub_producer_close (adopt_block (2));
    set_group (UINT64_MAX, UINT64_MAX);
  }
  more_allocated = 0;
  leave_dead_with_hole ();
  set_group (64 * MIB, 2 * PAGE);
  datahub_producer_close (adopt_block (2));
  set_group (UINT64_MAX, UINT64_MAX);
  leave_dead_with_hole ();
  set_group (64 * MIB, 2 * PAGE - 1);
  CHECK_RESULT (producer_try ("cam0", NULL, &producer), DATAHUB_ERROR_NO_SPACE);
}

/* Where the group has enough, the message names what has not. A limit of the process
 * keeps a block that is not refused from taking the memory of the machine. */
static void
not_the_group (void)
{
  const struct rlimit most = { 64 * MIB, 64 * MIB };
  DatahubProducerOptions options = options_of (64 * 1024 * MIB, 256);
  DatahubProducer *producer;
  CHECK (setrlimit (RLIMIT_FSIZE, &most) == 0);
  options.max_bytes = UINT64_MAX / 2;
  set_group (64 * MIB, UINT64_MAX / 2);
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_NO_SPACE);
  CHECK (strstr (err.message, "control group") == NULL);
  CHECK_CONTAINS (err.message,
      is_strict_run () ? "End other programs, or"
                       : "Make that file system big");
  CHECK_INT (strstr (err.message, check_directory ()) != NULL, ==,
      !is_strict_run ());
}

static const CheckTest tests[] = {
  { "a block over the limit is refused, with the slots that fit", at_creation },
  { "what is open follows the limit", automatic },
  { "a growth over the limit is refused, read without the lock", at_growth },
  { "the group is not read while no growth is tried", no_growth_no_read },
  { "a pool ends where the limit is reached meanwhile", between_two_pieces },
  { "huge pages are beside the limit", huge_pages },
  { "the other parts of a block are within the limit", parts },
  { "an adopted block is made whole within the limit", adopted },
  { "where the group has enough, the message names the other limit",
      not_the_group },
};

CHECK_MAIN (tests)
