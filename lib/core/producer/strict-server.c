/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server of a strict block: it hands out the descriptors of its memory.
 *
 * One thread with one poll serves all connections and never waits for one of
 * them. A connection is pending until the client has sent its greeting, for at
 * most a second. Then it is granted or refused. A granted client only receives
 * new pools; when it hangs up, the thread looks at its row. If more than
 * MAX_PENDING connections are pending, the one that has been silent longest is
 * closed, so that a client that greets at once is always served.
 *
 * A new pool is sent to every granted client before the pool table names it.
 * Therefore a consumer finds its descriptor in the socket, also after the
 * producer's death. Models: tests/model/served-pools.pml, connections.pml.
 * Tests: core-access, core-sealed, core-connections, core-observers */
#include "strict-server-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Connections accepted before the others are looked at again. */
#define ACCEPTS_AT_ONCE 16
/* The pause after a failed accept: the process is out of descriptors, which only
 * time can mend. */
#define ACCEPT_PAUSE_NS (20 * NS_PER_MS)
/* The kernel limits the descriptors in flight. A pool that could not be sent is
 * sent again after this time. */
#define OWED_SLICE_NS (10 * NS_PER_MS)
/* Rows of clients that hung up are checked often while their processes end; all
 * rows are checked once in SWEEP_NS. */
#define LINGER_SLICE_NS (2 * NS_PER_MS)
#define LINGER_NS NS_PER_S
#define SWEEP_NS NS_PER_S

/* Makes a server without a socket. Pools can be added to it. */
StrictServer *
strict_server_new (DatahubProducer *producer, const uint8_t *secret)
{
  StrictServer *server = calloc (1, sizeof *server);
  if (!server)
    return NULL;
  server->producer = producer;
  server->listener = server->wake = -1;
  server->has_secret = secret != NULL;
  if (secret)
    memcpy (server->secret, secret, sizeof server->secret);
  server->book.machine = ticket_machine ();
  pthread_mutex_init (&server->lock, NULL);
  return server;
}

StrictAnswer
strict_answer (const StrictServer *server, StrictStatus status)
{
  StrictAnswer made = { .magic = STRICT_MAGIC,
    .version = STRICT_VERSION,
    .status = status };
  memcpy (made.uuid, server->producer->block.uuid.bytes, sizeof made.uuid);
  return made;
}

static void
send_pool (StrictServer *server, Connection *connection, uint32_t i)
{
  StrictAnswer made = strict_answer (server, STRICT_POOL);
  connection->owed &= ~(1u << i);
  if (server->pools[i].gen == 0)
    return; /* gone before it was seen */
  made.n_pools = 1;
  made.gens[0] = server->pools[i].gen;
  if (!os_send (connection->fd, &made, sizeof made, &server->pools[i].fd, 1)
      && (errno == EAGAIN || errno == ETOOMANYREFS || errno == EINTR
          || errno == ENOBUFS))
    connection->owed |= 1u << i;
  STEP (SERVER_POOL_SENT);
}

/* Sends the pool to all granted clients. Must be called before the pool table
 * names it. @fd stays the caller's and must stay open until
 * strict_server_drop_pool(). */
void
strict_server_add_pool (StrictServer *server, uint32_t gen, PoolKind kind,
    int fd)
{
  uint64_t one = 1;
  bool owed = false;
  pthread_mutex_lock (&server->lock);
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    if (server->pools[i].gen)
      continue;
    server->pools[i] = (ServedPool){ gen, fd, kind };
    for (uint32_t g = 0; g < server->n_connections; g++) {
      if (server->connections[g].state != CONNECTION_GRANTED)
        continue;
      send_pool (server, &server->connections[g], i);
      owed = owed || server->connections[g].owed;
    }
    break;
  }
  pthread_mutex_unlock (&server->lock);
  if (owed && write (server->wake, &one, sizeof one) < 0)
    return; /* the thread looks by itself within a second */
}

void
strict_server_drop_pool (StrictServer *server, uint32_t gen)
{
  pthread_mutex_lock (&server->lock);
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (server->pools[i].gen == gen)
      server->pools[i].gen = 0;
  pthread_mutex_unlock (&server->lock);
}

