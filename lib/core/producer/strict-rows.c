/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of a strict block on the producer's side. A row is an object of its
 * own, made anew for each consumer. If a consumer keeps the mapping after it left,
 * no process reads that memory. A consumer is alive while a shared lock on its row
 * is held. The lock is taken here on a fresh description that is sent with the
 * row, so a consumer cannot forget it, and the kernel drops it with the process.
 * Models: tests/model/strict.pml.
 * Tests: core-strict, core-sealed, core-access */
#include "producer-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODE_SHARED 0600u

/* Creates a row as it is without an owner. */
static int
create_row (const Block *block, uint64_t incarnation, uint32_t quota,
    DatahubError *error)
{
  ConsumerRow blank = { .gate = GATE_WORD (incarnation, GATE_OPEN),
    .incarnation = incarnation,
    .quota = quota };
  uint64_t size = block->g.row_stride;
  int fd = os_create_memory (&size, MODE_SHARED, "row", error);
  if (fd < 0)
    return -1;
  if (os_write_all (fd, &blank, sizeof blank) && os_seal (fd, false))
    return fd;
  strict_fail_memory ("written", error);
  close (fd);
  return -1;
}

/* Makes room for the rows, and what is mapped where a row has no owner. */
DatahubResult
strict_make_rows (Reaper *reaper, DatahubError *error)
{
  Block *block = reaper->backing->block;
  const Geometry *g = &block->g;
  reaper->rows = calloc (g->max_rows, sizeof *reaper->rows);
  block->rows = os_make_room ((uint64_t) g->max_rows * g->row_stride);
  if (!reaper->rows || !block->rows)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  for (uint32_t i = 0; i < g->max_rows; i++)
    reaper->rows[i].fd = -1;
  reaper->blank_fd = create_row (block, 0, 0, error);
  return reaper->blank_fd < 0 ? error->code : DATAHUB_OK;
}

static void *
row_at (const Reaper *reaper, uint32_t i)
{
  return block_row (reaper->backing->block, i);
}

/* Called when the owner of row @i is gone: cleans the row and maps a blank one
 * in its place, even if the old one is still mapped elsewhere. The lock of the
 * rows must be held. */
static bool
retire_row (Reaper *reaper, uint32_t i)
{
  StrictRow *row = &reaper->rows[i];
  const ConsumerRow *shared = row_at (reaper, i);
  bool dirty = !row_is_neutral (reaper->backing->block, i);
  if (load_seq (&shared->departures))
    store_seq (&row->departures,
        departures_note (load_relaxed (&row->departures), row->claim));
  if (dirty) {
    /* before its effect: another thread can continue at once */
    add_relaxed (&reaper->backing->block->header->reaped, 1);
    error_log_note_row (reaper->backing->errors, DATAHUB_OWNER_DIED,
        reaper->backing->block, i, "died");
    row_clean (reaper->backing->block, i);
  }
  store_seq (&reaper->backing->block->claims[i], 0);
  /* on failure the old row stays: neutral, unless its former owner writes */
  os_map_at (row_at (reaper, i), reaper->blank_fd,
      reaper->backing->block->g.row_stride);
  close (row->fd);
  row->fd = -1;
  row->granted = false;
  STEP (STRICT_ROW_RETIRED);
  return dirty;
}

/* Cleans row @i if its owner is dead, by the evidence of the lock that was
 * handed to it. The lock of the rows is held. */
bool
strict_reap_row (Reaper *reaper, uint32_t i)
{
  StrictRow *row = &reaper->rows[i];
  if (!row->granted || !os_lock_is_free (row->fd, 0))
    return false;
  return retire_row (reaper, i);
}

/* Chooses a quota as the consumers of a named block do among themselves (S3); here
 * a consumer cannot take more. */
static uint32_t
choose_quota (const Reaper *reaper, uint32_t asked)
{
  const Geometry *g = &reaper->backing->block->g;
  uint32_t quota = asked && asked < g->max_quota ? asked : g->max_quota;
  uint64_t taken = 0, left;
  for (uint32_t i = 0; i < g->max_rows; i++)
    if (reaper->rows[i].granted)
      taken += reaper->rows[i].quota + 1;
  left = g->lease_budget > taken + 1 ? g->lease_budget - taken - 1 : 0;
  return left < quota ? (uint32_t) left : quota;
}

