/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user that a block belongs to: the owner of its files, as the kernel shows it, and not
 * the number in their names. Other users are numbers that root takes on; a user
 * namespace gives the own user another number. */
#include "life.h"
#include "strict.h"
#include "strict-requests.h"

#include "common/other-file.h"
#include "core/producer/producer-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHER 4001u
#define THIRD 4002u
/* A child answers this when it may not have a namespace. */
#define REFUSED UINT64_C (404)

static void
become (uint32_t user)
{
  CHECK (setresgid (user, user, user) == 0);
  CHECK (setresuid (user, user, user) == 0);
}

static void
need_root (void)
{
  if (geteuid () != 0)
    check_skip ("only root can become another user");
  CHECK (chmod (check_directory (), 01777) == 0);
}

/* The own user is @number from now on. */
static bool
enter_namespace (uint32_t number)
{
  char map[64];
  snprintf (map, sizeof map, "%u %u 1", number, geteuid ());
  return unshare (CLONE_NEWUSER) == 0
      && check_write_file ("/proc/self/uid_map", map);
}

/* ---- one user, two numbers ---- */

static void
produce_inside (CheckParent *parent)
{
  if (!enter_namespace (OTHER)) {
    check_tell (parent->out, REFUSED);
    return;
  }
  CHECK_INT (geteuid (), ==, OTHER);
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 5);
  check_tell (parent->out, 1);
  check_until_killed (parent);
}

static CheckChild
start_inside (void (*body) (CheckParent *parent))
{
  CheckChild child = check_fork (body, NULL);
  uint64_t word = check_hear (child.from);
  if (word == REFUSED) {
    check_join (&child);
    check_skip ("user namespaces may not be made here");
  }
  CHECK_INT (word, ==, 1);
  return child;
}

static void
count_channel (const char *channel, void *data)
{
  CHECK_STR (channel, "cam0");
  ++*(int *) data;
}

static void
expect_listed (int wanted)
{
  int n = 0;
  CHECK_OK (datahub_block_list (count_channel, &n, &err));
  CHECK_INT (n, ==, wanted);
}

static void
number_does_not_matter (void)
{
  CheckChild child = start_inside (produce_inside);
  DatahubProducer *second;
  DatahubBlockGlance glance;
  CHECK (strstr (check_find_file (".ctl"), "/datahub-4001-") != NULL);
  expect_listed (1);
  CHECK_OK (datahub_block_glance ("cam0", &glance, &err));
  CHECK (glance.producer_alive && !glance.foreign);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 5);
  /* it is one user, so there is one producer of the name */
  CHECK_RESULT (producer_try ("cam0", NULL, &second), DATAHUB_ERROR_BUSY);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK_INT (check_count_files (), >, 4);
  check_kill (&child);
  /* what it leaves is gone on with, under its own number */
  DatahubProducer *producer = producer_new ("cam0", NULL);
  CHECK (producer_stats (producer).adopted);
  commit_buffers (producer, 5, 2);
  expect_buffers (consumer, 5, 2);
  datahub_producer_close (producer);
  expect_outcome (consumer, DATAHUB_CLOSED);
  datahub_consumer_close (consumer);
  expect_listed (0);
}

static void
the_dead_of_another_number (void)
{
  CheckChild child = start_inside (produce_inside);
  DatahubProducerOptions options = small_options ();
  check_kill (&child);
  expect_listed (1);
  options.adopt = false;
  DatahubProducer *producer = producer_new ("cam0", &options);
  commit_buffers (producer, 0, 1);
  expect_listed (1);
  CHECK (strstr (check_find_file (".ctl"), "/datahub-4001-") == NULL);
  datahub_producer_close (producer);
  child = start_inside (produce_inside);
  check_kill (&child);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
  CHECK_INT (check_count_files (), ==, 0);
}

static void
consume_inside (CheckParent *parent)
{
  if (!enter_namespace (OTHER)) {
    check_tell (parent->out, REFUSED);
    return;
  }
  check_tell (parent->out, 1);
  check_hear (parent->in);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 3);
  datahub_consumer_close (consumer);
}

