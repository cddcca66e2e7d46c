/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server of a strict block and those who stand before it: who greets badly,
 * says nothing, floods it or is another user, and who asks a server that sleeps. */
#include "life.h"
#include "strict.h"
#include "strict-requests.h"

#include "core/producer/producer-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
bad_greetings (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  const StrictHello good = strict_request_greeting (uuid);
  StrictHello hello = good;
  uint8_t big[sizeof hello + 1] = { 0 };
  CHECK_INT (strict_request_status (uuid, &hello, 1), ==,
      STRICT_REFUSED_MALFORMED);
  CHECK_INT (strict_request_status (uuid, &hello, sizeof hello - 1), ==,
      STRICT_REFUSED_MALFORMED);
  memcpy (big, &hello, sizeof hello);
  CHECK_INT (strict_request_status (uuid, big, sizeof big), ==,
      STRICT_REFUSED_MALFORMED);
  hello.magic ^= 1;
  CHECK_INT (strict_request_status (uuid, &hello, sizeof hello), ==,
      STRICT_REFUSED_MALFORMED);
  hello = good;
  hello.version++;
  CHECK_INT (strict_request_status (uuid, &hello, sizeof hello), ==,
      STRICT_REFUSED_VERSION);
  hello = good;
  hello.kind = 3;
  CHECK_INT (strict_request_status (uuid, &hello, sizeof hello), ==,
      STRICT_REFUSED_MALFORMED);
  hello = good;
  hello.reserved[5] = 1;
  CHECK_INT (strict_request_status (uuid, &hello, sizeof hello), ==,
      STRICT_REFUSED_MALFORMED);
  hello = good;
  hello.uuid[0] ^= 1;
  CHECK_INT (strict_request_status (uuid, &hello, sizeof hello), ==,
      STRICT_REFUSED_OTHER_BLOCK);
  /* descriptors are not wanted, and not kept */
  uint32_t fds = check_count_fds ();
  StrictRequest request = { .fd = strict_request_knock (uuid) };
  int gifts[3] = { 0, 1, 2 };
  CHECK (os_send (request.fd, &good, sizeof good, gifts, 3));
  strict_request_hear (&request);
  CHECK_INT (request.answer.status, ==, STRICT_REFUSED_MALFORMED);
  strict_request_leave (&request);
  CHECK_OK (consumer_try ("cam0"));
  CHECK_UNTIL (check_count_fds () <= fds);
  datahub_producer_close (producer);
}

/* Who speaks after it was let in is sent away, and keeps its row. */
static void
talkers (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  const char *uuid = datahub_producer_get_uuid (producer);
  StrictHello hello = strict_request_greeting (uuid);
  StrictRequest request = strict_request_call (uuid, &hello, sizeof hello);
  uint8_t byte;
  CHECK_INT (request.answer.status, ==, STRICT_GRANTED);
  CHECK (os_send (request.fd, &hello, sizeof hello, NULL, 0));
  CHECK (os_wait_readable (request.fd, -1, SOON));
  CHECK_INT (os_receive (request.fd, &byte, 1, NULL, NULL), <=, 0);
  CHECK_INT (reaper_run (&producer->reaper, 0), ==, 0);
  pthread_mutex_lock (&producer->reaper.lock);
  CHECK (producer->reaper.rows[request.answer.row].granted);
  pthread_mutex_unlock (&producer->reaper.lock);
  strict_request_leave (&request);
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
    int fd = strict_request_knock (uuid);
    if (fd < 0)
      continue;
    memset (noise, (int) n, sizeof noise);
    if (n % 2) /* the others say nothing at all */
      os_send (fd, noise, n % 300 + 1, NULL, 0);
    if (n >= 200)
      close (open_fds[n % 200]);
    open_fds[n++ % 200] = fd;
    if (n == 400 && !told) {
      check_ready (parent);
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
  DatahubProducer *producer = strict_producer (strict_secret);
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
    options.secret = strict_secret;
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
  StrictRequest request = {
    .fd = strict_request_knock (datahub_producer_get_uuid (producer))
  };
  uint64_t start = check_now_ns ();
  CHECK (request.fd >= 0);
  strict_request_hear (&request);
  CHECK_INT (request.answer.status, ==, UINT32_MAX);
  CHECK_INT (check_now_ns () - start, >=, CHECK_S / 2);
  strict_request_leave (&request);
  datahub_producer_close (producer);
}

static void
as_nobody (CheckParent *parent)
{
  const char *uuid = parent->data;
  char name[128];
  int dir = os_open_directory (NULL), fd;
  StrictHello hello = strict_request_greeting (uuid);
  snprintf (name, sizeof name, "datahub-0-%s.sck", uuid);
  if (setresgid (65534, 65534, 65534) != 0
      || setresuid (65534, 65534, 65534) != 0)
    _exit (77);
  /* by the permissions of the socket */
  CHECK_INT (os_connect (dir, name), ==, -1);
  CHECK_INT (errno, ==, EACCES);
  check_ready (parent);
  check_hear (parent->in);
  /* somebody opened them: by the kernel's word of who it is */
  StrictRequest request = { .fd = fd = os_connect (dir, name) };
  CHECK (fd >= 0);
  os_send (fd, &hello, sizeof hello, NULL, 0);
  strict_request_hear (&request);
  CHECK_INT (request.answer.status, ==, STRICT_REFUSED_USER);
  CHECK_INT (request.n_fds, ==, 0);
  strict_request_leave (&request);
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
      check_fork_ready (as_nobody, datahub_producer_get_uuid (producer));
  CHECK (chmod (check_find_file (".sck"), 0777) == 0);
  check_tell (child.to, 1);
  check_join (&child);
  datahub_producer_close (producer);
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
  Life life = { .options = strict_options (NULL) };
  CheckChild child = start_life (&life);
  check_stop (&child);
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  datahub_consumer_options_init (&options);
  options.timeout_ns = 50 * CHECK_MS;
  CHECK_RESULT (datahub_consumer_attach ("cam0", &options, &consumer, &err),
      DATAHUB_TIMEOUT);
  CHECK_CONTAINS (err.message, "does not answer");
  Attach attach = { .watch = datahub_watch_new ("cam0") };
  check_keep_fds (CHECK_FDS_OF_WATCHES);
  CheckThread *thread = check_thread (attach_in_thread, &attach);
  check_until_asleep (thread);
  datahub_watch_set_interrupted (attach.watch, true);
  check_thread_join (thread);
  CHECK_INT (attach.result, ==, DATAHUB_INTERRUPTED);
  datahub_watch_free (attach.watch);
  check_continue (&child);
  CHECK_OK (consumer_try ("cam0"));
  check_kill (&child);
  CHECK_OK (datahub_block_reclaim (false, NULL, NULL, &err));
}

static const CheckTest tests[] = {
  { "bad greetings are refused, each as such", bad_greetings },
  { "a client that talks loses its connection, not its row", talkers },
  { "a flood at the server keeps nobody out and the producer going", flooded },
  { "who says nothing is sent away", silent_is_sent_away },
  { "another user is refused, by permissions and by the kernel's word",
      another_user },
  { "an attach to a stopped producer ends in time, and by an interrupt",
      stopped_producer },
};
CHECK_MAIN (tests)
