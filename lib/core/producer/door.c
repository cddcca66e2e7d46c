/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The producer's side of the door.
 *
 * One thread, one poll: no guest is waited for. A guest says one thing, its
 * greeting, within a second, and is answered or sent away; after that it is only
 * told of new pools, and its hanging up makes the thread look at its row. More
 * newcomers than the hall has places push out the one who has been silent
 * longest, so that who speaks at once is served whatever the others do.
 *
 * A new pool is sent to every guest before the pool table names it, so a
 * consumer finds its descriptor waiting, also after the producer's death. Models:
 * tests/model/door.pml, places.pml. */
#include "core/block/door-private.h"
#include "producer-private.h"
#include "core/base/result-private.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Newcomers who have not greeted yet. */
#define HALL 32u
#define MAX_GUESTS (MAX_ROWS + HALL)
/* Newcomers taken in before the others are looked at again. */
#define ACCEPTS_AT_ONCE 16
/* After a failed accept: out of descriptors, which only time can mend. */
#define ACCEPT_PAUSE_NS (20 * NS_PER_MS)
/* Descriptors on their way are limited by the kernel: pools owed are tried
 * again. */
#define OWED_SLICE_NS (10 * NS_PER_MS)
/* Rows whose guests hung up are looked at often while their processes end, all
 * others now and then. */
#define LINGER_SLICE_NS (2 * NS_PER_MS)
#define LINGER_NS NS_PER_S
#define SWEEP_NS NS_PER_S

typedef struct
{
  int fd;
  bool granted;
  uint32_t row;
  int64_t since;
  uint32_t owed; /* bits: pools still to be sent */
} Guest;

typedef struct
{
  uint32_t gen; /* 0: free */
  int fd; /* borrowed from the pool */
  PoolKind kind;
} DoorPool;

struct _Door
{
  DatahubProducer *producer; /* which owns the door */
  bool has_secret;
  uint8_t secret[DATAHUB_SECRET_SIZE];
  bool running;
  pthread_t thread;
  int listener;
  int wake; /* eventfd */
  shared_u32 closed;

  /* Guards the guests that are granted, and the pools, so that nobody misses
   * one that comes while they do. Sends without waiting. */
  pthread_mutex_t lock;
  Guest guests[MAX_GUESTS]; /* written by the thread */
  uint32_t n_guests;
  DoorPool pools[MAX_POOLS];

  /* The thread's own. */
  TicketBook book;
  int64_t no_accept_until, linger_until, last_sweep;
};

/* A door without a socket; pools can be put behind it. */
Door *
door_new (DatahubProducer *producer, const uint8_t *secret)
{
  Door *door = calloc (1, sizeof *door);
  if (!door)
    return NULL;
  door->producer = producer;
  door->listener = door->wake = -1;
  door->has_secret = secret != NULL;
  if (secret)
    memcpy (door->secret, secret, sizeof door->secret);
  pthread_mutex_init (&door->lock, NULL);
  return door;
}

static DoorAnswer
answer (const Door *door, DoorStatus status)
{
  DoorAnswer made = { .magic = DOOR_MAGIC,
    .version = DOOR_VERSION,
    .status = status };
  memcpy (made.uuid, door->producer->block.uuid.bytes, sizeof made.uuid);
  return made;
}

static void
send_pool (Door *door, Guest *guest, uint32_t i)
{
  DoorAnswer made = answer (door, DOOR_POOL);
  guest->owed &= ~(1u << i);
  if (door->pools[i].gen == 0)
    return; /* gone before it was seen */
  made.n_pools = 1;
  made.gens[0] = door->pools[i].gen;
  if (!os_send (guest->fd, &made, sizeof made, &door->pools[i].fd, 1)
      && (errno == EAGAIN || errno == ETOOMANYREFS || errno == EINTR
          || errno == ENOBUFS))
    guest->owed |= 1u << i;
  STEP (DOOR_POOL_SENT);
}

/* Sends the pool to all guests; call it before the pool table names it. @fd
 * stays the caller's, until door_drop_pool(). */