/* Closes the connection of client @i; another takes its place in the table. */
void
strict_drop_connection (StrictServer *server, uint32_t i)
{
  pthread_mutex_lock (&server->lock);
  if (server->connections[i].state == CONNECTION_GRANTED)
    server->linger_until = os_now () + LINGER_NS;
  os_close_lock_fd (server->connections[i].fd);
  server->connections[i] = server->connections[--server->n_connections];
  pthread_mutex_unlock (&server->lock);
}

/* Refuses a client and closes its connection. The answer is lost if the client
 * does not read. */
void
strict_refuse (StrictServer *server, uint32_t i, StrictStatus status)
{
  StrictAnswer made = strict_answer (server, status);
  if (status == STRICT_REFUSED_FULL)
    made.n_rows = server->producer->block.g.max_rows;
  os_send (server->connections[i].fd, &made, sizeof made, NULL, 0);
  strict_drop_connection (server, i);
}

/* Whether the peer is of the same user, or of one that the mode of the block
 * allows. The kernel gives the peer's credentials as of its connect. */
static bool
is_allowed (const StrictServer *server, int fd)
{
  uint32_t user, group, mode = server->producer->options.mode;
  if (!os_peer (fd, &user, &group))
    return false;
  return user == server->producer->block.owner
      || ((mode & 0040) && group == os_group ()) || (mode & 0004);
}

/* The mode lets another user ask; only a ticket lets it in. Without a secret there
 * are none, and an observer has none. */
static bool
needs_ticket (const StrictServer *server, uint32_t i, const StrictHello *hello)
{
  uint32_t user, group;
  return (!server->has_secret || hello->kind == STRICT_OBSERVE)
      && (!os_peer (server->connections[i].fd, &user, &group)
          || user != server->producer->block.owner);
}

static uint32_t
count_pending (const StrictServer *server, uint32_t *oldest)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < server->n_connections; i++) {
    if (server->connections[i].state != CONNECTION_PENDING)
      continue;
    if (n++ == 0
        || server->connections[i].since < server->connections[*oldest].since)
      *oldest = i;
  }
  return n;
}

/* The lock is held. */
void
strict_list_pools (const StrictServer *server, bool payload, StrictAnswer *made,
    int *fds)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    const ServedPool *pool = &server->pools[i];
    if (pool->gen == 0 || (pool->kind == POOL_PAYLOAD && !payload))
      continue;
    fds[made->n_pools] = pool->fd;
    made->gens[made->n_pools++] = pool->gen;
  }
}

/* Sends the descriptors that a new consumer needs. The lock is held, so that a
 * pool added meanwhile is either in this message or sent after it. */
static bool
send_access (StrictServer *server, uint32_t i, const RowAccess *access)
{
  StrictAnswer made = strict_answer (server, STRICT_GRANTED);
  int fds[STRICT_FDS_MAX] = { [STRICT_FDS_CTL] =
                                  server->producer->backing.ctl_fd,
    [STRICT_FDS_CON] = server->producer->backing.con_fd,
    [STRICT_FDS_ROW] = access->row_fd,
    [STRICT_FDS_TOKEN] = access->token_fd };
  bool sent;
  made.row = access->row;
  made.quota = access->quota;
  pthread_mutex_lock (&server->lock);
  strict_list_pools (server, true, &made, fds + STRICT_FDS_POOLS);
  sent = os_send (server->connections[i].fd, &made, sizeof made, fds,
      STRICT_FDS_POOLS + made.n_pools);
  STEP (SERVER_ACCESS_SENT);
  if (sent) {
    server->connections[i].state = CONNECTION_GRANTED;
    server->connections[i].row = access->row;
  }
  pthread_mutex_unlock (&server->lock);
  return sent;
}

/* The previous owner of @row released it but may still be connected. Closes that
 * connection, so that there are never more granted connections than rows. */
static void
drop_former (StrictServer *server, uint32_t row, int fd)
{
  for (uint32_t g = server->n_connections; g-- > 0;)
    if (server->connections[g].state == CONNECTION_GRANTED
        && server->connections[g].row == row && server->connections[g].fd != fd)
      strict_drop_connection (server, g);
}

/* Returns %STRICT_GRANTED, or why there is no access. */
static StrictStatus
give_access (StrictServer *server, uint32_t i, const StrictHello *hello)
{
  int fd = server->connections[i].fd;
  RowAccess access;
  StrictStatus status =
      strict_give_row (server->producer, hello->max_pinned, &access);
  if (status != STRICT_GRANTED)
    return status;
  bool sent = send_access (server, i, &access);
  strict_end_access (&access); /* the client has copies of its own */
  if (!sent)
    return STRICT_REFUSED_SYSTEM; /* and the row is free again */
  drop_former (server, access.row, fd);
  return STRICT_GRANTED;
}

