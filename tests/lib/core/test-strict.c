/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict blocks: memory without names, sealed, handed out at a door. What a
 * stream does is held by the other programs of this folder, run once more with
 * CHECK_STRICT; here is what only a strict block does, and what it refuses. */
#include "fixture.h"

#include "datahub/consumer-private.h"
#include "datahub/door-private.h"
#include "datahub/producer-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

static const uint8_t secret[DATAHUB_SECRET_SIZE] =
    "a secret of thirty-two bytes...";
static const uint8_t other_secret[DATAHUB_SECRET_SIZE] =
    "another one of as many bytes...";

static DatahubProducerOptions
strict_options (const uint8_t *with_secret)
{
  DatahubProducerOptions options = small_options ();
  options.strict = true;
  options.secret = with_secret;
  return options;
}

static DatahubProducer *
strict_producer (const uint8_t *with_secret)
{
  DatahubProducerOptions options = strict_options (with_secret);
  return producer_new ("cam0", &options);
}

/* What the door says to a greeting, and what it hands over. */
typedef struct
{
  int fd;
  DoorAnswer answer;
  int fds[OS_FDS_MAX];
  uint32_t n_fds;
} Visit;

static int
knock (const char *uuid)
{
  char name[128];
  int dir = os_open_directory (NULL);
  CHECK (dir >= 0);
  snprintf (name, sizeof name, "datahub-%u-%s.sck", (unsigned) geteuid (),
      uuid);
  int fd = os_connect (dir, name);
  close (dir);
  return fd;
}

static DoorHello
greeting (const char *uuid)
{
  DoorHello hello = { .magic = DOOR_MAGIC,
    .version = DOOR_VERSION,
    .wish = DOOR_WISH_CONSUME };
  Uuid block;
  CHECK (uuid_from_text (uuid, &block));
  memcpy (hello.uuid, block.bytes, sizeof hello.uuid);
  return hello;
}

static void
hear (Visit *visit)
{
  CHECK (os_wait_readable (visit->fd, -1, SOON));
  visit->n_fds = 0;
  memset (&visit->answer, 0, sizeof visit->answer);
  visit->answer.status = UINT32_MAX; /* sent away without a word */
  ssize_t n = os_receive (visit->fd, &visit->answer, sizeof visit->answer,
      visit->fds, &visit->n_fds);
  if (n < 0 && errno == ECONNRESET) /* told once; what was said is behind it */
    n = os_receive (visit->fd, &visit->answer, sizeof visit->answer, visit->fds,
        &visit->n_fds);
  CHECK (n == 0 || n == (ssize_t) sizeof visit->answer
      || (n < 0 && errno == ECONNRESET));
}

static Visit
call (const char *uuid, const void *hello, size_t size)
{
  Visit visit = { .fd = knock (uuid) };
  CHECK (visit.fd >= 0);
  CHECK (os_send (visit.fd, hello, size, NULL, 0));
  hear (&visit);
  return visit;
}

static void
leave (Visit *visit)
{
  for (uint32_t i = 0; i < visit->n_fds; i++)
    close (visit->fds[i]);
  close (visit->fd);
}

static uint32_t
status_of (const char *uuid, const void *hello, size_t size)
{
  Visit visit = call (uuid, hello, size);
  uint32_t status = visit.answer.status;
  if (status != DOOR_GRANTED)
    CHECK_INT (visit.n_fds, ==, 0);
  leave (&visit);
  return status;
}

/* Names and what is behind them. */

static void
no_names (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  struct stat st;
  CHECK_INT (check_count_files (), ==, 3); /* the entry, lck, the socket */
  CHECK_INT (check_bytes_used (), <=, 2 * PAGE); /* lck, counted twice */
  CHECK (stat (check_find_file (".sck"), &st) == 0);
  CHECK (S_ISSOCK (st.st_mode));
  CHECK_INT (st.st_mode & 0777, ==, 0600);
  commit_buffer (producer, 0, 60000); /* grows */
  CHECK_INT (check_count_files (), ==, 3);
  datahub_producer_close (producer);
  CHECK_INT (check_count_files (), ==, 0);
}

static void
read_all (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  check_tell (parent->out, 1);
  for (uint64_t n = 0; n < 60; n++)
    expect_buffer (consumer, n, 1000 + n * 997);
  DatahubView view;
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
      DATAHUB_CLOSED);
  CHECK_INT (consumer_stats (consumer).lost, ==, 0);
  datahub_consumer_close (consumer);
}

/* Every buffer is bigger than the one before: growth after growth. */
static void
grows (void)
{
  DatahubProducer *producer = strict_producer (secret);
  CheckChild child;
  DatahubConsumer *watcher;
  DatahubConsumerOptions options;
  datahub_consumer_options_init (&options);
  options.secret = secret;
  options.start = DATAHUB_START_OLDEST;
  CHECK_OK (datahub_consumer_attach ("cam0", &options, &watcher, &err));
  datahub_producer_close (producer);
  datahub_consumer_close (watcher);
  producer = strict_producer (NULL);
  child = check_fork (read_all, NULL);
  CHECK_HEAR (child.from, 1);
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
  check_tell (parent->out, 1);
  check_hear (parent->in);
  for (uint64_t n = 0; n < 4; n++)
    commit_buffer (producer, n, 1000 + n * 20000);
  check_tell (parent->out, 2);
  check_hear (parent->in);
}

