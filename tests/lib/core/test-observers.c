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
  CHECK_RESULT (datahub_block_inspect ("cam0", &info, &err), DATAHUB_TIMEOUT);
  CHECK_CONTAINS (err.message, "do not read");
  check_tell (child.to, 1);
  check_join (&child);
  CHECK_UNTIL (check_count_fds () <= fds);
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
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
  CHECK_OK (datahub_block_inspect ("cam0", &info, &err));
  datahub_producer_close (producer);
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
attach_shortly (const uint8_t *ticket)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.ticket = ticket;
  options.timeout_ns = 300 * CHECK_MS;
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
  CHECK_RESULT (attach_shortly (ticket), DATAHUB_TIMEOUT);
  CHECK_CONTAINS (err.message, "no file descriptors or memory left");
  CheckThread *thread = check_thread (attach_with, ticket);
  check_until_asleep (thread);
  check_tell (child.to, 1);
  check_join (&child);
  CHECK (check_thread_join (thread) == ticket);
  /* it was used once now */
  CHECK_RESULT (attach_shortly (ticket), DATAHUB_ERROR_DENIED);
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
    DatahubResult result = attach_shortly (NULL);
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
  { "a shortage of the producer is retried until the timeout, with one ticket",
      shortage_passes },
  { "a consumer without descriptors gets an error of its own",
      short_of_descriptors },
};
CHECK_MAIN (tests)