static void
outside_of_a_container (void)
{
  CheckChild child = start_inside (consume_inside);
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 3);
  check_tell (child.to, 1);
  check_join (&child);
  datahub_producer_close (producer);
  DatahubProducerOptions strict = strict_options (NULL);
  child = start_inside (consume_inside);
  producer = producer_new ("cam0", &strict);
  commit_buffers (producer, 0, 3);
  check_tell (child.to, 1);
  check_join (&child);
  datahub_producer_close (producer);
}

/* A watch knows the files of a name by any number. */
static void
watch_of_any_number (void)
{
  DatahubWatch *watch = datahub_watch_new ("cam0");
  CheckChild child = start_inside (produce_inside);
  check_keep_fds (CHECK_FDS_OF_WATCHES);
  int64_t start = (int64_t) check_now_ns ();
  while (consumer_try ("cam0") != DATAHUB_OK) {
    CHECK_OK (datahub_watch_wait (watch, SOON));
    CHECK ((int64_t) check_now_ns () - start < SOON);
  }
  datahub_watch_free (watch);
  check_kill (&child);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
}

/* ---- two users ---- */

static void
look_as_another (CheckParent *parent)
{
  const uint8_t *secret = parent->data;
  DatahubBlockInfo info;
  become (OTHER);
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_DENIED);
  CHECK_INT (err.sys_errno, !=, 0);
  CHECK_CONTAINS (err.message, "user 0 ");
  CHECK_CONTAINS (err.message, "4001");
  CHECK_CONTAINS (err.message, "strict=true");
  CHECK_CONTAINS (err.message, "broker=");
  CHECK_RESULT (datahub_block_inspect ("cam0", &info, &err),
      DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "user 0 ");
  expect_listed (0);
  if (!secret)
    return;
  CHECK_OK (strict_attach (NULL, secret));
  CHECK_RESULT (strict_attach (NULL, strict_other_secret),
      DATAHUB_ERROR_DENIED);
  CHECK_INT (err.sys_errno, ==, 0);
}

static void
see_as_another (const uint8_t *secret)
{
  CheckChild child = check_fork (look_as_another, secret);
  check_join (&child);
}

static void
another_user (void)
{
  need_root ();
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 1);
  see_as_another (NULL);
  datahub_producer_close (producer);
  /* its socket does not admit others */
  producer = strict_producer (strict_secret);
  see_as_another (NULL);
  datahub_producer_close (producer);
}

static void
admitted_by_a_ticket (void)
{
  DatahubProducerOptions options = strict_options (strict_secret);
  need_root ();
  options.mode = 0666;
  DatahubProducer *producer = producer_new ("cam0", &options);
  see_as_another (strict_secret);
  datahub_producer_close (producer);
  /* without a secret there is no ticket, and no other user comes in */
  options = strict_options (NULL);
  options.mode = 0666;
  producer = producer_new ("cam0", &options);
  see_as_another (NULL);
  datahub_producer_close (producer);
}

/* Without the client's own check: by what the server answers. */
static void
ask_as_another (CheckParent *parent)
{
  const char *uuid = parent->data;
  char name[128];
  int dir = os_open_directory (NULL);
  StrictHello hello = strict_request_greeting (uuid);
  become (OTHER);
  snprintf (name, sizeof name, "datahub-0-%s.sck", uuid);
  for (uint32_t kind = STRICT_CONSUME; kind <= STRICT_OBSERVE; kind++) {
    StrictRequest request = { .fd = os_connect (dir, name) };
    CHECK (request.fd >= 0);
    hello.kind = kind;
    os_send (request.fd, &hello, sizeof hello, NULL, 0);
    strict_request_hear (&request);
    CHECK_INT (request.answer.status, ==, STRICT_REFUSED_NO_TICKET);
    CHECK_INT (request.n_fds, ==, 0);
    strict_request_leave (&request);
  }
  close (dir);
}

static void
server_wants_a_ticket (void)
{
  DatahubProducerOptions options = strict_options (NULL);
  need_root ();
  options.mode = 0666;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CheckChild child =
      check_fork (ask_as_another, datahub_producer_get_uuid (producer));
  check_join (&child);
  datahub_producer_close (producer);
}

