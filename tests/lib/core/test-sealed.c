/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a consumer of a strict block cannot do with what it was handed: write
 * what others read, reach what is another's, or take the block over. */
#include "strict.h"
#include "strict-requests.h"

#include "core/consumer/consumer-private.h"
#include "core/producer/producer-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void
check_refused (bool done, const char *what)
{
  if (done)
    check_fail (__FILE__, __LINE__, "%s succeeded", what);
  if (errno != EPERM && errno != EACCES && errno != EBADF && errno != EINVAL)
    check_fail (__FILE__, __LINE__, "%s: %m", what);
}

static bool
can_map_writable (int fd)
{
  void *map =
      mmap (NULL, BLOCK_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return false;
  munmap (map, BLOCK_PAGE);
  return true;
}

/* Every way to a writable page behind a descriptor that was handed over. */
static void
attack_descriptor (int fd, const char *what)
{
  char path[40];
  uint8_t byte = 1;
  int again;
  void *map = mmap (NULL, BLOCK_PAGE, PROT_READ, MAP_SHARED, fd, 0);
  CHECK (map != MAP_FAILED);
  check_note ("%s", what);
  check_refused (mprotect (map, BLOCK_PAGE, PROT_READ | PROT_WRITE) == 0,
      "mprotect");
  munmap (map, BLOCK_PAGE);
  check_refused (can_map_writable (fd), "mmap for writing");
  check_refused (pwrite (fd, &byte, 1, 0) == 1, "pwrite");
  check_refused (ftruncate (fd, 0) == 0, "ftruncate");
  check_refused (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                     BLOCK_PAGE)
          == 0,
      "punching a hole");
  /* Opening it anew is for who may: the owner can give himself the right, and
   * root has it. The seals hold all the same. */
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  fchmod (fd, 0600);
  again = open (path, O_RDWR | O_CLOEXEC);
  if (again < 0) {
    check_refused (false, "opening it anew");
    return;
  }
  check_refused (can_map_writable (again), "mmap of it opened anew");
  check_refused (pwrite (again, &byte, 1, 0) == 1, "pwrite to it opened anew");
  check_refused (ftruncate (again, 0) == 0, "ftruncate of it opened anew");
  check_refused (fallocate (again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     0, BLOCK_PAGE)
          == 0,
      "punching a hole in it opened anew");
  check_refused (fcntl (again, F_ADD_SEALS, F_SEAL_WRITE) == 0,
      "one more seal");
  close (again);
}

static void
attack (CheckParent *parent)
{
  const char *uuid = parent->data;
  StrictHello hello = strict_request_greeting (uuid);
  StrictRequest request = strict_request_call (uuid, &hello, sizeof hello);
  CHECK_INT (request.answer.status, ==, STRICT_GRANTED);
  CHECK_INT (request.answer.n_pools, ==, 2);
  attack_descriptor (request.fds[STRICT_FDS_CTL], "ctl");
  attack_descriptor (request.fds[STRICT_FDS_POOLS], "a pool");
  attack_descriptor (request.fds[STRICT_FDS_POOLS + 1], "the other pool");
  /* what it may write keeps its size: the producer has it mapped */
  check_refused (ftruncate (request.fds[STRICT_FDS_CON], 0) == 0,
      "cutting con");
  check_refused (ftruncate (request.fds[STRICT_FDS_ROW], 0) == 0,
      "cutting a row");
  CHECK (can_map_writable (request.fds[STRICT_FDS_CON]));
  CHECK (can_map_writable (request.fds[STRICT_FDS_ROW]));
  strict_request_leave (&request);

#ifndef DATAHUB_SHARED_MAPPINGS /* which has the producer's in this process */
  /* and through the library's own mappings */
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view = read_record (consumer);
  uintptr_t payload = (uintptr_t) view.memories[0].data & ~(uintptr_t) 4095;
  check_refused (mprotect (consumer->block.header, BLOCK_PAGE,
                     PROT_READ | PROT_WRITE)
          == 0,
      "mprotect of the mapped ctl");
  check_refused (mprotect ((void *) payload, BLOCK_PAGE, PROT_READ | PROT_WRITE)
          == 0,
      "mprotect of a mapped payload");
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
#endif
}

static void
read_only (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  commit_buffers (producer, 0, 4);
  CheckChild child = check_fork (attack, datahub_producer_get_uuid (producer));
  check_join (&child);
  /* all of it in vain */
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 4);
  commit_buffers (producer, 4, 20 - 4 - 8);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* The descriptors and mappings of this process that lead to an inode of the
 * kernel's own memory file system. */
static bool
has_open (uint64_t device, uint64_t inode)
{
  struct stat st;
  for (int fd = 0; fd < 1024; fd++)
    if (fstat (fd, &st) == 0 && st.st_dev == device && st.st_ino == inode)
      return true;
  return false;
}

