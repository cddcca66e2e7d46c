/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client side of strict blocks: asks the producer's server for access and
 * checks all that it sends. A consumer of a strict block can read ctl and the
 * pools, and write con and its own row, and maps nothing of other consumers.
 * Tests: core-strict, core-false-server, core-connections */
#include "strict-protocol-private.h"
#include "entry-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_NS (2 * NS_PER_S)
/* Between two tries at a busy server, and between two looks at an interrupt. */
#define RETRY_NS (5 * NS_PER_MS)
/* The same where the producer is short of something: a try costs it a row. */
#define SHORTAGE_RETRY_NS (20 * NS_PER_MS)
/* A wait for an answer looks at the interrupt at least this often. */
#define LOOK_SLICE_NS NS_PER_S
/* A pool that the table names was sent before, unless the server was short of
 * descriptors. */
#define POOL_PATIENCE_NS NS_PER_S
#define POOL_SLICE_NS (10 * NS_PER_MS)

typedef struct
{
  union
  {
    StrictAnswer answer;
    StrictShown shown;
  };
  int fds[OS_FDS_MAX];
  uint32_t n_fds;
} Message;

static void
drop_fds (Message *message)
{
  for (uint32_t i = 0; i < message->n_fds; i++)
    if (message->fds[i] >= 0)
      close (message->fds[i]);
  message->n_fds = 0;
}

static DatahubResult
fail_gone (const Block *block, DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_NOT_FOUND, 0,
      "The DataBlock \"%s\" is strict, and its producer is gone.",
      block->channel);
}

static bool
is_of_block (const Block *block, const StrictAnswer *answer)
{
  return answer->magic == STRICT_MAGIC && answer->version == STRICT_VERSION
      && memcmp (answer->uuid, block->uuid.bytes, sizeof answer->uuid) == 0;
}

static size_t
size_of (const StrictAnswer *answer)
{
  uint32_t rows = answer->status == STRICT_SHOWN ? answer->n_rows : 0;
  return rows > MAX_ROWS ? 0 : sizeof *answer + rows * sizeof (StrictConsumer);
}

/* Receives one message of the server. False: errno is EAGAIN where there is none
 * yet. */
static bool
receive (const Block *block, int fd, Message *message)
{
  ssize_t n = os_receive (fd, &message->shown, sizeof message->shown,
      message->fds, &message->n_fds);
  if (n < 0 && errno == ECONNRESET) /* reported once, before older data */
    n = os_receive (fd, &message->shown, sizeof message->shown, message->fds,
        &message->n_fds);
  if (n <= 0)
    message->n_fds = 0;
  if (n < 0)
    return false;
  if (n >= (ssize_t) sizeof message->answer
      && is_of_block (block, &message->answer)
      && (size_t) n == size_of (&message->answer))
    return true;
  drop_fds (message);
  errno = n == 0 ? EPIPE : EPROTO;
  return false;
}

static DatahubResult
fill_hello (const Block *block, BlockAccess access,
    const AccessRequest *request, StrictHello *hello, DatahubError *error)
{
  *hello = (StrictHello){ .magic = STRICT_MAGIC,
    .version = STRICT_VERSION,
    .kind = access == ACCESS_OBSERVE ? STRICT_OBSERVE : STRICT_CONSUME,
    .max_pinned = request->max_pinned,
    .has_ticket = request->ticket || request->secret };
  memcpy (hello->uuid, block->uuid.bytes, sizeof hello->uuid);
  if (request->ticket)
    memcpy (&hello->ticket, request->ticket, sizeof hello->ticket);
  else if (request->secret)
    return datahub_ticket_make (request->secret, block->uuid_text, NULL, 0,
        (uint8_t *) &hello->ticket, error);
  return DATAHUB_OK;
}

static bool
is_cancelled (const AccessRequest *request)
{
  return request->watch && watch_is_interrupted (request->watch);
}