static void
answer_consumer (StrictServer *server, uint32_t i, const StrictHello *hello)
{
  StrictStatus status = give_access (server, i, hello);
  if (status == STRICT_GRANTED)
    return;
  /* for the next try, when there is room again */
  if (server->has_secret)
    ticket_give_back (&server->book, &hello->ticket);
  strict_refuse (server, i, status);
}

static void
read_greeting (StrictServer *server, uint32_t i)
{
  StrictHello hello;
  StrictStatus status;
  ssize_t n =
      os_receive (server->connections[i].fd, &hello, sizeof hello, NULL, NULL);
  if (n < 0 && errno == EAGAIN)
    return;
  /* a granted client must not send */
  if (server->connections[i].state == CONNECTION_GRANTED || n == 0
      || (n < 0 && errno != EPROTO)) {
    strict_drop_connection (server, i);
    return;
  }
  status = n == (ssize_t) sizeof hello
      ? strict_judge (&server->producer->block, &server->book,
          server->has_secret ? server->secret : NULL, &hello)
      : STRICT_REFUSED_MALFORMED;
  if (status == STRICT_GRANTED && needs_ticket (server, i, &hello))
    status = STRICT_REFUSED_NO_TICKET;
  if (status != STRICT_GRANTED)
    strict_refuse (server, i, status);
  else if (hello.kind == STRICT_OBSERVE)
    strict_show (server, i);
  else
    answer_consumer (server, i, &hello);
}

/* Accepts a connection. As a rule its greeting is there already. */
static bool
accept_connection (StrictServer *server, int64_t now)
{
  uint32_t oldest = 0;
  int fd = os_accept (server->listener);
  if (fd < 0) {
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
      server->no_accept_until = now + ACCEPT_PAUSE_NS;
    return false;
  }
  STEP (SERVER_CONNECTION_ACCEPTED);
  /* before it has an entry, which this could move */
  strict_look_at_observers (server, now);
  if (count_pending (server, &oldest) >= MAX_PENDING)
    strict_refuse (server, oldest, STRICT_REFUSED_BUSY);
  if (!os_register_lock_fd (fd)) {
    close (fd);
    return false;
  }
  pthread_mutex_lock (&server->lock);
  server->connections[server->n_connections++] =
      (Connection){ .fd = fd, .since = now };
  pthread_mutex_unlock (&server->lock);
  if (is_allowed (server, fd))
    read_greeting (server, server->n_connections - 1);
  else
    strict_refuse (server, server->n_connections - 1, STRICT_REFUSED_USER);
  return true;
}

static void
expire (StrictServer *server, int64_t now)
{
  for (uint32_t i = server->n_connections; i-- > 0;)
    if (server->connections[i].state == CONNECTION_PENDING
        && now - server->connections[i].since >= STRICT_GREETING_NS)
      strict_drop_connection (server, i);
}

static bool
send_owed (StrictServer *server)
{
  bool owed = false;
  pthread_mutex_lock (&server->lock);
  for (uint32_t g = 0; g < server->n_connections; g++)
    for (uint32_t i = 0; i < MAX_POOLS; i++)
      if (server->connections[g].owed >> i & 1) {
        send_pool (server, &server->connections[g], i);
        owed = owed || server->connections[g].owed;
      }
  pthread_mutex_unlock (&server->lock);
  return owed;
}

/* Reaps rows. The lock of a row shows whether its owner is alive; a connection
 * that ends is only a reason to check it. */
static void
sweep (StrictServer *server, int64_t now)
{
  bool lingering = now < server->linger_until;
  if (!lingering && now - server->last_sweep < SWEEP_NS)
    return;
  server->last_sweep = now;
  reaper_run (&server->producer->reaper, 0);
}