void
door_add_pool (Door *door, uint32_t gen, PoolKind kind, int fd)
{
  uint64_t one = 1;
  bool owed = false;
  pthread_mutex_lock (&door->lock);
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    if (door->pools[i].gen)
      continue;
    door->pools[i] = (DoorPool){ gen, fd, kind };
    for (uint32_t g = 0; g < door->n_guests; g++) {
      if (!door->guests[g].granted)
        continue;
      send_pool (door, &door->guests[g], i);
      owed = owed || door->guests[g].owed;
    }
    break;
  }
  pthread_mutex_unlock (&door->lock);
  if (owed && write (door->wake, &one, sizeof one) < 0)
    return; /* the thread looks by itself within a second */
}

void
door_drop_pool (Door *door, uint32_t gen)
{
  pthread_mutex_lock (&door->lock);
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (door->pools[i].gen == gen)
      door->pools[i].gen = 0;
  pthread_mutex_unlock (&door->lock);
}

/* Closes the connection of guest @i; another takes its place in the table. */
static void
drop_guest (Door *door, uint32_t i)
{
  pthread_mutex_lock (&door->lock);
  if (door->guests[i].granted)
    door->linger_until = os_now () + LINGER_NS;
  os_close_lock_fd (door->guests[i].fd);
  door->guests[i] = door->guests[--door->n_guests];
  pthread_mutex_unlock (&door->lock);
}

/* Says no. Who does not take the word is not told. */
static void
refuse (Door *door, uint32_t i, DoorStatus status)
{
  DoorAnswer made = answer (door, status);
  if (status == DOOR_REFUSED_FULL)
    made.n_rows = door->producer->block.g.max_rows;
  os_send (door->guests[i].fd, &made, sizeof made, NULL, 0);
  drop_guest (door, i);
}

/* Same user; others as the permissions of the block allow. The kernel names the
 * peer, as it was when it connected. */
static bool
is_welcome (const Door *door, int fd)
{
  uint32_t user, group, mode = door->producer->options.mode;
  if (!os_peer (fd, &user, &group))
    return false;
  return user == door->producer->block.user
      || ((mode & 0040) && group == os_group ()) || (mode & 0004);
}

static uint32_t
count_hall (const Door *door, uint32_t *oldest)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < door->n_guests; i++) {
    if (door->guests[i].granted)
      continue;
    if (n++ == 0 || door->guests[i].since < door->guests[*oldest].since)
      *oldest = i;
  }
  return n;
}

static DoorStatus
status_of (TicketVerdict verdict)
{
  switch (verdict) {
    case TICKET_GOOD:
      return DOOR_GRANTED;
    case TICKET_OTHER_BLOCK:
      return DOOR_REFUSED_OTHER_BLOCK;
    case TICKET_FORGED:
      return DOOR_REFUSED_FORGED;
    case TICKET_EXPIRED:
      return DOOR_REFUSED_EXPIRED;
    case TICKET_TOO_LONG:
      return DOOR_REFUSED_TOO_LONG;
    case TICKET_REPLAYED:
      return DOOR_REFUSED_REPLAYED;
    case TICKET_BOOK_FULL:
      return DOOR_REFUSED_BUSY;
    case TICKET_MALFORMED:
      break;
  }
  return DOOR_REFUSED_MALFORMED;
}

static bool
is_zero (const uint8_t *bytes, size_t size)
{
  return sodium_is_zero (bytes, size) == 1;
}