/* Waits for the answer, till @end (< 0: no end) or an interrupt. */
static bool
wait_answer (const Block *block, int fd, const AccessRequest *request,
    int64_t end, Message *message)
{
  int other = request->watch ? watch_interrupt_fd (request->watch) : -1;
  for (;;) {
    int64_t left = end < 0 ? LOOK_SLICE_NS : end - os_now ();
    if (receive (block, fd, message))
      return true;
    if (errno != EAGAIN)
      return false;
    if (left <= 0 || is_cancelled (request))
      return errno = ETIMEDOUT, false;
    os_wait_readable (fd, other, left < LOOK_SLICE_NS ? left : LOOK_SLICE_NS);
  }
}

/* Too much at once, or a shortage: both can be over at the next try. */
static bool
is_for_now (StrictStatus status)
{
  return status == STRICT_REFUSED_BUSY || status == STRICT_REFUSED_SYSTEM;
}

/* One try. %DATAHUB_TIMEOUT: again; @obstacle is the status, if there was an answer. On
 * success @fd is the connection. */
static DatahubResult
ask_once (Block *block, const StrictHello *hello, const AccessRequest *request,
    int64_t end, int *fd, Message *message, StrictStatus *obstacle,
    DatahubError *error)
{
  FileName name = name_part (block->user, &block->uuid, STRICT_PART);
  *fd = os_connect (block->dir, name.text);
  if (*fd < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return DATAHUB_TIMEOUT;
    if (errno == ENOENT || errno == ECONNREFUSED)
      return fail_gone (block, error);
    if (errno == EACCES && block_is_foreign (block))
      return entry_fail_foreign (block->channel, block->owner, error);
    return result_fail (error,
        errno == EACCES ? DATAHUB_ERROR_DENIED : DATAHUB_ERROR_SYSTEM, errno,
        "The socket of the DataBlock \"%s\" cannot be reached: %s.",
        block->channel, os_reason (errno));
  }
  bool asked = os_send (*fd, hello, sizeof *hello, NULL, 0) || errno == EPIPE;
  STEP (CLIENT_ASKED);
  bool answered = asked && wait_answer (block, *fd, request, end, message);
  if (answered && !is_for_now (message->answer.status))
    return DATAHUB_OK;
  if (answered)
    *obstacle = message->answer.status;
  int number = answered ? EAGAIN : errno; /* not set on success */
  drop_fds (message);
  close (*fd);
  *fd = -1;
  if (number == EMFILE)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, EMFILE,
        "This process has no descriptors left for the memory of the DataBlock "
        "\"%s\": %s.",
        block->channel, os_reason (EMFILE));
  if (number == EPROTO)
    return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
        "The process that answers for the DataBlock \"%s\" does not follow the "
        "protocol of a producer.",
        block->channel);
  return DATAHUB_TIMEOUT;
}

static DatahubResult
ask (Block *block, BlockAccess access, const AccessRequest *request, int *fd,
    Message *message, DatahubError *error)
{
  StrictHello hello;
  int64_t end = os_end_of (request->timeout_ns > 0 ? request->timeout_ns
                                                   : DEFAULT_TIMEOUT_NS);
  StrictStatus obstacle = STRICT_GRANTED;
  for (;;) {
    /* anew: a ticket that is made here is good for less than some timeouts */
    DatahubResult result = fill_hello (block, access, request, &hello, error);
    if (result == DATAHUB_OK)
      result =
          ask_once (block, &hello, request, end, fd, message, &obstacle, error);
    if (result != DATAHUB_TIMEOUT)
      return result;
    if (is_cancelled (request))
      return result_fail (error, DATAHUB_INTERRUPTED, 0,
          "Attaching to the DataBlock \"%s\" was interrupted.", block->channel);
    if (!block_is_writer_alive (block))
      return fail_gone (block, error);
    if (end >= 0 && os_now () >= end)
      return strict_fail_late (block, obstacle, error);
    os_pause (obstacle == STRICT_REFUSED_SYSTEM ? SHORTAGE_RETRY_NS : RETRY_NS);
  }
}