static int
next_timeout_ms (const StrictServer *server, bool owed, int64_t now)
{
  int64_t until = server->last_sweep + SWEEP_NS;
  if (now < server->linger_until)
    until = now + LINGER_SLICE_NS;
  if (owed && until > now + OWED_SLICE_NS)
    until = now + OWED_SLICE_NS;
  if (now < server->no_accept_until && until > server->no_accept_until)
    until = server->no_accept_until;
  if (until > server->observers_at)
    until = server->observers_at;
  for (uint32_t i = 0; i < server->n_connections; i++)
    if (server->connections[i].state == CONNECTION_PENDING
        && server->connections[i].since + STRICT_GREETING_NS < until)
      until = server->connections[i].since + STRICT_GREETING_NS;
  return until > now ? (int) ((until - now + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

static void
drain_wake (const StrictServer *server)
{
  uint64_t value;
  if (read (server->wake, &value, sizeof value) < 0)
    return; /* another wake was read before */
}

/* What an observer sends or ends, shows nothing: see strict-observers.c. */
static int
polled_fd (const Connection *connection)
{
  return connection->state == CONNECTION_SHOWN ? -1 : connection->fd;
}

static void *
serve (void *data)
{
  StrictServer *server = data;
  struct pollfd fds[2 + MAX_CONNECTIONS];
  bool owed = false;
  server->observers_at = INT64_MAX;
  while (!load_seq (&server->closed)) {
    int64_t now = os_now ();
    uint32_t n = server->n_connections;
    int accepted = 0;
    fds[0] = (struct pollfd){ server->wake, POLLIN, 0 };
    fds[1] =
        (struct pollfd){ now < server->no_accept_until ? -1 : server->listener,
          POLLIN, 0 };
    for (uint32_t i = 0; i < n; i++)
      fds[2 + i] =
          (struct pollfd){ polled_fd (&server->connections[i]), POLLIN, 0 };
    if (poll (fds, 2 + n, next_timeout_ms (server, owed, now)) < 0)
      continue; /* EINTR, or no memory: the next one */
    now = os_now ();
    if (fds[0].revents)
      drain_wake (server);
    /* From the end: drop_connection() fills the gap with a later entry. If a
     * client gets the row of another, that one's gap can be filled before its turn. */
    for (uint32_t i = n; i-- > 0;)
      if (fds[2 + i].revents && fds[2 + i].fd == server->connections[i].fd)
        read_greeting (server, i);
    while (fds[1].revents && accepted < ACCEPTS_AT_ONCE
        && accept_connection (server, now))
      accepted++;
    expire (server, now);
    server->observers_at = strict_look_at_observers (server, now);
    owed = send_owed (server);
    sweep (server, now);
  }
  return NULL;
}

/* Binds the socket and starts the thread. Must be called when lck has its name
 * and the entry has not. */
DatahubResult
strict_server_open (StrictServer *server, DatahubError *error)
{
  const Block *block = &server->producer->block;
  sigset_t all, before;
  int number;
  server->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  server->listener = os_listen (block->dir,
      name_part (block->user, &block->uuid, STRICT_PART).text,
      server->producer->options.mode
          | (server->producer->options.mode & 0444) >> 1);
  if (server->wake < 0 || server->listener < 0
      || !os_register_lock_fd (server->listener))
    return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The socket of the block cannot be made in %s: %s.",
        datahub_shm_directory (), os_reason (errno));
  STEP (SERVER_SOCKET_BOUND);
  /* the application's signal handlers are for its own threads */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  number = pthread_create (&server->thread, NULL, serve, server);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  if (number)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, number,
        "The thread of the block's socket cannot be started: %s.",
        os_reason (number));
  STEP (SERVER_OPEN);
  server->running = true;
  return DATAHUB_OK;
}

/* Ends the thread and all connections; idempotent. Clients keep the descriptors
 * they were sent, also those they have not received yet. */
void
strict_server_close (StrictServer *server)
{
  uint64_t one = 1;
  store_seq (&server->closed, 1);
  if (server->running && write (server->wake, &one, sizeof one) < 0)
    one = 0; /* full, so awake */
  if (server->running)
    pthread_join (server->thread, NULL);
  server->running = false;
  while (server->n_connections > 0)
    strict_drop_connection (server, server->n_connections - 1);
  if (server->listener >= 0)
    os_close_lock_fd (server->listener);
  server->listener = -1;
  STEP (SERVER_CLOSED);
}

void
strict_server_free (StrictServer *server)
{
  if (!server)
    return;
  strict_server_close (server);
  if (server->wake >= 0)
    close (server->wake);
  sodium_memzero (server->secret, sizeof server->secret);
  sodium_memzero (&server->book, sizeof server->book);
  pthread_mutex_destroy (&server->lock);
  free (server);
}