static bool
has_mapped (uint64_t inode)
{
  FILE *maps = fopen ("/proc/self/maps", "re");
  char line[512];
  bool found = false;
  CHECK (maps != NULL);
  while (fgets (line, sizeof line, maps)) {
    uint64_t here = 0;
    if (strstr (line, "/memfd:row")
        && sscanf (line, "%*s %*s %*s %*s %" SCNu64, &here) == 1)
      found = found || here == inode;
  }
  fclose (maps);
  return found;
}

static void
look_for_others (CheckParent *parent)
{
  check_hear (parent->in);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_tell (parent->out, consumer->row_index);
  uint64_t device = check_hear (parent->in);
  uint64_t own = check_hear (parent->in), others = check_hear (parent->in);
  /* the search finds what is there */
  CHECK (has_open (device, own)); /* the token */
  CHECK (has_mapped (own));
  CHECK (!has_open (device, others));
  CHECK (!has_mapped (others));
  datahub_consumer_close (consumer);
}

static struct stat
stat_row (DatahubProducer *producer, uint64_t row)
{
  struct stat st;
  CHECK_INT (row, <, producer->block.g.max_rows);
  pthread_mutex_lock (&producer->reaper.lock);
  CHECK (fstat (producer->reaper.rows[row].fd, &st) == 0);
  pthread_mutex_unlock (&producer->reaper.lock);
  return st;
}

static void
tell_rows (const CheckChild *child, const struct stat *own,
    const struct stat *others)
{
  check_tell (child->to, own->st_dev);
  check_tell (child->to, own->st_ino);
  check_tell (child->to, others->st_ino);
}

static void
nothing_of_others (void)
{
  /* before there are rows: a child inherits what its parent has */
  CheckChild a = check_fork (look_for_others, NULL);
  CheckChild b = check_fork (look_for_others, NULL);
  DatahubProducer *producer = strict_producer (NULL);
  check_tell (a.to, 1);
  check_tell (b.to, 1);
  uint64_t row_a = check_hear (a.from), row_b = check_hear (b.from);
  CHECK_INT (row_a, !=, row_b);
  struct stat of_a = stat_row (producer, row_a);
  struct stat of_b = stat_row (producer, row_b);
  tell_rows (&a, &of_a, &of_b);
  tell_rows (&b, &of_b, &of_a);
  check_join (&a);
  check_join (&b);
  datahub_producer_close (producer);
}

/* It gives its lock back, keeps its mapping, and writes on. */
static void
ghost (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  StrictHello hello = strict_request_greeting (uuid);
  StrictRequest request = strict_request_call (uuid, &hello, sizeof hello);
  CHECK_INT (request.answer.status, ==, STRICT_GRANTED);
  ConsumerRow *row = mmap (NULL, BLOCK_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
      request.fds[STRICT_FDS_ROW], 0);
  CHECK (row != MAP_FAILED);
  struct flock unlock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
  CHECK (fcntl (request.fds[STRICT_FDS_TOKEN], F_OFD_SETLK, &unlock) == 0);
  CHECK_INT (reaper_run (&producer->reaper, 0), ==, 0);
  /* not its row any more: it pins everything and gates at 0 */
  for (uint32_t i = 0; i < producer->block.g.pin_words; i++)
    store_seq (&row->pins[i], UINT64_MAX);
  store_seq (&row->gate, GATE_WORD (1, 0));
  commit_buffers (producer, 0, 100);
  CHECK_INT (producer_stats (producer).waits, ==, 0);
  CHECK_INT (producer_stats (producer).dropped, ==, 0);
  /* and the next owner of that number has a row of its own */
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  CHECK_INT (consumer->row_index, ==, request.answer.row);
  memset (row, 0xff, BLOCK_PAGE);
  DatahubView view = read_record (consumer);
  commit_buffers (producer, 100, 50);
  check_buffer (&view, 92, 1000);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  munmap (row, BLOCK_PAGE);
  strict_request_leave (&request);
  datahub_producer_close (producer);
}

/* What a client writes to con, which all share, cannot hide the pins of others
 * from the producer. */
static void
lies_in_con (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  commit_buffers (producer, 0, 4);
  DatahubConsumer *victim = consumer_new_quota ("cam0", false, 2);
  DatahubView view = read_record (victim);
  DatahubConsumer *liar = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  store_seq (&liar->block.wake->rows_hwm, 0);
  commit_buffers (producer, 4, 200);
  check_buffer (&view, 0, 1000);
  datahub_consumer_end_read (victim, &view);
  datahub_consumer_close (victim);
  datahub_consumer_close (liar);
  datahub_producer_close (producer);
}