static DatahubResult
fail_nonsense (const Block *block, DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_CORRUPT, 0,
      "The DataBlock \"%s\" is damaged: the files that its producer passed are "
      "not its memory, or are not sealed.",
      block->channel);
}

/* Plain memory of the block's owner with a sealed size. */
static bool
is_sound (const Block *block, int fd, uint64_t *size)
{
  uint32_t owner;
  return os_file_size (fd, size, &owner) && owner == block->owner
      && os_is_sealed (fd);
}

/* The oldest pool that is not in the table: it was removed. A pool that was
 * sent before its entry is newer than that. */
static uint32_t
least_useful (const Block *block)
{
  const Access *access = block->access;
  uint32_t found = 0;
  for (uint32_t i = 1; i < access->n_pools; i++)
    if (!block_names_pool (block, access->pools[i].gen)
        && (block_names_pool (block, access->pools[found].gen)
            || access->pools[i].gen < access->pools[found].gen))
      found = i;
  return found;
}

/* Twice as many as the table has: one of them can always go. Model:
 * OLDEST_GOES. */
static void
keep_pool (const Block *block, uint32_t gen, int fd)
{
  Access *access = block->access;
  if (access->n_pools == 2 * MAX_POOLS) {
    uint32_t i = least_useful (block);
    close (access->pools[i].fd);
    access->pools[i] = access->pools[--access->n_pools];
  }
  access->pools[access->n_pools].gen = gen;
  access->pools[access->n_pools++].fd = fd;
}

static void
keep_pools (const Block *block, Message *message, uint32_t first)
{
  for (uint32_t i = first; i < message->n_fds; i++) {
    keep_pool (block, message->answer.gens[i - first], message->fds[i]);
    message->fds[i] = -1;
  }
}

static DatahubResult
map_granted (Block *block, Message *message, DatahubError *error)
{
  const StrictAnswer *answer = &message->answer;
  Access *access = block->access;
  uint64_t ctl, con, row;
  DatahubResult result;
  if (answer->n_pools > MAX_POOLS
      || message->n_fds != STRICT_FDS_POOLS + answer->n_pools
      || !is_sound (block, message->fds[STRICT_FDS_CTL], &ctl)
      || !is_sound (block, message->fds[STRICT_FDS_CON], &con)
      || !is_sound (block, message->fds[STRICT_FDS_ROW], &row))
    return fail_nonsense (block, error);
  if (!os_register_lock_fd (message->fds[STRICT_FDS_TOKEN]))
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  access->token = message->fds[STRICT_FDS_TOKEN];
  message->fds[STRICT_FDS_TOKEN] = -1;
  result = block_map_control (block, message->fds[STRICT_FDS_CTL], ctl,
      message->fds[STRICT_FDS_CON], con, ACCESS_CONSUME, error);
  if (result != DATAHUB_OK)
    return result;
  if (answer->row >= block->g.max_rows || row != block->g.row_stride)
    return fail_nonsense (block, error);
  access->row = answer->row;
  access->quota =
      answer->quota < block->g.max_quota ? answer->quota : block->g.max_quota;
  access->row_map = os_map (message->fds[STRICT_FDS_ROW], row, true);
  if (!access->row_map)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The DataBlock \"%s\" cannot be mapped: %s.", block->channel,
        os_reason (errno));
  /* so that block_row() of row number `row`, and of no other, is in the
   * mapping */
  block->rows = access->row_map - (size_t) access->row * block->g.row_stride;
  keep_pools (block, message, STRICT_FDS_POOLS);
  return DATAHUB_OK;
}