/* %DOOR_GRANTED where the greeting entitles to what it wishes. */
static DoorStatus
judge (Door *door, const DoorHello *hello)
{
  const Block *block = &door->producer->block;
  if (hello->magic != DOOR_MAGIC)
    return DOOR_REFUSED_MALFORMED;
  if (hello->version != DOOR_VERSION)
    return DOOR_REFUSED_VERSION;
  if ((hello->wish != DOOR_WISH_CONSUME && hello->wish != DOOR_WISH_OBSERVE)
      || hello->has_ticket > 1
      || !is_zero (hello->reserved, sizeof hello->reserved)
      || !is_zero (hello->reserved1, sizeof hello->reserved1))
    return DOOR_REFUSED_MALFORMED;
  if (memcmp (hello->uuid, block->uuid.bytes, sizeof hello->uuid) != 0)
    return DOOR_REFUSED_OTHER_BLOCK;
  /* The kernel's word about the peer is enough to look at what is no payload,
   * and for all where there is no secret. */
  if (!door->has_secret || hello->wish == DOOR_WISH_OBSERVE)
    return DOOR_GRANTED;
  if (!hello->has_ticket)
    return DOOR_REFUSED_NO_TICKET;
  return status_of (ticket_take (&door->book, &hello->ticket, door->secret,
      &block->uuid, os_wall_clock ()));
}

/* The lock is held. */
static void
list_pools (const Door *door, bool payload, DoorAnswer *made, int *fds)
{
  for (uint32_t i = 0; i < MAX_POOLS; i++) {
    const DoorPool *pool = &door->pools[i];
    if (pool->gen == 0 || (pool->kind == POOL_PAYLOAD && !payload))
      continue;
    fds[made->n_pools] = pool->fd;
    made->gens[made->n_pools++] = pool->gen;
  }
}

/* Sends what a new consumer needs. Under the lock, so that a pool that comes
 * meanwhile is either in it or sent behind it. */
static bool
send_grant (Door *door, uint32_t i, const RowGrant *grant)
{
  DoorAnswer made = answer (door, DOOR_GRANTED);
  int fds[DOOR_FDS_MAX] = { [DOOR_FDS_CTL] = door->producer->ctl_fd,
    [DOOR_FDS_CON] = door->producer->con_fd,
    [DOOR_FDS_ROW] = grant->row_fd,
    [DOOR_FDS_TOKEN] = grant->token_fd };
  bool sent;
  made.row = grant->row;
  made.quota = grant->quota;
  pthread_mutex_lock (&door->lock);
  list_pools (door, true, &made, fds + DOOR_FDS_POOLS);
  sent = os_send (door->guests[i].fd, &made, sizeof made, fds,
      DOOR_FDS_POOLS + made.n_pools);
  STEP (DOOR_GRANT_SENT);
  if (sent) {
    door->guests[i].granted = true;
    door->guests[i].row = grant->row;
  }
  pthread_mutex_unlock (&door->lock);
  return sent;
}

/* Whoever had row @row before guest @fd gave it up, and may still keep his
 * connection: there are never more guests with a row than rows, whatever they
 * do. */
static void
drop_former (Door *door, uint32_t row, int fd)
{
  for (uint32_t g = door->n_guests; g-- > 0;)
    if (door->guests[g].granted && door->guests[g].row == row
        && door->guests[g].fd != fd)
      drop_guest (door, g);
}

static void
let_in (Door *door, uint32_t i, const DoorHello *hello)
{
  int fd = door->guests[i].fd;
  RowGrant grant;
  DoorStatus status =
      strict_grant_row (door->producer, hello->max_pinned, &grant);
  bool sent;
  if (status != DOOR_GRANTED) {
    refuse (door, i, status);
    return;
  }
  sent = send_grant (door, i, &grant);
  strict_end_grant (&grant); /* what was sent is the guest's alone */
  if (sent)
    drop_former (door, grant.row, fd);
  else
    refuse (door, i, DOOR_REFUSED_SYSTEM); /* and the row is free again */
}

static DoorRow
describe_row (const DatahubConsumerInfo *info)
{
  DoorRow row = { .row = info->row,
    .state = info->state,
    .reliable = info->reliable,
    .pid = info->pid,
    .id = info->id,
    .received = info->received,
    .lost = info->lost,
    .cursor = info->cursor,
    .expired = info->expired,
    .heartbeat_ns = info->heartbeat_ns,
    .pins = info->pins,
    .quota = info->quota };
  memcpy (row.name, info->name, sizeof row.name);
  return row;
}

/* An observer gets ctl and the bodies of events (caps are one), no payload, and
 * is told of the consumers, whose rows it cannot see. */
