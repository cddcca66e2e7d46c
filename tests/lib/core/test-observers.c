/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Observers of a strict block that do not read what they are sent. The kernel limits
 * the descriptors in flight of a user, by the limit of open files of the process that
 * sends, if it is not privileged. */
#include "strict.h"
#include "strict-requests.h"

#include "core/producer/strict-server-private.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of open files of the process that has the producer. */
#define LIMIT 96
/* More than LIMIT with the descriptors that each one is sent. */
#define OBSERVERS 100u
#define IN_FLIGHT (LIMIT + 8)
/* Of a child, in its parent. */
#define CHILD_FDS 2
/* Of a consumer, in its producer: its connection and its row. */
#define CONSUMER_FDS 2

/* The limit is of all processes of a user: another run of this program must not count
 * here. */
static void
be_a_user_of_its_own (void)
{
  uid_t user = 200000 + (uid_t) getppid () % 100000;
  const char *directory = getenv ("DATAHUB_SHM_DIR");
  if (geteuid () != 0 || !directory || chown (directory, user, (gid_t) -1) != 0)
    return;
  if (setresuid (user, user, user) != 0)
    CHECK (chown (directory, 0, (gid_t) -1) == 0);
  /* for /proc/self */
  CHECK (prctl (PR_SET_DUMPABLE, 1) == 0);
}

/* Without the privileges that lift the limit. */
static void
be_ordinary (void)
{
  struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct caps[2];
  be_a_user_of_its_own ();
  CHECK (syscall (SYS_capget, &header, caps) == 0);
  caps[0].effective &= ~(1u << CAP_SYS_RESOURCE | 1u << CAP_SYS_ADMIN);
  CHECK (syscall (SYS_capset, &header, caps) == 0);
}

static DatahubProducer *
limited_producer (const uint8_t *secret)
{
  struct rlimit limit;
  be_ordinary ();
  CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = LIMIT;
  CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
  return strict_producer (secret);
}

static void
be_unlimited (void)
{
  struct rlimit limit;
  CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
}

typedef enum
{
  SILENT,
  SHUTS_BOTH_WAYS, /* and stays */
  GREETS_AGAIN,
  GREETS_BY_HALVES, /* and is refused */
  N_MANNERS
} Manners;

static int
observe (const char *uuid, Manners manners)
{
  StrictHello hello = strict_request_greeting (uuid);
  int fd;
  hello.kind = STRICT_OBSERVE;
  do
    fd = strict_request_knock (uuid);
  while (fd < 0 && errno == EAGAIN);
  CHECK (fd >= 0);
  /* the server can have hung up: it has a limit */
  os_send (fd, &hello,
      manners == GREETS_BY_HALVES ? sizeof hello / 2 : sizeof hello, NULL, 0);
  if (manners == GREETS_AGAIN)
    os_send (fd, &hello, sizeof hello, NULL, 0);
  if (manners == SHUTS_BOTH_WAYS && os_wait_readable (fd, -1, SOON))
    shutdown (fd, SHUT_RDWR);
  return fd;
}

static void
observe_and_stay (CheckParent *parent)
{
  be_unlimited ();
  for (uint32_t i = 0; i < OBSERVERS; i++)
    observe (parent->data, (Manners) (i % N_MANNERS));
  check_ready (parent);
  check_hear (parent->in);
}