/* Another process's words: names become harmless, as those in rows do. */
static void
keep_rows (Access *access, const StrictShown *shown)
{
  for (uint32_t i = 0; i < shown->answer.n_rows; i++) {
    const StrictConsumer *row = &shown->rows[i];
    DatahubConsumerInfo *info = &access->infos[access->n_infos];
    if (row->state == DATAHUB_CONSUMER_FREE
        || row->state > DATAHUB_CONSUMER_LEAVING || row->row >= MAX_ROWS)
      continue;
    *info = (DatahubConsumerInfo){ .row = row->row,
      .id = row->id,
      .state = (DatahubConsumerState) row->state,
      .alive = true,
      .reliable = row->reliable == 1,
      .pid = row->pid,
      .received = row->received,
      .lost = row->lost,
      .cursor = row->cursor,
      .pins = row->pins,
      .quota = row->quota,
      .expired = row->expired,
      .heartbeat_ns = row->heartbeat_ns,
      .latency_sum_ns = row->latency_sum_ns,
      .latency_count = row->latency_count };
    memcpy (info->name, row->name, sizeof info->name);
    row_clean_name (info->name);
    access->n_infos++;
  }
}

static DatahubResult
map_observer (Block *block, Message *message, DatahubError *error)
{
  uint64_t ctl;
  if (message->answer.n_pools > MAX_POOLS
      || message->n_fds != 1 + message->answer.n_pools
      || !is_sound (block, message->fds[0], &ctl))
    return fail_nonsense (block, error);
  keep_rows (block->access, &message->shown);
  keep_pools (block, message, 1);
  return block_map_control (block, message->fds[0], ctl, -1, 0, ACCESS_OBSERVE,
      error);
}

static DatahubResult
take_over (Block *block, BlockAccess access, const AccessRequest *request,
    int fd, Message *message, DatahubError *error)
{
  StrictStatus wanted =
      access == ACCESS_OBSERVE ? STRICT_SHOWN : STRICT_GRANTED;
  if (message->answer.status >= STRICT_REFUSED_VERSION) {
    close (fd);
    return strict_fail_refused (block, &message->answer, error);
  }
  block->access = calloc (1, sizeof *block->access);
  if (!block->access || !os_register_lock_fd (fd)) {
    close (fd);
    free (block->access);
    block->access = NULL;
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  }
  block->access->connection = fd;
  block->access->token = -1;
  block->access->interrupted = request->interrupted;
  if (message->answer.status != wanted)
    return fail_nonsense (block, error);
  return access == ACCESS_OBSERVE ? map_observer (block, message, error)
                                  : map_granted (block, message, error);
}

/* Attaches through the server of @block and maps the files that it sends. The
 * entry of @block is open. Waits for the producer's answer as long as @request
 * allows. */
static DatahubResult
strict_client_open (Block *block, BlockAccess access,
    const AccessRequest *request, DatahubError *error)
{
  Message message = { .n_fds = 0 };
  DatahubResult result;
  int fd = -1;
  if (access != ACCESS_OBSERVE
      && (access == ACCESS_PRODUCE || request->observes))
    return result_fail (error, DATAHUB_ERROR_DENIED, 0,
        "The DataBlock \"%s\" is sealed: no other process can take it over or "
        "repair it.",
        block->channel);
  if (block_is_foreign (block)
      && (request->observes || !(request->ticket || request->secret)))
    return entry_fail_foreign (block->channel, block->owner, error);
  result = ask (block, access, request, &fd, &message, error);
  STEP (CLIENT_ANSWERED);
  if (result == DATAHUB_OK)
    result = take_over (block, access, request, fd, &message, error);
  STEP (CLIENT_MAPPED);
  drop_fds (&message);
  return result;
}

static int
find_pool (Access *access, uint32_t gen)
{
  for (uint32_t i = 0; i < access->n_pools; i++)
    if (access->pools[i].gen == gen) {
      int fd = access->pools[i].fd;
      access->pools[i] = access->pools[--access->n_pools];
      return fd;
    }
  return -1;
}

