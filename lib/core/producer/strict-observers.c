/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The observers of a strict block. They show no ticket, so they must not be in the
 * way of consumers. The kernel limits the descriptors in flight of a user: those
 * that were sent and not read. At most MAX_UNREAD observers have an answer that they
 * have not read; others are asked to try again.
 *
 * The kernel shows which answers were read: it counts the bytes of a socket that the
 * other end has not taken, and an end that is closed has taken all. What a client
 * sends, and a shutdown() of its end, show nothing. So a connection leaves the table
 * only if nothing is in flight any more.
 * Tests: core-observers, core-access */
#include "core/os/os-limits-private.h"
#include "strict-server-private.h"

#include <string.h>

/* An observer reads at once, or stands still. */
#define SOON_NS NS_PER_S
#define SOON_SLICE_NS (5 * NS_PER_MS)
#define LATE_SLICE_NS (50 * NS_PER_MS)

static StrictConsumer
describe_row (const DatahubConsumerInfo *info)
{
  StrictConsumer row = { .row = info->row,
    .state = info->state,
    .reliable = info->reliable,
    .pid = info->pid,
    .id = info->id,
    .received = info->received,
    .lost = info->lost,
    .cursor = info->cursor,
    .expired = info->expired,
    .heartbeat_ns = info->heartbeat_ns,
    .latency_sum_ns = info->latency_sum_ns,
    .latency_count = info->latency_count,
    .pins = info->pins,
    .quota = info->quota };
  memcpy (row.name, info->name, sizeof row.name);
  return row;
}

static void
list_consumers (const Block *block, StrictShown *shown)
{
  uint32_t rows = block_rows_in_use (block);
  for (uint32_t r = 0; r < rows; r++) {
    DatahubConsumerInfo info;
    if (row_read_info (block, block->lck, r, &info) && info.alive)
      shown->rows[shown->answer.n_rows++] = describe_row (&info);
  }
}

/* ctl, the pools with the bodies of events (caps are one), no payload, and a list of
 * the consumers, because an observer cannot map their rows. */
static bool
send_snapshot (StrictServer *server, uint32_t i)
{
  StrictShown shown;
  int fds[1 + MAX_POOLS] = { server->producer->backing.ctl_fd };
  bool sent;
  reaper_run (&server->producer->reaper, 0);
  memset (&shown, 0, sizeof shown);
  shown.answer = strict_answer (server, STRICT_SHOWN);
  list_consumers (&server->producer->block, &shown);
  pthread_mutex_lock (&server->lock);
  strict_list_pools (server, false, &shown.answer, fds + 1);
  sent = os_send (server->connections[i].fd, &shown,
      sizeof shown.answer + shown.answer.n_rows * sizeof (StrictConsumer), fds,
      1 + shown.answer.n_pools);
  if (sent)
    server->connections[i].state = CONNECTION_SHOWN;
  pthread_mutex_unlock (&server->lock);
  return sent;
}

static uint32_t
count_unread (const StrictServer *server)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < server->n_connections; i++)
    n += server->connections[i].state == CONNECTION_SHOWN;
  return n;
}

/* Answers observer @i. Hangs up on no other: that would move this one in the table. */
void
strict_show (StrictServer *server, uint32_t i)
{
  if (count_unread (server) >= MAX_UNREAD)
    strict_refuse (server, i, STRICT_REFUSED_BUSY);
  else if (send_snapshot (server, i))
    server->connections[i].since = os_now ();
  else
    strict_refuse (server, i, STRICT_REFUSED_SYSTEM);
}

/* Hangs up on observers that have read their answer, or are gone. Returns when to
 * look again; INT64_MAX: there are none. */
int64_t
strict_look_at_observers (StrictServer *server, int64_t now)
{
  int64_t next = INT64_MAX;
  for (uint32_t i = server->n_connections; i-- > 0;) {
    const Connection *one = &server->connections[i];
    if (one->state != CONNECTION_SHOWN)
      continue;
    if (!os_is_unread (one->fd)) {
      strict_drop_connection (server, i);
      continue;
    }
    int64_t slice = now - one->since < SOON_NS ? SOON_SLICE_NS : LATE_SLICE_NS;
    next = now + slice < next ? now + slice : next;
  }
  return next;
}