static void
show (Door *door, uint32_t i)
{
  const Block *block = &door->producer->block;
  DoorShown shown;
  int fds[1 + MAX_POOLS] = { door->producer->ctl_fd };
  uint32_t rows = block_rows_in_use (block);
  producer_reap (door->producer, 0);
  memset (&shown, 0, sizeof shown);
  shown.answer = answer (door, DOOR_SHOWN);
  for (uint32_t r = 0; r < rows; r++) {
    DatahubConsumerInfo info;
    if (row_read_info (block, block->lck, r, &info) && info.alive)
      shown.rows[shown.answer.n_rows++] = describe_row (&info);
  }
  pthread_mutex_lock (&door->lock);
  list_pools (door, false, &shown.answer, fds + 1);
  /* one that is gone already is not told */
  os_send (door->guests[i].fd, &shown,
      sizeof shown.answer + shown.answer.n_rows * sizeof (DoorRow), fds,
      1 + shown.answer.n_pools);
  pthread_mutex_unlock (&door->lock);
  drop_guest (door, i);
}

static void
listen_to (Door *door, uint32_t i)
{
  DoorHello hello;
  DoorStatus status;
  ssize_t n = os_receive (door->guests[i].fd, &hello, sizeof hello, NULL, NULL);
  if (n < 0 && errno == EAGAIN)
    return;
  /* nobody who was let in has anything to say */
  if (n <= 0 && (n == 0 || errno != EPROTO)) {
    drop_guest (door, i);
    return;
  }
  if (door->guests[i].granted) {
    drop_guest (door, i);
    return;
  }
  status = n == (ssize_t) sizeof hello ? judge (door, &hello)
                                       : DOOR_REFUSED_MALFORMED;
  if (status != DOOR_GRANTED)
    refuse (door, i, status);
  else if (hello.wish == DOOR_WISH_OBSERVE)
    show (door, i);
  else
    let_in (door, i, &hello);
}

/* Newcomers as a rule have said their word already. */
static bool
take_in (Door *door, int64_t now)
{
  uint32_t oldest = 0;
  int fd = os_accept (door->listener);
  if (fd < 0) {
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
      door->no_accept_until = now + ACCEPT_PAUSE_NS;
    return false;
  }
  STEP (DOOR_GUEST_ACCEPTED);
  if (count_hall (door, &oldest) >= HALL)
    refuse (door, oldest, DOOR_REFUSED_BUSY);
  if (!os_register_lock_fd (fd)) {
    close (fd);
    return false;
  }
  pthread_mutex_lock (&door->lock);
  door->guests[door->n_guests++] = (Guest){ .fd = fd, .since = now };
  pthread_mutex_unlock (&door->lock);
  if (is_welcome (door, fd))
    listen_to (door, door->n_guests - 1);
  else
    refuse (door, door->n_guests - 1, DOOR_REFUSED_USER);
  return true;
}

static void
expire (Door *door, int64_t now)
{
  for (uint32_t i = door->n_guests; i-- > 0;)
    if (!door->guests[i].granted
        && now - door->guests[i].since >= DOOR_PATIENCE_NS)
      drop_guest (door, i);
}

static bool
send_owed (Door *door)
{
  bool owed = false;
  pthread_mutex_lock (&door->lock);
  for (uint32_t g = 0; g < door->n_guests; g++)
    for (uint32_t i = 0; i < MAX_POOLS; i++)
      if (door->guests[g].owed >> i & 1) {
        send_pool (door, &door->guests[g], i);
        owed = owed || door->guests[g].owed;
      }
  pthread_mutex_unlock (&door->lock);
  return owed;
}

/* The lock of a row is the truth about its owner; a connection that ends is only
 * a reason to look. */
static void
sweep (Door *door, int64_t now)
{
  bool lingering = now < door->linger_until;
  if (!lingering && now - door->last_sweep < SWEEP_NS)
    return;
  door->last_sweep = now;
  producer_reap (door->producer, 0);
}