static bool
is_interrupted (const Access *access)
{
  return access->interrupted && load_seq (access->interrupted);
}

/* The descriptor of pool @gen, the caller's from now on; -1 and errno. It was
 * sent before the pool table named the pool, so normally this call does not
 * block. The reading thread. */
static int
strict_client_take_pool (const Block *block, uint32_t gen, bool writable)
{
  Access *access = block->access;
  int64_t end = os_now () + POOL_PATIENCE_NS;
  (void) writable; /* it is sealed */
  for (;;) {
    Message message;
    int fd = find_pool (access, gen);
    if (fd >= 0)
      return fd;
    if (receive (block, access->connection, &message)) {
      if (message.answer.status == STRICT_POOL && message.n_fds == 1)
        keep_pools (block, &message, 0);
      STEP (CLIENT_POOL_TAKEN);
      drop_fds (&message);
      continue;
    }
    if (errno != EAGAIN || os_now () >= end || is_interrupted (access))
      return -1;
    os_wait_readable (access->connection, -1, POOL_SLICE_NS);
  }
}

/* Closes the descriptors of pools that were removed before this consumer mapped
 * them, because each keeps its memory. A pool is sent before the table names
 * it, but the next pool is only sent after that. The reading thread. */
static void
strict_client_forget_pools (const Block *block)
{
  Access *access = block->access;
  uint32_t begun = load_seq (&block->header->next_gen);
  for (uint32_t i = 0; i < access->n_pools;) {
    if (access->pools[i].gen >= begun
        || block_names_pool (block, access->pools[i].gen)) {
      i++;
      continue;
    }
    close (access->pools[i].fd);
    access->pools[i] = access->pools[--access->n_pools];
  }
}

/* Releases the result of strict_client_open(): first the memory of the row,
 * then the lock that marks this consumer as alive. */
static void
strict_client_close (Block *block)
{
  Access *access = block->access;
  if (block->wake && access && access->token < 0)
    os_free_room (block->wake, block->g.con_size);
  else if (block->wake)
    os_unmap (block->wake, block->g.con_size);
  if (!access)
    return;
  if (access->row_map)
    os_unmap (access->row_map, block->g.row_stride);
  for (uint32_t i = 0; i < access->n_pools; i++)
    close (access->pools[i].fd);
  if (access->token >= 0)
    os_close_lock_fd (access->token);
  os_close_lock_fd (access->connection);
  free (access);
  block->access = NULL;
  STEP (CLIENT_LEFT);
}

/* A pool on huge pages is a whole number of them. Memory without a name must be
 * sealed, or the process that made it could shrink it under the mapping. */
static bool
is_pool_size (const Block *block, int fd, const PoolShape *shape, uint64_t size)
{
  (void) block;
  return size >= shape->size && size - shape->size < HUGE_PAGE_MAX
      && os_is_sealed (fd);
}

/* The row that the server gave; it stays this client's while it lives. */
static int
take_row (const Block *block)
{
  return (int) block->access->row;
}

static bool
get_quota (const Block *block, uint32_t *quota)
{
  *quota = block->access->quota;
  return true;
}

/* The list that the server sent. */
static uint32_t
read_rows (const Block *block, int lock_fd, DatahubConsumerInfo *infos,
    uint32_t max_infos)
{
  const Access *access = block->access;
  uint32_t n = access->n_infos < max_infos ? access->n_infos : max_infos;
  (void) lock_fd;
  memcpy (infos, access->infos, n * sizeof *infos);
  return n;
}

const ClientFuncs strict_client = {
  .open = strict_client_open,
  .close = strict_client_close,
  .open_pool = strict_client_take_pool,
  .is_pool_size = is_pool_size,
  .forget_pools = strict_client_forget_pools,
  .take_row = take_row,
  .get_quota = get_quota,
  .read_rows = read_rows,
  .keeps_row_byte = false,
};
