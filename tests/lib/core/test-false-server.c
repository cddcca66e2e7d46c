/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever answers at the server of a strict block may be anybody: what it hands
 * over is checked. */
#include "strict.h"

#include "core/block/strict-protocol-private.h"
#include "core/producer/producer-private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whoever answers at the server may be anybody: what it hands over is checked. */
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
  LIE_CTL_OF_ANOTHER_USER, /* only root can make one */
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
} FalseServer;

static int
unsealed_copy (int fd)
{
  uint64_t size;
  uint32_t owner;
  CHECK (os_file_size (fd, &size, &owner));
  uint8_t *bytes = malloc (size);
  int copy = os_create_memory (&size, 0600, "copy", NULL);
  CHECK (bytes != NULL && copy >= 0);
  CHECK (os_read_all (fd, bytes, size) && os_write_all (copy, bytes, size));
  free (bytes);
  return copy;
}

static int
copy_of_another_user (int fd)
{
  int copy = unsealed_copy (fd);
  CHECK (os_seal (copy, false));
  CHECK (fchown (copy, geteuid () + 4001, (gid_t) -1) == 0);
  return copy;
}

static int
sealed_memory (uint64_t size)
{
  int fd = os_create_memory (&size, 0600, "memory", NULL);
  CHECK (fd >= 0 && os_seal (fd, false));
  return fd;
}

/* A true answer, but for one thing. */
static void
answer_falsely (const FalseServer *server, int client)
{
  DatahubProducer *producer = server->producer;
  Pool *small = producer->pools.newest[POOL_SMALL];
  Pool *payload = producer->pools.newest[POOL_PAYLOAD];
  RowAccess grant;
  CHECK_INT (strict_give_row (producer, 0, &grant), ==, STRICT_GRANTED);
  StrictAnswer answer = { .magic = STRICT_MAGIC,
    .version = STRICT_VERSION,
    .status = STRICT_GRANTED,
    .row = grant.row,
    .quota = grant.quota,
    .n_pools = 2,
    .gens = { small->shape.gen, payload->shape.gen } };
  int fds[8] = { producer->backing.ctl_fd, producer->backing.con_fd,
    grant.row_fd, grant.token_fd, small->fd, payload->fd,
    producer->backing.ctl_fd };
  uint8_t bytes[sizeof answer + 8] = { 0 };
  size_t size = sizeof answer;
  uint32_t n_fds = 6;
  int made = -1, pipe_fds[2] = { -1, -1 };
  memcpy (answer.uuid, producer->block.uuid.bytes, sizeof answer.uuid);
  switch (server->lie) {
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
      answer.status = STRICT_SHOWN;
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
      fds[STRICT_FDS_CTL] = producer->backing.con_fd;
      break;
    case LIE_CTL_UNSEALED:
      made = fds[STRICT_FDS_CTL] = unsealed_copy (producer->backing.ctl_fd);
      break;
    case LIE_CTL_OF_ANOTHER_USER:
      made = fds[STRICT_FDS_CTL] =
          copy_of_another_user (producer->backing.ctl_fd);
      break;
    case LIE_CON_UNSEALED:
      made = fds[STRICT_FDS_CON] = unsealed_copy (producer->backing.con_fd);
      break;
    case LIE_ROW_UNSEALED:
      made = fds[STRICT_FDS_ROW] = unsealed_copy (grant.row_fd);
      break;
    case LIE_ROW_TOO_SHORT:
      made = fds[STRICT_FDS_ROW] = sealed_memory (64);
      break;
    case LIE_CTL_A_PIPE:
      CHECK (pipe (pipe_fds) == 0);
      fds[STRICT_FDS_CTL] = pipe_fds[0];
      break;
    case LIE_POOL_UNSEALED:
      made = fds[STRICT_FDS_POOLS + 1] = unsealed_copy (payload->fd);
      break;
    case LIE_POOL_OTHER_GEN:
      fds[STRICT_FDS_POOLS + 1] = small->fd;
      break;
    default:
      break;
  }
  memcpy (bytes, &answer, sizeof answer);
  CHECK (os_send (client, bytes, size, fds, n_fds));
  strict_end_access (&grant);
  for (int i = 0; i < 2; i++)
    if (pipe_fds[i] >= 0)
      close (pipe_fds[i]);
  if (made >= 0)
    close (made);
}

static void *
false_server (void *data)
{
  const FalseServer *server = data;
  StrictHello hello;
  int client;
  CHECK (os_wait_readable (server->listener, -1, SOON));
  client = os_accept (server->listener);
  CHECK (client >= 0 && os_wait_readable (client, -1, SOON));
  CHECK_INT (os_receive (client, &hello, sizeof hello, NULL, NULL), ==,
      sizeof hello);
  if (server->lie != LIE_SILENCE)
    answer_falsely (server, client);
  /* until the client hangs up */
  os_wait_readable (client, -1, SOON);
  close (client);
  return NULL;
}

static void
false_servers (void)
{
  DatahubProducer *producer = strict_producer (NULL);
  commit_buffers (producer, 0, 4);
  strict_server_close (producer->backing.server);
  unlink (check_find_file (".sck"));
  FalseServer server = { .producer = producer,
    .listener = os_listen (producer->block.dir,
        name_part (os_user (), &producer->block.uuid, "sck").text, 0600) };
  CHECK (server.listener >= 0);
  uint32_t fds = check_count_fds ();
  for (int lie = 0; lie < N_LIES; lie++) {
    DatahubConsumerOptions options;
    DatahubConsumer *consumer = NULL;
    DatahubView view;
    if (lie == LIE_CTL_OF_ANOTHER_USER && geteuid () != 0) {
      check_note ("memory of another user was left out: it needs root");
      continue;
    }
    datahub_consumer_options_init (&options);
    options.start = DATAHUB_START_OLDEST;
    options.timeout_ns = lie == LIE_SILENCE ? 50 * CHECK_MS : SOON;
    server.lie = (Lie) lie;
    CheckThread *thread = check_thread (false_server, &server);
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
    reaper_run (&producer->reaper, 0);
    if (check_count_fds () > fds)
      check_fail (__FILE__, __LINE__, "lie %d left descriptors behind", lie);
  }
  close (server.listener);
  datahub_producer_close (producer);
}

static const CheckTest tests[] = {
  { "what a false producer hands over is refused", false_servers },
};
CHECK_MAIN (tests)