/* Returns the lowest free row after reaping dead owners; -1: none. */
static int
find_row (Reaper *reaper)
{
  int found = -1;
  for (uint32_t i = reaper->backing->block->g.max_rows; i-- > 0;) {
    strict_reap_row (reaper, i);
    if (!reaper->rows[i].granted)
      found = (int) i;
  }
  return found;
}

/* Closes our copies. If they were not sent, the lock goes with them, and the
 * next look frees the row. */
void
strict_end_access (RowAccess *access)
{
  os_close (&access->row_fd);
  if (access->token_fd >= 0)
    os_close_lock_fd (access->token_fd);
  access->token_fd = -1;
}

/* Makes the object of row @i and the descriptors that are sent of it. */
static bool
make_row (Reaper *reaper, uint32_t i, RowAccess *access, int *own)
{
  uint64_t claim = reaper->rows[i].claim;
  *own = create_row (reaper->backing->block, claim, access->quota, NULL);
  if (*own < 0)
    return false;
  STEP (STRICT_ROW_MADE);
  /* descriptions of its own: the producer's tests the lock */
  access->row_fd = os_reopen (*own, true);
  access->token_fd = os_reopen_lock_fd (*own, false);
  return access->row_fd >= 0 && access->token_fd >= 0
      && os_lock_share (access->token_fd);
}

/* The row is in the scan of A0 and A4 before its owner can pin anything. */
static bool
install_row (Reaper *reaper, uint32_t i, uint32_t quota, int own)
{
  StrictRow *row = &reaper->rows[i];
  if (!os_map_at (row_at (reaper, i), own,
          reaper->backing->block->g.row_stride))
    return false;
  row->fd = own;
  row->granted = true;
  row->quota = quota;
  row->claim++;
  store_seq (&reaper->backing->block->claims[i], row->claim);
  raise_u32_seq (&reaper->rows_hwm, i + 1);
  STEP (STRICT_ROW_INSTALLED);
  return true;
}

/* Clears the account of row @i, so that the next owner is not charged for the last
 * one. The last owner wrote its own gate, so that gate may equal the next owner's.
 * A thread that charges or evicts by it holds the lock, and has finished when this
 * function gets it. The row must have no owner. Model: NO_SETTLING. */
static void
settle_row (DatahubProducer *producer, uint32_t i)
{
  pthread_mutex_lock (&producer->lock);
  ring_clear_account (&producer->ring, i);
  pthread_mutex_unlock (&producer->lock);
}

/* Gives a free row to a client. The server's thread, which is the only caller. */
StrictStatus
strict_give_row (DatahubProducer *producer, uint32_t asked, RowAccess *access)
{
  Reaper *reaper = &producer->reaper;
  StrictStatus status = STRICT_GRANTED;
  int i, own = -1;
  *access = (RowAccess){ .row_fd = -1, .token_fd = -1 };
  pthread_mutex_lock (&reaper->lock);
  i = find_row (reaper);
  access->quota = choose_quota (reaper, asked);
  pthread_mutex_unlock (&reaper->lock);
  if (i < 0)
    return STRICT_REFUSED_FULL;
  access->row = (uint32_t) i;
  settle_row (producer, access->row);
  if (!make_row (reaper, access->row, access, &own))
    status = STRICT_REFUSED_SYSTEM;
  else {
    pthread_mutex_lock (&reaper->lock);
    if (!install_row (reaper, access->row, access->quota, own))
      status = STRICT_REFUSED_SYSTEM;
    pthread_mutex_unlock (&reaper->lock);
  }
  if (status == STRICT_GRANTED)
    producer_update_share (producer); /* before the client can hold anything */
  if (status != STRICT_GRANTED) {
    strict_end_access (access);
    os_close (&own);
  }
  return status;
}

void
strict_free_rows (Reaper *reaper)
{
  Block *block = reaper->backing->block;
  for (uint32_t i = 0; reaper->rows && i < block->g.max_rows; i++)
    os_close (&reaper->rows[i].fd);
  free (reaper->rows);
  os_close (&reaper->blank_fd);
  if (block->rows)
    os_free_room (block->rows,
        (uint64_t) block->g.max_rows * block->g.row_stride);
  block->rows = NULL;
}