static void
observers_that_do_not_read (void)
{
  DatahubProducer *producer = limited_producer (NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  DatahubBlockInfo info;
  uint32_t fds = check_count_fds ();
  CheckChild child = check_fork_ready (observe_and_stay, uuid);
  CHECK_OK (strict_attach (NULL, NULL));
  /* each of those that may stay has its descriptor here, and others have none */
  CHECK_UNTIL (check_count_fds () <= fds + CHILD_FDS + MAX_UNREAD);
  CHECK_OK (strict_attach (NULL, NULL));
  /* it waits 100 ms for an answer, so a busy machine can be late */
  CHECK_UNTIL (datahub_block_inspect ("cam0", &info, &err) == DATAHUB_TIMEOUT
      && strstr (err.message, "do not read"));
  check_tell (child.to, 1);
  check_join (&child);
  CHECK_UNTIL (check_count_fds () <= fds);
  CHECK_UNTIL (datahub_block_inspect ("cam0", &info, &err) == DATAHUB_OK);
  datahub_producer_close (producer);
}

static void
observe_and_stop (CheckParent *parent)
{
  for (uint32_t i = 0; i < MAX_UNREAD; i++)
    observe (parent->data, SILENT);
  check_ready (parent);
  check_until_killed (parent);
}

/* What is in flight to a process that stands still is back when it is killed. */
static void
stopped_observers (void)
{
  DatahubProducer *producer = limited_producer (NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  DatahubBlockInfo info;
  CheckChild child = check_fork_ready (observe_and_stop, uuid);
  check_stop (&child);
  CHECK_RESULT (datahub_block_inspect ("cam0", &info, &err), DATAHUB_TIMEOUT);
  CHECK_OK (strict_attach (NULL, NULL));
  check_kill (&child);
  CHECK_UNTIL (datahub_block_inspect ("cam0", &info, &err) == DATAHUB_OK);
  datahub_producer_close (producer);
}

/* Each is bigger than the one before, so it needs a pool of its own. */
static uint64_t
size_of_buffer (uint64_t number)
{
  return UINT64_C (4096) << number;
}

static void
publish_and_grow (CheckParent *parent)
{
  DatahubProducer *producer = strict_producer (NULL);
  uint64_t number;
  Uuid uuid;
  CHECK (uuid_from_text (datahub_producer_get_uuid (producer), &uuid));
  commit_buffer (producer, 0, size_of_buffer (0));
  check_ready (parent);
  for (uint32_t i = 0; i < sizeof uuid.bytes; i++)
    check_tell (parent->out, uuid.bytes[i]);
  while ((number = check_hear (parent->in)) != 0) {
    commit_buffer (producer, number, size_of_buffer (number));
    check_tell (parent->out, number);
  }
  datahub_producer_close (producer);
}

static CheckChild
fork_producer (char uuid_text[DATAHUB_UUID_TEXT])
{
  CheckChild child = check_fork_ready (publish_and_grow, NULL);
  Uuid uuid;
  for (uint32_t i = 0; i < sizeof uuid.bytes; i++)
    uuid.bytes[i] = (uint8_t) check_hear (child.from);
  uuid_to_text (&uuid, uuid_text);
  return child;
}

/* One that has its answer and has not read it. */
static StrictRequest
unread_observer (const char *uuid)
{
  StrictRequest request = { .fd = observe (uuid, SILENT) };
  CHECK (os_wait_readable (request.fd, -1, SOON));
  return request;
}

static void
read_and_leave (StrictRequest *observer, StrictStatus wanted)
{
  strict_request_hear (observer);
  CHECK_INT (observer->answer.status, ==, wanted);
  strict_request_leave (observer);
}

/* The producer stands still meanwhile, so it finds both at once. */
static int
read_while_one_connects (const CheckChild *producer, const char *uuid)
{
  StrictRequest reader = unread_observer (uuid);
  check_stop (producer);
  read_and_leave (&reader, STRICT_SHOWN);
  int fd = observe (uuid, SILENT);
  check_continue (producer);
  return fd;
}

static void
limit_of_unread_answers (void)
{
  char uuid[DATAHUB_UUID_TEXT];
  CheckChild producer = fork_producer (uuid);
  StrictRequest observers[MAX_UNREAD];
  for (uint32_t i = 0; i < MAX_UNREAD; i++) {
    observers[i].fd = read_while_one_connects (&producer, uuid);
    CHECK (os_wait_readable (observers[i].fd, -1, SOON));
  }
  StrictRequest next = unread_observer (uuid);
  read_and_leave (&next, STRICT_REFUSED_BUSY);
  for (uint32_t i = 0; i < MAX_UNREAD; i++)
    read_and_leave (&observers[i], STRICT_SHOWN);
  check_tell (producer.to, 0);
  check_join (&producer);
}

/* The consumer has the entry between those of the two observers. */
static void
observer_that_closes_at_once (void)
{
  char uuid[DATAHUB_UUID_TEXT];
  CheckChild producer = fork_producer (uuid);
  uint32_t fds = check_count_fds_of (producer.pid);
  /* each buffer keeps its pool */
  for (uint64_t number = 1; number < 4; number++) {
    StrictRequest reader = unread_observer (uuid);
    DatahubConsumer *consumer =
        consumer_new ("cam0", false, DATAHUB_START_OLDEST);
    check_stop (&producer);
    read_and_leave (&reader, STRICT_SHOWN);
    close (observe (uuid, SILENT));
    check_continue (&producer);
    CHECK_UNTIL (check_count_fds_of (producer.pid)
        == fds + CONSUMER_FDS + number - 1);
    check_tell (producer.to, number);
    CHECK_HEAR (producer.from, number);
    for (uint64_t n = 0; n <= number; n++)
      expect_buffer (consumer, n, size_of_buffer (n));
    datahub_consumer_close (consumer);
    CHECK_UNTIL (check_count_fds_of (producer.pid) == fds + number);
  }
  check_tell (producer.to, 0);
  check_join (&producer);
}

/* What a process that stood still finds at once: the first consumer hangs up, the one
 * that has not greeted yet gets its row, and the last observer ends its connection
 * without a read. */
static bool
rows_change_hands (const char *uuid, const CheckChild *producer,
    StrictRequest *observers)
{
  StrictHello hello = strict_request_greeting (uuid);
  StrictRequest first = strict_request_call (uuid, &hello, sizeof hello);
  StrictRequest next = { .fd = strict_request_knock (uuid) };
  CHECK (next.fd >= 0);
  for (uint32_t i = 0; i < MAX_UNREAD; i++)
    observers[i] = unread_observer (uuid);
  check_stop (producer);
  shutdown (observers[MAX_UNREAD - 1].fd, SHUT_RDWR);
  strict_request_leave (&first);
  /* it can have been too late for the producer */
  os_send (next.fd, &hello, sizeof hello, NULL, 0);
  check_continue (producer);
  strict_request_hear (&next);
  if (next.answer.status != UINT32_MAX)
    CHECK_INT (next.answer.row, ==, first.answer.row);
  strict_request_leave (&next);
  return next.answer.status == STRICT_GRANTED;
}

static void
entry_that_was_moved (void)
{
  bool was_in_time = false;
  while (!was_in_time) {
    char uuid[DATAHUB_UUID_TEXT];
    CheckChild producer = fork_producer (uuid);
    StrictRequest observers[MAX_UNREAD];
    was_in_time = rows_change_hands (uuid, &producer, observers);
    StrictRequest more = unread_observer (uuid);
    read_and_leave (&more, STRICT_REFUSED_BUSY);
    for (uint32_t i = 0; i < MAX_UNREAD; i++)
      strict_request_leave (&observers[i]);
    check_tell (producer.to, 0);
    check_join (&producer);
  }
}

/* Of the user, not of a server of ours. */
static void
fill_the_kernel (CheckParent *parent)
{
  int pair[2];
  be_unlimited ();
  CHECK (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
  for (int i = 0; i < IN_FLIGHT; i++)
    CHECK (os_send (pair[0], "", 1, &(int){ 0 }, 1));
  check_ready (parent);
  check_hear (parent->in);
}

static void *
attach_with (void *ticket)
{
  static _Thread_local DatahubResult result;
  result = strict_attach (ticket, NULL);
  return result == DATAHUB_OK ? ticket : NULL;
}

static DatahubResult
attach_within (int64_t timeout_ns, const uint8_t *ticket)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.ticket = ticket;
  options.timeout_ns = timeout_ns;
  DatahubResult result =
      datahub_consumer_attach ("cam0", &options, &consumer, &err);
  if (result == DATAHUB_OK)
    datahub_consumer_close (consumer);
  return result;
}

/* A shortage is a reason to try again, with the same ticket. */
static void
shortage_passes (void)
{
  DatahubProducer *producer = limited_producer (strict_secret);
  const char *uuid = datahub_producer_get_uuid (producer);
  uint8_t ticket[DATAHUB_TICKET_SIZE];
  CheckChild child = check_fork_ready (fill_the_kernel, NULL);
  CHECK_OK (datahub_ticket_make (strict_secret, uuid, NULL, 60 * CHECK_S,
      ticket, &err));
  CHECK_RESULT (attach_within (check_scaled_ns (2 * CHECK_S), ticket),
      DATAHUB_TIMEOUT);
  CHECK_CONTAINS (err.message, "no file descriptors or memory left");
  CheckThread *thread = check_thread (attach_with, ticket);
  check_until_asleep (thread);
  check_tell (child.to, 1);
  check_join (&child);
  CHECK (check_thread_join (thread) == ticket);
  /* it was used once now */
  CHECK_RESULT (attach_within (SOON, ticket), DATAHUB_ERROR_DENIED);
  CHECK_CONTAINS (err.message, "before");
  datahub_producer_close (producer);
}

static void
attach_with_few (CheckParent *parent)
{
  uint32_t open = check_count_fds ();
  uint32_t n_refused = 0;
  for (uint32_t spare = 1; spare < 16; spare++) {
    struct rlimit limit;
    CHECK (getrlimit (RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = open + spare;
    CHECK (setrlimit (RLIMIT_NOFILE, &limit) == 0);
    DatahubResult result = attach_within (SOON, NULL);
    CHECK (result == DATAHUB_OK || result == DATAHUB_ERROR_SYSTEM);
    n_refused += result != DATAHUB_OK;
  }
  CHECK_INT (n_refused, >, 0);
  check_ready (parent);
}

/* A message that this process has no descriptors for is no fault of the producer. */
static void
short_of_descriptors (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  CheckChild child = check_fork_ready (attach_with_few, NULL);
  check_join (&child);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "observers that do not read keep no consumer out, whatever they do",
      observers_that_do_not_read },
  { "an observer that was killed while it stood still makes room",
      stopped_observers },
  { "the limit of unread answers holds while others are read",
      limit_of_unread_answers },
  { "an observer that closes at once takes nothing from a consumer",
      observer_that_closes_at_once },
  { "an observer is not taken for the consumer that had its entry",
      entry_that_was_moved },
  { "a shortage of the producer is retried until the timeout, with one ticket",
      shortage_passes },
  { "a consumer without descriptors gets an error of its own",
      short_of_descriptors },
};
CHECK_MAIN (tests)