static int
next_timeout_ms (const Door *door, bool owed, int64_t now)
{
  int64_t until = door->last_sweep + SWEEP_NS;
  if (now < door->linger_until)
    until = now + LINGER_SLICE_NS;
  if (owed && until > now + OWED_SLICE_NS)
    until = now + OWED_SLICE_NS;
  if (now < door->no_accept_until && until > door->no_accept_until)
    until = door->no_accept_until;
  for (uint32_t i = 0; i < door->n_guests; i++)
    if (!door->guests[i].granted
        && door->guests[i].since + DOOR_PATIENCE_NS < until)
      until = door->guests[i].since + DOOR_PATIENCE_NS;
  return until > now ? (int) ((until - now + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

static void
drain_wake (const Door *door)
{
  uint64_t value;
  if (read (door->wake, &value, sizeof value) < 0)
    return; /* somebody else's wake */
}

static void *
serve (void *data)
{
  Door *door = data;
  struct pollfd fds[2 + MAX_GUESTS];
  bool owed = false;
  while (!load_seq (&door->closed)) {
    int64_t now = os_now ();
    uint32_t n = door->n_guests;
    int accepted = 0;
    fds[0] = (struct pollfd){ door->wake, POLLIN, 0 };
    fds[1] = (struct pollfd){ now < door->no_accept_until ? -1 : door->listener,
      POLLIN, 0 };
    for (uint32_t i = 0; i < n; i++)
      fds[2 + i] = (struct pollfd){ door->guests[i].fd, POLLIN, 0 };
    if (poll (fds, 2 + n, next_timeout_ms (door, owed, now)) < 0)
      continue; /* EINTR, or no memory: the next one */
    now = os_now ();
    if (fds[0].revents)
      drain_wake (door);
    /* from the end: a guest that goes is replaced by one already looked at */
    for (uint32_t i = n; i-- > 0;)
      if (fds[2 + i].revents)
        listen_to (door, i);
    while (fds[1].revents && accepted < ACCEPTS_AT_ONCE && take_in (door, now))
      accepted++;
    expire (door, now);
    owed = send_owed (door);
    sweep (door, now);
  }
  return NULL;
}

/* Opens the door: binds its name and starts its thread. lck has its name, the
 * entry not yet. */
DatahubResult
door_open (Door *door, DatahubError *error)
{
  const Block *block = &door->producer->block;
  sigset_t all, before;
  int number;
  door->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  door->listener = os_listen (block->dir,
      name_part (block->user, &block->uuid, DOOR_PART).text,
      door->producer->options.mode
          | (door->producer->options.mode & 0444) >> 1);
  if (door->wake < 0 || door->listener < 0
      || !os_register_lock_fd (door->listener))
    return datahub_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "The socket of the block cannot be made in %s: %s.",
        datahub_shm_directory (), strerror (errno));
  STEP (DOOR_SOCKET_BOUND);
  /* the application's signal handlers are for its own threads */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  number = pthread_create (&door->thread, NULL, serve, door);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  if (number)
    return datahub_fail (error, DATAHUB_ERROR_SYSTEM, number,
        "The thread of the block's socket cannot be started: %s.",
        strerror (number));
  STEP (DOOR_OPEN);
  door->running = true;
  return DATAHUB_OK;
}

/* Ends the thread and all connections; idempotent. Guests keep what they have,
 * also what they have not looked at yet. */
void
door_close (Door *door)
{
  uint64_t one = 1;
  store_seq (&door->closed, 1);
  if (door->running && write (door->wake, &one, sizeof one) < 0)
    one = 0; /* full, so awake */
  if (door->running)
    pthread_join (door->thread, NULL);
  door->running = false;
  while (door->n_guests > 0)
    drop_guest (door, door->n_guests - 1);
  if (door->listener >= 0)
    os_close_lock_fd (door->listener);
  door->listener = -1;
  STEP (DOOR_CLOSED);
}

void
door_free (Door *door)
{
  if (!door)
    return;
  door_close (door);
  if (door->wake >= 0)
    close (door->wake);
  sodium_memzero (door->secret, sizeof door->secret);
  sodium_memzero (&door->book, sizeof door->book);
  pthread_mutex_destroy (&door->lock);
  free (door);
}