/* Pools that came while the consumer looked away are there after the producer's
 * death, which is told. */
static void
producer_killed (void)
{
  uint32_t fds = check_count_fds ();
  CheckChild child = check_fork (produce_and_wait, NULL);
  DatahubView view;
  char uuid[DATAHUB_UUID_TEXT];
  CHECK_HEAR (child.from, 1);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  strcpy (uuid, datahub_consumer_get_uuid (consumer));
  check_tell (child.to, 1);
  CHECK_HEAR (child.from, 2);
  check_kill (&child);
  for (uint64_t n = 0; n < 4; n++)
    expect_buffer (consumer, n, 1000 + n * 20000);
  CHECK_RESULT (datahub_consumer_begin_read (consumer, SOON, &view, &err),
      DATAHUB_PRODUCER_LOST);
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
  CheckChild child = check_fork (produce_and_wait, NULL);
  CHECK_HEAR (child.from, 1);
  check_kill (&child);
  CHECK_INT (check_count_files (), ==, 3);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK_INT (check_count_files (), ==, 0);
}

static void
last_consumer_sweeps (void)
{
  CheckChild child = check_fork (produce_and_wait, NULL);
  CHECK_HEAR (child.from, 1);
  DatahubConsumer *consumer =
      consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  check_kill (&child);
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

/* Consumers that come and go. */

static void
hold_and_wait (CheckParent *parent)
{
  DatahubConsumer *consumer = consumer_new_quota ("cam0", true, 4);
  for (int i = 0; i < 4; i++)
    read_record (consumer);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

/* Its row is back by the kernel's word, without a timeout. */
static void
consumer_killed (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  for (int round = 0; round < 10; round++) {
    DatahubConsumerInfo info;
    CheckChild child = check_fork (hold_and_wait, NULL);
    commit_buffers (producer, 0, 4);
    CHECK_HEAR (child.from, 1);
    uint64_t before = producer_stats (producer).reaped;
    check_kill (&child);
    uint64_t start = check_now_ns ();
    while (producer_stats (producer).reaped == before)
      CHECK (check_now_ns () - start < (uint64_t) SOON);
    check_note ("reaped within %.1f ms",
        (double) (check_now_ns () - start) / 1e6);
    CHECK_INT (datahub_producer_list_consumers (producer, &info, 1), ==, 0);
    commit_buffers (producer, 4, 40); /* nobody holds it up */
  }
  datahub_producer_close (producer);
}

/* The door closes its end when it sees that the other is closed. */
static void
until_fds_are (uint32_t fds)
{
  uint64_t start = check_now_ns ();
  while (check_count_fds () > fds)
    CHECK (check_now_ns () - start < (uint64_t) SOON);
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
  until_fds_are (fds);
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

/* All leases together stay within the budget, whatever is asked for. */
static void
quota (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  DatahubConsumer *consumers[8];
  uint64_t sum = 0;
  for (int i = 0; i < 8; i++) {
    consumers[i] = consumer_new_quota ("cam0", false, 1000);
    sum += consumer_stats (consumers[i]).quota;
  }
  CHECK_INT (sum, >, 0);
  CHECK_INT (sum + 1, <=, producer->block.g.lease_budget);
  CHECK_INT (consumer_stats (consumers[7]).quota, ==, 0);
  for (int i = 0; i < 8; i++)
    datahub_consumer_close (consumers[i]);
  datahub_producer_close (producer);
}

/* What a consumer cannot do with what it has. */

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
  void *map = mmap (NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return false;
  munmap (map, PAGE);
  return true;
}

/* Every way to a writable page behind a descriptor that was handed over. */
static void
attack_descriptor (int fd, const char *what)
{
  char path[40];
  uint8_t byte = 1;
  int again;
  void *map = mmap (NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
  CHECK (map != MAP_FAILED);
  check_note ("%s", what);
  check_refused (mprotect (map, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
  munmap (map, PAGE);
  check_refused (can_map_writable (fd), "mmap for writing");
  check_refused (pwrite (fd, &byte, 1, 0) == 1, "pwrite");
  check_refused (ftruncate (fd, 0) == 0, "ftruncate");
  check_refused (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                     PAGE)
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
                     0, PAGE)
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
  DoorHello hello = greeting (uuid);
  Visit visit = call (uuid, &hello, sizeof hello);
  CHECK_INT (visit.answer.status, ==, DOOR_GRANTED);
  CHECK_INT (visit.answer.n_pools, ==, 2);
  attack_descriptor (visit.fds[DOOR_FDS_CTL], "ctl");
  attack_descriptor (visit.fds[DOOR_FDS_POOLS], "a pool");
  attack_descriptor (visit.fds[DOOR_FDS_POOLS + 1], "the other pool");
  /* what it may write keeps its size: the producer has it mapped */
  check_refused (ftruncate (visit.fds[DOOR_FDS_CON], 0) == 0, "cutting con");
  check_refused (ftruncate (visit.fds[DOOR_FDS_ROW], 0) == 0, "cutting a row");
  CHECK (can_map_writable (visit.fds[DOOR_FDS_CON]));
  CHECK (can_map_writable (visit.fds[DOOR_FDS_ROW]));
  leave (&visit);

#ifndef DATAHUB_SHARED_MAPPINGS /* which has the producer's in this process */
  /* and through the library's own mappings */
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  DatahubView view = read_record (consumer);
  uintptr_t payload = (uintptr_t) view.memories[0].data & ~(uintptr_t) 4095;
  check_refused (mprotect (consumer->block.header, PAGE, PROT_READ | PROT_WRITE)
          == 0,
      "mprotect of the mapped ctl");
  check_refused (mprotect ((void *) payload, PAGE, PROT_READ | PROT_WRITE) == 0,
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
  pthread_mutex_lock (&producer->reap_lock);
  CHECK (fstat (producer->rows[row].fd, &st) == 0);
  pthread_mutex_unlock (&producer->reap_lock);
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
  DoorHello hello = greeting (uuid);
  Visit visit = call (uuid, &hello, sizeof hello);
  CHECK_INT (visit.answer.status, ==, DOOR_GRANTED);
  ConsumerRow *row = mmap (NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
      visit.fds[DOOR_FDS_ROW], 0);
  CHECK (row != MAP_FAILED);
  struct flock unlock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
  CHECK (fcntl (visit.fds[DOOR_FDS_TOKEN], F_OFD_SETLK, &unlock) == 0);
  CHECK_INT (producer_reap (producer, 0), ==, 0);
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
  CHECK_INT (consumer->row_index, ==, visit.answer.row);
  memset (row, 0xff, PAGE);
  DatahubView view = read_record (consumer);
  commit_buffers (producer, 100, 50);
  check_buffer (&view, 92, 1000);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  munmap (row, PAGE);
  leave (&visit);
  datahub_producer_close (producer);
}

/* What a guest writes to con, which all share, cannot hide the pins of others
 * from the producer. */
static void
lies_in_con (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  commit_buffers (producer, 0, 4);
  DatahubConsumer *victim = consumer_new_quota ("cam0", false, 2);
  DatahubView view = read_record (victim);
  DatahubConsumer *liar = consumer_new ("cam0", false, DATAHUB_START_OLDEST);
  store_seq (&liar->block.bell->rows_hwm, 0);
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

/* Tickets. */

static DatahubResult
attach_with (const uint8_t *ticket, const uint8_t *with_secret)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  datahub_consumer_options_init (&options);
  options.ticket = ticket;
  options.secret = with_secret;
  options.timeout_ns = SOON;
  DatahubResult result =
      datahub_consumer_attach ("cam0", &options, &consumer, &err);
  CHECK_INT (consumer != NULL, ==, result == DATAHUB_OK);
  datahub_consumer_close (consumer);
  return result;
}

static uint32_t
show_ticket (const char *uuid, const uint8_t *ticket)
{
  DoorHello hello = greeting (uuid);
  hello.has_ticket = ticket != NULL;
  if (ticket)
    memcpy (&hello.ticket, ticket, sizeof hello.ticket);
  return status_of (uuid, &hello, sizeof hello);
}

static void
good_tickets (void)
{
  DatahubProducer *producer = strict_producer (secret);
  const char *uuid = datahub_producer_get_uuid (producer);
  uint8_t ticket[DATAHUB_TICKET_SIZE];
  uint8_t client[DATAHUB_TICKET_CLIENT_SIZE] = "somebody";
  for (int i = 0; i < 3; i++) {
    CHECK_OK (datahub_ticket_make (secret, uuid, client, 0, ticket, &err));
    CHECK_OK (attach_with (ticket, NULL));
  }
  CHECK_OK (attach_with (NULL, secret));
  CHECK_RESULT (attach_with (NULL, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "ticket");
  datahub_producer_close (producer);
}

static void
bad_tickets (void)
{
  DatahubProducer *producer = strict_producer (secret);
  const char *uuid = datahub_producer_get_uuid (producer);
  uint8_t ticket[DATAHUB_TICKET_SIZE], twisted[DATAHUB_TICKET_SIZE];
  CHECK_INT (show_ticket (uuid, NULL), ==, DOOR_REFUSED_NO_TICKET);

  CHECK_OK (datahub_ticket_make (other_secret, uuid, NULL, 0, ticket, &err));
  CHECK_INT (show_ticket (uuid, ticket), ==, DOOR_REFUSED_FORGED);
  CHECK_RESULT (attach_with (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "forged");
  CHECK_RESULT (attach_with (NULL, other_secret), DATAHUB_ERROR_DENIED);

  CHECK_OK (datahub_ticket_make (secret, uuid, NULL, 1, ticket, &err));
  CHECK_INT (show_ticket (uuid, ticket), ==, DOOR_REFUSED_EXPIRED);
  CHECK_RESULT (attach_with (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "expired");

  CHECK_OK (datahub_ticket_make (secret, "00112233445566778899aabbccddeeff",
      NULL, 0, ticket, &err));
  CHECK_INT (show_ticket (uuid, ticket), ==, DOOR_REFUSED_OTHER_BLOCK);
  CHECK_RESULT (attach_with (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "another block");

  CHECK_OK (datahub_ticket_make (secret, uuid, NULL, 0, ticket, &err));
  CHECK_INT (show_ticket (uuid, ticket), ==, DOOR_GRANTED);
  CHECK_INT (show_ticket (uuid, ticket), ==, DOOR_REFUSED_REPLAYED);
  CHECK_RESULT (attach_with (ticket, NULL), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "before");

  /* not one bit of it may differ */
  CHECK_OK (datahub_ticket_make (secret, uuid, NULL, 0, ticket, &err));
  for (size_t bit = 0; bit < 8 * sizeof ticket; bit += 7) {
    memcpy (twisted, ticket, sizeof ticket);
    twisted[bit / 8] ^= (uint8_t) (1u << bit % 8);
    uint32_t status = show_ticket (uuid, twisted);
    uint32_t wanted = bit / 8 < offsetof (Ticket, uuid) ? DOOR_REFUSED_MALFORMED
        : bit / 8 < offsetof (Ticket, nonce) ? DOOR_REFUSED_OTHER_BLOCK
                                             : DOOR_REFUSED_FORGED;
    CHECK_INT (status, ==, wanted);
  }
  CHECK_INT (show_ticket (uuid, ticket), ==, DOOR_GRANTED);

  CHECK_RESULT (datahub_ticket_make (secret, uuid, NULL, 61 * CHECK_S, ticket,
                    &err),
      DATAHUB_ERROR_INVALID);
  CHECK_RESULT (datahub_ticket_make (secret, "cam0", NULL, 0, ticket, &err),
      DATAHUB_ERROR_INVALID);
  datahub_producer_close (producer);
}

/* The book's own rules, with a clock of the test. */
static void
ticket_book (void)
{
  static TicketBook book;
  Ticket ticket;
  Uuid uuid;
  char text[DATAHUB_UUID_TEXT];
  uuid_generate (&uuid);
  uuid_to_text (&uuid, text);
  CHECK_OK (datahub_ticket_make (secret, text, NULL, 0, (uint8_t *) &ticket,
      &err));
  uint64_t made = ticket.expiry_ns - 10 * CHECK_S;
  /* a clock that is set back revives nothing */
  CHECK_INT (ticket_take (&book, &ticket, secret, &uuid, made), ==,
      TICKET_GOOD);
  CHECK_INT (ticket_take (&book, &ticket, secret, &uuid, made), ==,
      TICKET_REPLAYED);
  CHECK_INT (ticket_take (&book, &ticket, secret, &uuid, ticket.expiry_ns), ==,
      TICKET_EXPIRED);
  CHECK_INT (ticket_take (&book, &ticket, secret, &uuid, made), ==,
      TICKET_EXPIRED);
  /* one made by a clock far ahead is good for too long */
  memset (&book, 0, sizeof book);
  CHECK_INT (ticket_take (&book, &ticket, secret, &uuid, made - 55 * CHECK_S),
      ==, TICKET_TOO_LONG);
  /* a full book takes no more, and forgets what has expired */
  memset (&book, 0, sizeof book);
  for (uint32_t i = 0; i < TICKETS_NOTED; i++) {
    CHECK_OK (datahub_ticket_make (secret, text, NULL, 0, (uint8_t *) &ticket,
        &err));
    CHECK_INT (ticket_take (&book, &ticket, secret, &uuid, made), ==,
        TICKET_GOOD);
  }
  CHECK_OK (datahub_ticket_make (secret, text, NULL, 60 * CHECK_S,
      (uint8_t *) &ticket, &err));
  CHECK_INT (ticket_take (&book, &ticket, secret, &uuid, made + CHECK_S), ==,
      TICKET_BOOK_FULL);
  CHECK_INT (ticket_take (&book, &ticket, secret, &uuid,
                 ticket.expiry_ns - CHECK_S),
      ==, TICKET_GOOD);
  CHECK_INT (book.n, ==, 1);
}

/* The door and those who stand before it. */

static void
bad_greetings (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  const DoorHello good = greeting (uuid);
  DoorHello hello = good;
  uint8_t big[sizeof hello + 1] = { 0 };
  CHECK_INT (status_of (uuid, &hello, 1), ==, DOOR_REFUSED_MALFORMED);
  CHECK_INT (status_of (uuid, &hello, sizeof hello - 1), ==,
      DOOR_REFUSED_MALFORMED);
  memcpy (big, &hello, sizeof hello);
  CHECK_INT (status_of (uuid, big, sizeof big), ==, DOOR_REFUSED_MALFORMED);
  hello.magic ^= 1;
  CHECK_INT (status_of (uuid, &hello, sizeof hello), ==,
      DOOR_REFUSED_MALFORMED);
  hello = good;
  hello.version++;
  CHECK_INT (status_of (uuid, &hello, sizeof hello), ==, DOOR_REFUSED_VERSION);
  hello = good;
  hello.wish = 3;
  CHECK_INT (status_of (uuid, &hello, sizeof hello), ==,
      DOOR_REFUSED_MALFORMED);
  hello = good;
  hello.reserved[5] = 1;
  CHECK_INT (status_of (uuid, &hello, sizeof hello), ==,
      DOOR_REFUSED_MALFORMED);
  hello = good;
  hello.uuid[0] ^= 1;
  CHECK_INT (status_of (uuid, &hello, sizeof hello), ==,
      DOOR_REFUSED_OTHER_BLOCK);
  /* descriptors are not wanted, and not kept */
  uint32_t fds = check_count_fds ();
  Visit visit = { .fd = knock (uuid) };
  int gifts[3] = { 0, 1, 2 };
  CHECK (os_send (visit.fd, &good, sizeof good, gifts, 3));
  hear (&visit);
  CHECK_INT (visit.answer.status, ==, DOOR_REFUSED_MALFORMED);
  leave (&visit);
  CHECK_OK (consumer_try ("cam0"));
  until_fds_are (fds);
  datahub_producer_close (producer);
}

/* Who speaks after it was let in is sent away, and keeps its row. */
static void
talkers (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  DoorHello hello = greeting (uuid);
  Visit visit = call (uuid, &hello, sizeof hello);
  uint8_t byte;
  CHECK_INT (visit.answer.status, ==, DOOR_GRANTED);
  CHECK (os_send (visit.fd, &hello, sizeof hello, NULL, 0));
  CHECK (os_wait_readable (visit.fd, -1, SOON));
  CHECK_INT (os_receive (visit.fd, &byte, 1, NULL, NULL), <=, 0);
  CHECK_INT (producer_reap (producer, 0), ==, 0);
  pthread_mutex_lock (&producer->reap_lock);
  CHECK (producer->rows[visit.answer.row].granted);
  pthread_mutex_unlock (&producer->reap_lock);
  leave (&visit);
  datahub_producer_close (producer);
}

static void
flood (CheckParent *parent)
{
  const char *uuid = parent->data;
  int open_fds[200];
  uint32_t n = 0;
  bool told = false;
  while (!check_has_word (parent->in)) {
    uint8_t noise[512];
    int fd = knock (uuid);
    if (fd < 0)
      continue;
    memset (noise, (int) n, sizeof noise);
    if (n % 2) /* the others say nothing at all */
      os_send (fd, noise, n % 300 + 1, NULL, 0);
    if (n >= 200)
      close (open_fds[n % 200]);
    open_fds[n++ % 200] = fd;
    if (n == 400 && !told) {
      check_tell (parent->out, 1);
      told = true;
    }
  }
  for (uint32_t i = 0; i < (n < 200 ? n : 200); i++)
    close (open_fds[i]);
}

/* Two processes knock all the time and say nothing, or nonsense. */
static void
flooded (void)
{
  DatahubProducer *producer = strict_producer (secret);
  const char *uuid = datahub_producer_get_uuid (producer);
  CheckChild children[2];
  uint64_t longest = 0;
  for (int i = 0; i < 2; i++)
    children[i] = check_fork (flood, uuid);
  for (int i = 0; i < 2; i++)
    CHECK_HEAR (children[i].from, 1);
  for (int round = 0; round < 20; round++) {
    DatahubConsumerOptions options;
    DatahubConsumer *consumer;
    datahub_consumer_options_init (&options);
    options.secret = secret;
    options.reliable = true;
    options.start = DATAHUB_START_LATEST;
    options.timeout_ns = SOON;
    uint64_t start = check_now_ns ();
    CHECK_OK (datahub_consumer_attach ("cam0", &options, &consumer, &err));
    uint64_t took = check_now_ns () - start;
    longest = took > longest ? took : longest;
    commit_buffers (producer, 0, 4);
    if (round > 0)
      expect_buffers (consumer, 3, 1); /* the newest there was */
    expect_buffers (consumer, 0, 4);
    datahub_consumer_close (consumer);
  }
  check_note ("the longest attach took %.1f ms", (double) longest / 1e6);
  for (int i = 0; i < 2; i++) {
    check_tell (children[i].to, 1);
    check_join (&children[i]);
  }
  datahub_producer_close (producer);
}

static void
silent_is_sent_away (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  Visit visit = { .fd = knock (datahub_producer_get_uuid (producer)) };
  uint64_t start = check_now_ns ();
  CHECK (visit.fd >= 0);
  hear (&visit);
  CHECK_INT (visit.answer.status, ==, UINT32_MAX);
  CHECK_INT (check_now_ns () - start, >=, CHECK_S / 2);
  leave (&visit);
  datahub_producer_close (producer);
}

static void
as_nobody (CheckParent *parent)
{
  const char *uuid = parent->data;
  char name[128];
  int dir = os_open_directory (NULL), fd;
  DoorHello hello = greeting (uuid);
  snprintf (name, sizeof name, "datahub-0-%s.sck", uuid);
  if (setresgid (65534, 65534, 65534) != 0
      || setresuid (65534, 65534, 65534) != 0)
    _exit (77);
  /* by the permissions of the socket */
  CHECK_INT (os_connect (dir, name), ==, -1);
  CHECK_INT (errno, ==, EACCES);
  check_tell (parent->out, 1);
  check_hear (parent->in);
  /* somebody opened them: by the kernel's word of who it is */
  Visit visit = { .fd = fd = os_connect (dir, name) };
  CHECK (fd >= 0);
  os_send (fd, &hello, sizeof hello, NULL, 0);
  hear (&visit);
  CHECK_INT (visit.answer.status, ==, DOOR_REFUSED_USER);
  CHECK_INT (visit.n_fds, ==, 0);
  leave (&visit);
  close (dir);
}

static void
another_user (void)
{
  if (geteuid () != 0)
    check_skip ("only root can become another user");
  DatahubProducer *producer = strict_producer (NULL);
  CHECK (chmod (check_directory (), 0711) == 0);
  CheckChild child =
      check_fork (as_nobody, datahub_producer_get_uuid (producer));
  CHECK_HEAR (child.from, 1);
  CHECK (chmod (check_find_file (".sck"), 0777) == 0);
  check_tell (child.to, 1);
  check_join (&child);
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
  int fds[3] = { producer->ctl_fd, producer->newest[POOL_PAYLOAD]->fd,
    producer->newest[POOL_SMALL]->fd };
  CheckChild child = check_fork (reopen_as_nobody, fds);
  check_join (&child);
  datahub_producer_close (producer);
}

static void
publish_and_sleep (CheckParent *parent)
{
  strict_producer (NULL);
  check_tell (parent->out, 1);
  check_hear (parent->in);
}

static void *
interrupt_soon (void *data)
{
  CheckThread *const *attacher = data;
  check_until_asleep (*attacher);
  return NULL;
}

typedef struct
{
  DatahubWatch *watch;
  DatahubResult result;
} Attach;

static void *
attach_in_thread (void *data)
{
  Attach *attach = data;
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.watch = attach->watch;
  options.timeout_ns = 6 * SOON;
  attach->result = datahub_consumer_attach ("cam0", &options, &consumer, &err);
  return NULL;
}

/* A producer that stands still keeps nobody longer than he wants. */
static void
stopped_producer (void)
{
  CheckChild child = check_fork (publish_and_sleep, NULL);
  CHECK_HEAR (child.from, 1);
  check_stop (&child);
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.timeout_ns = 50 * CHECK_MS;
  CHECK_RESULT (datahub_consumer_attach ("cam0", &options, &consumer, &err),
      DATAHUB_TIMEOUT);
  CHECK_CONTAINS (err.message, "does not answer");
  Attach attach = { .watch = datahub_watch_new ("cam0") };
  CheckThread *thread = check_thread (attach_in_thread, &attach);
  interrupt_soon (&thread);
  datahub_watch_set_interrupted (attach.watch, true);
  check_thread_join (thread);
  CHECK_INT (attach.result, ==, DATAHUB_INTERRUPTED);
  datahub_watch_free (attach.watch);
  check_continue (&child);
  CHECK_OK (consumer_try ("cam0"));
  check_kill (&child);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
}

/* Nothing is wrong with it. */
static void
tell (const DatahubFinding *finding, void *user_data)
{
  check_fail (__FILE__, __LINE__, "found: %s", finding->message);
}

/* Whoever answers at the door may be anybody: what it hands over is checked. */
typedef enum
{
  LIE_NONE,
  LIE_MAGIC,
  LIE_VERSION,
  LIE_UUID,
  LIE_STATUS,
  LIE_ROW,
  LIE_N_POOLS,
  LIE_FEWER_FDS,
  LIE_MORE_FDS,
  LIE_SHORT,
  LIE_LONG,
  LIE_CTL_IS_CON,
  LIE_CTL_UNSEALED,
  LIE_CON_UNSEALED,
  LIE_ROW_UNSEALED,
  LIE_ROW_TOO_SHORT,
  LIE_CTL_A_PIPE,
  LIE_POOL_UNSEALED,
  LIE_POOL_OTHER_GEN,
  LIE_SILENCE,
  N_LIES
} Lie;

typedef struct
{
  DatahubProducer *producer;
  int listener;
  Lie lie;
} FalseDoor;

static int
unsealed_copy (int fd)
{
  uint64_t size;
  uint32_t owner;
  CHECK (os_file_size (fd, &size, &owner));
  uint8_t *bytes = malloc (size);
  int copy = os_create_memory (&size, 0, 0600, "copy", NULL);
  CHECK (bytes != NULL && copy >= 0);
  CHECK (os_read_all (fd, bytes, size) && os_write_all (copy, bytes, size));
  free (bytes);
  return copy;
}

static int
sealed_memory (uint64_t size)
{
  int fd = os_create_memory (&size, 0, 0600, "memory", NULL);
  CHECK (fd >= 0 && os_seal (fd, false));
  return fd;
}

/* A true answer, but for one thing. */
static void
answer_falsely (const FalseDoor *door, int guest)
{
  DatahubProducer *producer = door->producer;
  Pool *small = producer->newest[POOL_SMALL];
  Pool *payload = producer->newest[POOL_PAYLOAD];
  RowGrant grant;
  CHECK_INT (strict_grant_row (producer, 0, &grant), ==, DOOR_GRANTED);
  DoorAnswer answer = { .magic = DOOR_MAGIC,
    .version = DOOR_VERSION,
    .status = DOOR_GRANTED,
    .row = grant.row,
    .quota = grant.quota,
    .n_pools = 2,
    .gens = { small->shape.gen, payload->shape.gen } };
  int fds[8] = { producer->ctl_fd, producer->con_fd, grant.row_fd,
    grant.token_fd, small->fd, payload->fd, producer->ctl_fd };
  uint8_t bytes[sizeof answer + 8] = { 0 };
  size_t size = sizeof answer;
  uint32_t n_fds = 6;
  int made = -1, pipe_fds[2] = { -1, -1 };
  memcpy (answer.uuid, producer->block.uuid.bytes, sizeof answer.uuid);
  switch (door->lie) {
    case LIE_MAGIC:
      answer.magic ^= 1;
      break;
    case LIE_VERSION:
      answer.version++;
      break;
    case LIE_UUID:
      answer.uuid[0] ^= 1;
      break;
    case LIE_STATUS:
      answer.status = DOOR_SHOWN;
      break;
    case LIE_ROW:
      answer.row = producer->block.g.max_rows;
      break;
    case LIE_N_POOLS:
      answer.n_pools = MAX_POOLS + 1;
      break;
    case LIE_FEWER_FDS:
      n_fds--;
      break;
    case LIE_MORE_FDS:
      n_fds++;
      break;
    case LIE_SHORT:
      size--;
      break;
    case LIE_LONG:
      size++;
      break;
    case LIE_CTL_IS_CON:
      fds[DOOR_FDS_CTL] = producer->con_fd;
      break;
    case LIE_CTL_UNSEALED:
      made = fds[DOOR_FDS_CTL] = unsealed_copy (producer->ctl_fd);
      break;
    case LIE_CON_UNSEALED:
      made = fds[DOOR_FDS_CON] = unsealed_copy (producer->con_fd);
      break;
    case LIE_ROW_UNSEALED:
      made = fds[DOOR_FDS_ROW] = unsealed_copy (grant.row_fd);
      break;
    case LIE_ROW_TOO_SHORT:
      made = fds[DOOR_FDS_ROW] = sealed_memory (64);
      break;
    case LIE_CTL_A_PIPE:
      CHECK (pipe (pipe_fds) == 0);
      fds[DOOR_FDS_CTL] = pipe_fds[0];
      break;
    case LIE_POOL_UNSEALED:
      made = fds[DOOR_FDS_POOLS + 1] = unsealed_copy (payload->fd);
      break;
    case LIE_POOL_OTHER_GEN:
      fds[DOOR_FDS_POOLS + 1] = small->fd;
      break;
    default:
      break;
  }
  memcpy (bytes, &answer, sizeof answer);
  CHECK (os_send (guest, bytes, size, fds, n_fds));
  strict_end_grant (&grant);
  for (int i = 0; i < 2; i++)
    if (pipe_fds[i] >= 0)
      close (pipe_fds[i]);
  if (made >= 0)
    close (made);
}

static void *
false_door (void *data)
{
  const FalseDoor *door = data;
  DoorHello hello;
  int guest;
  CHECK (os_wait_readable (door->listener, -1, SOON));
  guest = os_accept (door->listener);
  CHECK (guest >= 0 && os_wait_readable (guest, -1, SOON));
  CHECK_INT (os_receive (guest, &hello, sizeof hello, NULL, NULL), ==,
      sizeof hello);
  if (door->lie != LIE_SILENCE)
    answer_falsely (door, guest);
  /* until the guest hangs up */
  os_wait_readable (guest, -1, SOON);
  close (guest);
  return NULL;
}

static void
false_doors (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  commit_buffers (producer, 0, 4);
  door_close (producer->door);
  unlink (check_find_file (".sck"));
  FalseDoor door = { .producer = producer,
    .listener = os_listen (producer->block.dir,
        name_part (os_user (), &producer->block.uuid, "sck").text, 0600) };
  CHECK (door.listener >= 0);
  uint32_t fds = check_count_fds ();
  for (int lie = 0; lie < N_LIES; lie++) {
    DatahubConsumerOptions options;
    DatahubConsumer *consumer = NULL;
    DatahubView view;
    datahub_consumer_options_init (&options);
    options.start = DATAHUB_START_OLDEST;
    options.timeout_ns = lie == LIE_SILENCE ? 50 * CHECK_MS : SOON;
    door.lie = (Lie) lie;
    CheckThread *thread = check_thread (false_door, &door);
    DatahubResult result =
        datahub_consumer_attach ("cam0", &options, &consumer, &err);
    if (lie == LIE_NONE) {
      CHECK_OK (result);
      expect_buffers (consumer, 0, 4);
    } else if (lie == LIE_POOL_UNSEALED || lie == LIE_POOL_OTHER_GEN) {
      /* it is met when a record needs it: this one is live, and goes on */
      CHECK_OK (result);
      CHECK_RESULT (datahub_consumer_begin_read (consumer, 0, &view, &err),
          DATAHUB_TIMEOUT);
      CHECK_INT (consumer_stats (consumer).received, ==, 0);
    } else if (lie == LIE_SILENCE)
      CHECK_INT (result, ==, DATAHUB_TIMEOUT);
    else if (result != DATAHUB_ERROR_CORRUPT)
      check_fail (__FILE__, __LINE__, "lie %d: %s (%s)", lie,
          datahub_result_name (result), err.message);
    datahub_consumer_close (consumer);
    check_thread_join (thread);
    producer_reap (producer, 0);
    if (check_count_fds () > fds)
      check_fail (__FILE__, __LINE__, "lie %d left descriptors behind", lie);
  }
  close (door.listener);
  datahub_producer_close (producer);
}

static void
observed (void)
{
  DatahubProducer *producer = strict_producer (secret);
  DatahubBlockInfo info;
  DatahubConsumerInfo row;
  uint32_t n = 0;
  CHECK_OK (attach_with (NULL, secret));
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.secret = secret;
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
  DoorHello hello = greeting (datahub_producer_get_uuid (producer));
  DoorShown shown;
  Visit visit = { .fd = knock (datahub_producer_get_uuid (producer)) };
  hello.wish = DOOR_WISH_OBSERVE;
  CHECK (os_send (visit.fd, &hello, sizeof hello, NULL, 0));
  CHECK (os_wait_readable (visit.fd, -1, SOON));
  CHECK_INT (os_receive (visit.fd, &shown, sizeof shown, visit.fds,
                 &visit.n_fds),
      ==, sizeof shown.answer + sizeof (DoorRow));
  CHECK_INT (visit.n_fds, ==, 2);
  CHECK_INT (shown.answer.gens[0], ==, producer->newest[POOL_SMALL]->shape.gen);
  for (int i = 0; i < 2; i++)
    CHECK (!can_map_writable (visit.fds[i]));
  leave (&visit);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

static void
huge_pages (void)
{
  DatahubProducerOptions options = strict_options (NULL);
  FILE *file =
      fopen ("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
  unsigned long free_pages = 0;
  if (file && fscanf (file, "%lu", &free_pages) != 1)
    free_pages = 0;
  if (file)
    fclose (file);
  options.hugepages = DATAHUB_HUGEPAGES_2M;
  DatahubProducer *producer = producer_new ("cam0", &options);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  commit_buffers (producer, 0, 8);
  expect_buffers (consumer, 0, 8);
  commit_buffer (producer, 8, 300000);
  expect_buffer (consumer, 8, 300000);
  uint64_t page = producer_stats (producer).page_size;
  CHECK (fcntl (producer->newest[POOL_PAYLOAD]->fd, F_GET_SEALS)
      & F_SEAL_FUTURE_WRITE);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
  check_note ("pages of %llu bytes, %lu huge ones were free",
      (unsigned long long) page, free_pages);
  if (free_pages < 8) {
    CHECK_INT (page, ==, 4096);
    check_skip ("this machine has no huge pages to spare; normal ones work");
  }
  CHECK_INT (page, ==, 2 << 20);
}

static const CheckTest tests[] = {
  { "nothing has a name but the lock file and the socket", no_names },
  { "growth reaches the consumers of a strict block, losslessly", grows },
  { "a killed producer is told of; pools it handed over are read to the end",
      producer_killed },
  { "what a killed producer leaves is reclaimed", killed_without_consumers },
  { "the last consumer of a dead producer removes its names",
      last_consumer_sweeps },
  { "a second live producer is refused, strict or not", second_producer },
  { "a killed consumer's row is back by the kernel's word", consumer_killed },
  { "consumers that come and go leave no descriptor behind", no_fd_leak },
  { "a full table refuses at the door and takes again after a leave", full },
  { "quotas are granted within the budget", quota },
  { "a consumer cannot make ctl or payload writable by any way", read_only },
  { "a consumer has no descriptor and no mapping of another's row",
      nothing_of_others },
  { "a consumer that gave its lock back has a row nobody reads", ghost },
  { "lies in the shared page cannot free what others pinned", lies_in_con },
  { "a sealed block is neither adopted nor repaired by others", not_adoptable },
  { "a ticket, or the secret, lets in; nothing does not", good_tickets },
  { "forged, expired, replayed and other blocks' tickets are refused, each as "
    "such",
      bad_tickets },
  { "a clock set back revives no ticket; a full book refuses", ticket_book },
  { "bad greetings are refused, each as such", bad_greetings },
  { "a guest that talks loses its connection, not its row", talkers },
  { "a flood at the door keeps nobody out and the producer going", flooded },
  { "who says nothing is sent away", silent_is_sent_away },
  { "another user is refused, by permissions and by the kernel's word",
      another_user },
  { "another user cannot reopen what it was handed", reopened_by_another_user },
  { "an attach to a stopped producer ends in time, and by an interrupt",
      stopped_producer },
  { "what a false producer hands over is refused", false_doors },
  { "an observer sees counts and consumers, and no payload", observed },
  { "strict blocks on huge pages, where there are any", huge_pages },
};
CHECK_MAIN (tests)
