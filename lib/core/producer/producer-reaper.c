/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cleans the rows of dead consumers.
 * Tests: core-reclaim, core-strict */
#include "reaper-private.h"

void
reaper_init (Reaper *reaper, const Backing *backing)
{
  reaper->backing = backing;
  reaper->fd = reaper->blank_fd = -1;
  pthread_mutex_init (&reaper->lock, NULL);
}

/* A description of its own of the lock file, by way of its name, where the locks of
 * rows are in that file. */
bool
reaper_open (Reaper *reaper)
{
  const Block *block = reaper->backing->block;
  if (!reaper->backing->funcs->rows_in_lck)
    return true;
  reaper->fd = os_open_lock_fd (block->dir,
      name_part (block->user, &block->uuid, "lck").text, true);
  return reaper->fd >= 0;
}

void
reaper_close (Reaper *reaper)
{
  if (reaper->fd >= 0)
    os_close_lock_fd (reaper->fd);
  reaper->fd = -1;
}

/* Cleans the rows of dead consumers, unless that was done within
 * @not_within_ns. The kernel's lock is the evidence, nothing is reclaimed by a
 * timeout. Idempotent; killed half-way, the next one does it again. Returns how
 * many were cleaned. */
uint32_t
reaper_run (Reaper *reaper, int64_t not_within_ns)
{
  Block *block = reaper->backing->block;
  uint32_t reaped = 0, rows = block_rows_in_use (block);
  int64_t now = os_now ();
  pthread_mutex_lock (&reaper->lock);
  if (now - reaper->last_ns >= not_within_ns) {
    reaper->last_ns = now;
    for (uint32_t i = 0; i < rows; i++)
      reaped += reaper->backing->funcs->reap_row (reaper, i);
  }
  pthread_mutex_unlock (&reaper->lock);
  if (reaped)
    block_attend (block);
  return reaped;
}