static void
not_adoptable (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  uint32_t fds = check_count_fds ();
  Block block;
  CHECK_RESULT (block_open (&block, "cam0", ACCESS_PRODUCE, &err),
      DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "sealed");
  uint32_t n;
  CHECK_RESULT (datahub_block_repair ("cam0", 0, 0, NULL, NULL, &n, &err),
      DATAHUB_ERROR_DENIED);
  CHECK_INT (check_count_fds (), ==, fds);
  datahub_producer_close (producer);
}

/* A memfd is born open to all; a descriptor that another user got must not be
 * a way to a writable one. */
static void
reopen_as_nobody (CheckParent *parent)
{
  const int *fds = parent->data;
  char path[40];
  if (setresgid (65534, 65534, 65534) != 0
      || setresuid (65534, 65534, 65534) != 0)
    _exit (77);
  for (int i = 0; i < 3; i++) {
    snprintf (path, sizeof path, "/proc/self/fd/%d", fds[i]);
    CHECK_INT (open (path, O_RDWR | O_CLOEXEC), ==, -1);
    CHECK_INT (errno, ==, EACCES);
    CHECK_INT (fchmod (fds[i], 0777), ==, -1);
    check_refused (can_map_writable (fds[i]), "mmap for writing");
  }
}

static void
reopened_by_another_user (void)
{
  if (geteuid () != 0)
    check_skip ("only root can become another user");
  DatahubProducer *producer = strict_producer (NULL);
  int fds[3] = { producer->backing.ctl_fd,
    producer->pools.newest[POOL_PAYLOAD]->fd,
    producer->pools.newest[POOL_SMALL]->fd };
  CheckChild child = check_fork (reopen_as_nobody, fds);
  check_join (&child);
  datahub_producer_close (producer);
}

/* Nothing is wrong with it. */
static void
tell (const DatahubFinding *finding, void *user_data)
{
  check_fail (__FILE__, __LINE__, "found: %s", finding->message);
}

static void
observed (void)
{
  DatahubProducer *producer = strict_producer (strict_secret);
  DatahubBlockInfo info;
  DatahubConsumerInfo row;
  uint32_t n = 0;
  CHECK_OK (strict_attach (NULL, strict_secret));
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.secret = strict_secret;
  options.name = "an\x1b eye";
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
  char caps[400];
  memset (caps, 'c', sizeof caps - 1); /* more than a record holds */
  caps[sizeof caps - 1] = 0;
  commit_event (producer, DATAHUB_RECORD_CAPS, caps);
  commit_buffers (producer, 0, 5);
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  CHECK (info.strict && info.producer_alive);
  CHECK_STR (info.caps, caps);
  CHECK_INT (info.buffers, ==, 5);
  CHECK_INT (info.n_consumers, ==, 1);
  CHECK_OK (datahub_block_inspect_consumers ("cam0", &row, 1, &n, &err));
  CHECK_INT (n, ==, 1);
  CHECK_STR (row.name, "an? eye");
  CHECK (row.alive && !row.reliable);
  DatahubIntegrityReport report;
  CHECK_OK (datahub_block_validate ("cam0", DATAHUB_VALIDATE_CHECKSUMS, tell,
      NULL, &report, &err));
  DatahubDiagnosis *diagnosis;
  CHECK_OK (datahub_block_diagnose ("cam0", NULL, tell, NULL, &diagnosis,
      &err));
  CHECK_INT (diagnosis->n_rows, ==, 1);
  CHECK_INT (diagnosis->rows[0].behind, >=, 1);
  datahub_diagnosis_free (diagnosis);
  /* no payload, and nothing to write to */
  StrictHello hello =
      strict_request_greeting (datahub_producer_get_uuid (producer));
  StrictShown shown;
  StrictRequest request = {
    .fd = strict_request_knock (datahub_producer_get_uuid (producer))
  };
  hello.kind = STRICT_OBSERVE;
  CHECK (os_send (request.fd, &hello, sizeof hello, NULL, 0));
  CHECK (os_wait_readable (request.fd, -1, SOON));
  CHECK_INT (os_receive (request.fd, &shown, sizeof shown, request.fds,
                 &request.n_fds),
      ==, sizeof shown.answer + sizeof (StrictConsumer));
  CHECK_INT (request.n_fds, ==, 2);
  CHECK_INT (shown.answer.gens[0], ==,
      producer->pools.newest[POOL_SMALL]->shape.gen);
  for (int i = 0; i < 2; i++)
    CHECK (!can_map_writable (request.fds[i]));
  strict_request_leave (&request);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "a consumer cannot make ctl or payload writable by any way", read_only },
  { "a consumer has no descriptor and no mapping of another's row",
      nothing_of_others },
  { "a consumer that gave its lock back has a row nobody reads", ghost },
  { "lies in the shared page cannot free what others pinned", lies_in_con },
  { "a sealed block is neither adopted nor repaired by others", not_adoptable },
  { "another user cannot reopen what it was handed", reopened_by_another_user },
  { "an observer sees counts and consumers, and no payload", observed },
};
CHECK_MAIN (tests)