/* Others cannot write to what they may read. */
static void
write_as_another (CheckParent *parent)
{
  const char *file = parent->data;
  become (OTHER);
  CHECK_INT (open (file, O_RDWR | O_CLOEXEC), ==, -1);
  CHECK_INT (errno, ==, EACCES);
  CHECK_INT (truncate (file, 0), ==, -1);
  int fd = open (file, O_RDONLY | O_CLOEXEC);
  CHECK (fd >= 0);
  close (fd);
}

static void
lock_file_is_read_only (void)
{
  DatahubProducerOptions options = strict_options (NULL);
  need_root ();
  options.mode = 0666;
  DatahubProducer *producer = producer_new ("cam0", &options);
  CheckChild child = check_fork (write_as_another, check_find_file (".lck"));
  check_join (&child);
  datahub_producer_close (producer);
}

/* Each user has a block of a name of its own. */
static void
produce_too (CheckParent *parent)
{
  become (OTHER);
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 10, 2);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 10, 2);
  datahub_consumer_close (consumer);
  expect_listed (1);
  datahub_producer_close (producer);
}

static void
names_of_users_are_apart (void)
{
  need_root ();
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_buffers (producer, 0, 2);
  CheckChild child = check_fork (produce_too, NULL);
  check_join (&child);
  DatahubConsumer *consumer = consumer_new ("cam0", true, DATAHUB_START_OLDEST);
  expect_buffers (consumer, 0, 2);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* ---- a taken name ---- */

static void
own_entry (char path[256])
{
  snprintf (path, 256, "%s/datahub-%u-cam0", check_directory (),
      (unsigned) geteuid ());
}

static void
expect_taken (const char *word)
{
  DatahubProducer *producer;
  DatahubBlockInfo info;
  CHECK_RESULT (consumer_try ("cam0"), DATAHUB_ERROR_DENIED);
  CHECK_INT (err.sys_errno, !=, 0);
  CHECK_CONTAINS (err.message, word);
  CHECK_RESULT (datahub_block_inspect ("cam0", &info, &err),
      DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, word);
  CHECK_RESULT (producer_try ("cam0", NULL, &producer), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, word);
}

static void
taken_by_no_plain_file (void)
{
  char path[256], word[64];
  own_entry (path);
  snprintf (word, sizeof word, "of user %u", (unsigned) geteuid ());
  for (OtherFile kind = 0; kind < N_OTHER_FILES; kind++) {
    int number = other_file_make (kind, path);
    if (number == EPERM && geteuid () != 0)
      continue; /* a device */
    CHECK_INT (number, ==, 0);
    expect_taken (word);
    CHECK (remove (path) == 0);
  }
  datahub_producer_close (producer_new ("cam0", NULL));
}

static void
taken_by_another_user (void)
{
  char path[256];
  need_root ();
  own_entry (path);
  int fd = open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  CHECK (fd >= 0 && fchown (fd, THIRD, THIRD) == 0);
  close (fd);
  expect_taken ("of user 4002");
  CHECK (unlink (path) == 0);
}

static const CheckTest tests[] = {
  { "a block of the own user is found under any number",
      number_does_not_matter },
  { "a dead block under another number is replaced, and reclaimed",
      the_dead_of_another_number },
  { "a consumer in a user namespace reads a block outside",
      outside_of_a_container },
  { "a watch notices a block under another number", watch_of_any_number },
  { "the block of another user is refused, with its owner and what to set",
      another_user },
  { "another user comes in with a ticket only", admitted_by_a_ticket },
  { "the server of a strict block asks another user for a ticket",
      server_wants_a_ticket },
  { "another user cannot write to the lock file of a strict block",
      lock_file_is_read_only },
  { "two users have a block of the same name each", names_of_users_are_apart },
  { "a name is taken by what is no file", taken_by_no_plain_file },
  { "a name is taken by another user's file", taken_by_another_user },
};
CHECK_MAIN (tests)
