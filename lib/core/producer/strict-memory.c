/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a strict block on the producer's side.
 *
 * Nothing of it has a name. Sizes are sealed, so no client can make a mapping end
 * early; ctl and the pools are sealed against writing too, once the producer has
 * mapped them. A row is an object of its own, made anew for each consumer. If a
 * consumer keeps the mapping after it left, no process reads that memory. A
 * consumer is alive while a shared lock on its row is held. The lock is taken here
 * on a fresh description that is sent with the row, so a consumer cannot forget
 * it, and the kernel drops it with the process.
 *
 * A sealed block cannot be adopted, not even by its owner: a restarted producer
 * makes a new one. Models: tests/model/strict.pml.
 * Tests: core-strict, core-sealed */
#include "producer-private.h"
#include "core/base/result-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Owner only, and not to be opened for writing. */
#define MODE_READ_ONLY 0400u
#define MODE_SHARED 0600u

static uint64_t
huge_page_of (DatahubHugePages asked)
{
  switch (asked) {
    case DATAHUB_HUGEPAGES_2M:
      return UINT64_C (1) << 21;
    case DATAHUB_HUGEPAGES_1G:
      return UINT64_C (1) << 30;
    default:
      return 0;
  }
}

/* Creates payload memory, on huge pages if the options ask for them and the kernel
 * has any. @size becomes its real size. */
int
strict_create_pool (DatahubProducer *producer, uint64_t *size, bool payload,
    const char *what, DatahubError *error)
{
  return os_create_memory (size,
      payload ? huge_page_of (producer->options.hugepages) : 0, MODE_READ_ONLY,
      what, error);
}

/* Seals the memory of @fd after the producer has mapped it. @fd is replaced by
 * a read-only description. */
bool
strict_seal (int *fd)
{
  int reader;
  if (!os_seal (*fd, true))
    return false;
  reader = os_reopen (*fd, false);
  if (reader < 0)
    return false;
  close (*fd);
  *fd = reader;
  return true;
}

static DatahubResult
fail_memory (const char *what, DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
      "The memory of a strict block cannot be %s: %s. Strict blocks need Linux "
      "5.1 or later.",
      what, strerror (errno));
}

/* Creates a row as it is without an owner. */
static int
create_row (const Block *block, uint64_t incarnation, uint32_t quota,
    DatahubError *error)
{
  ConsumerRow blank = { .gate = GATE_WORD (incarnation, GATE_OPEN),
    .incarnation = incarnation,
    .quota = quota };
  uint64_t size = block->g.row_stride;
  int fd = os_create_memory (&size, 0, MODE_SHARED, "row", error);
  if (fd < 0)
    return -1;
  if (os_write_all (fd, &blank, sizeof blank) && os_seal (fd, false))
    return fd;
  fail_memory ("written", error);
  close (fd);
  return -1;
}

/* Makes ctl, con and room for the rows; ctl is sealed. */
DatahubResult
strict_make_control (DatahubProducer *producer, DatahubError *error)
{
  Block *block = &producer->block;
  Geometry *g = &block->g;
  uint64_t ctl = g->ctl_size, con = g->con_size;
  DatahubError local;
  error = error ? error : &local;
  producer->rows = calloc (g->max_rows, sizeof *producer->rows);
  block->rows = os_make_room ((uint64_t) g->max_rows * g->row_stride);
  if (!producer->rows || !block->rows)
    return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
  for (uint32_t i = 0; i < g->max_rows; i++)
    producer->rows[i].fd = -1;
  producer->ctl_fd =
      os_create_memory (&ctl, 0, MODE_READ_ONLY, "control file", error);
  if (producer->ctl_fd < 0)
    return error->code;
  producer->con_fd =
      os_create_memory (&con, 0, MODE_SHARED, "consumer table", error);
  if (producer->con_fd < 0)
    return error->code;
  producer->blank_fd = create_row (block, 0, 0, error);
  if (producer->blank_fd < 0)
    return error->code;
  block->header = os_map (producer->ctl_fd, ctl, true);
  block->wake = os_map (producer->con_fd, con, true);
  if (!block->header || !block->wake)
    return fail_memory ("mapped", error);
  if (!strict_seal (&producer->ctl_fd) || !os_seal (producer->con_fd, false))
    return fail_memory ("sealed", error);
  STEP (STRICT_CONTROL_SEALED);
  block_set_pointers (block);
  block->rows_hwm = &producer->strict_hwm; /* con's belongs to the clients */
  return DATAHUB_OK;
}

static void *
row_at (const DatahubProducer *producer, uint32_t i)
{
  return block_row (&producer->block, i);
}

/* Called when the owner of row @i is gone: cleans the row and maps a blank one
 * in its place, even if the old one is still mapped elsewhere. The lock of the
 * rows must be held. */
static bool
retire_row (DatahubProducer *producer, uint32_t i)
{
  StrictRow *row = &producer->rows[i];
  bool dirty = !row_is_neutral (&producer->block, i);
  if (dirty) {
    /* before its effect: another thread can continue at once */
    add_relaxed (&producer->block.header->reaped, 1);
    row_clean (&producer->block, i);
  }
  store_seq (&producer->block.claims[i], 0);
  /* on failure the old row stays: neutral, unless its former owner writes */
  os_map_at (row_at (producer, i), producer->blank_fd,
      producer->block.g.row_stride);
  close (row->fd);
  row->fd = -1;
  row->granted = false;
  STEP (STRICT_ROW_RETIRED);
  return dirty;
}

/* Cleans row @i if its owner is dead, by the evidence of the lock that was
 * handed to it. The lock of the rows is held. */
bool
strict_reap_row (DatahubProducer *producer, uint32_t i)
{
  StrictRow *row = &producer->rows[i];
  if (!row->granted || !os_lock_is_free (row->fd, 0))
    return false;
  return retire_row (producer, i);
}

/* Chooses a quota as the consumers of a named block do among themselves (S3); here
 * a consumer cannot take more. */
static uint32_t
choose_quota (const DatahubProducer *producer, uint32_t asked)
{
  const Geometry *g = &producer->block.g;
  uint32_t quota = asked && asked < g->max_quota ? asked : g->max_quota;
  uint64_t taken = 0, left;
  for (uint32_t i = 0; i < g->max_rows; i++)
    if (producer->rows[i].granted)
      taken += producer->rows[i].quota + 1;
  left = g->lease_budget > taken + 1 ? g->lease_budget - taken - 1 : 0;
  return left < quota ? (uint32_t) left : quota;
}

/* Returns the lowest free row after reaping dead owners; -1: none. */
static int
find_row (DatahubProducer *producer)
{
  int found = -1;
  for (uint32_t i = producer->block.g.max_rows; i-- > 0;) {
    strict_reap_row (producer, i);
    if (!producer->rows[i].granted)
      found = (int) i;
  }
  return found;
}

/* Closes our copies. If they were not sent, the lock goes with them, and the
 * next look frees the row. */
void
strict_end_access (RowAccess *access)
{
  producer_close_fd (&access->row_fd);
  if (access->token_fd >= 0)
    os_close_lock_fd (access->token_fd);
  access->token_fd = -1;
}

/* Makes the object of row @i and the descriptors that are sent of it. */
static bool
make_row (DatahubProducer *producer, uint32_t i, RowAccess *access, int *own)
{
  uint64_t claim = producer->rows[i].claim;
  *own = create_row (&producer->block, claim, access->quota, NULL);
  if (*own < 0)
    return false;
  STEP (STRICT_ROW_MADE);
  /* descriptions of its own: the producer's tests the lock */
  access->row_fd = os_reopen (*own, true);
  access->token_fd = os_reopen_lock_fd (*own, false);
  return access->row_fd >= 0 && access->token_fd >= 0
      && os_lock_share (access->token_fd);
}

/* Clears the account of row @i, so that the next owner is not charged for the last
 * one. The last owner wrote its own gate, so that gate may equal the next owner's.
 * A thread that charges or evicts by it holds the lock, and has finished when this
 * function gets it. The row must have no owner. Model: NO_SETTLING. */
static void
settle_row (DatahubProducer *producer, uint32_t i)
{
  pthread_mutex_lock (&producer->lock);
  producer->blockers[i] = (Blocker){ 0 };
  and_seq (&producer->distrusted[i >> 6], ~(UINT64_C (1) << (i & 63)));
  pthread_mutex_unlock (&producer->lock);
}

/* The row is in the scan of A0 and A4 before its owner can pin anything. */
static bool
install_row (DatahubProducer *producer, uint32_t i, uint32_t quota, int own)
{
  StrictRow *row = &producer->rows[i];
  if (!os_map_at (row_at (producer, i), own, producer->block.g.row_stride))
    return false;
  row->fd = own;
  row->granted = true;
  row->quota = quota;
  row->claim++;
  store_seq (&producer->block.claims[i], row->claim);
  raise_u32_seq (&producer->strict_hwm, i + 1);
  STEP (STRICT_ROW_INSTALLED);
  return true;
}

/* Gives a free row to a client. The server's thread, which is the only caller. */
StrictStatus
strict_give_row (DatahubProducer *producer, uint32_t asked, RowAccess *access)
{
  StrictStatus status = STRICT_GRANTED;
  int i, own = -1;
  *access = (RowAccess){ .row_fd = -1, .token_fd = -1 };
  pthread_mutex_lock (&producer->reap_lock);
  i = find_row (producer);
  access->quota = choose_quota (producer, asked);
  pthread_mutex_unlock (&producer->reap_lock);
  if (i < 0)
    return STRICT_REFUSED_FULL;
  access->row = (uint32_t) i;
  settle_row (producer, access->row);
  if (!make_row (producer, access->row, access, &own))
    status = STRICT_REFUSED_SYSTEM;
  else {
    pthread_mutex_lock (&producer->reap_lock);
    if (!install_row (producer, access->row, access->quota, own))
      status = STRICT_REFUSED_SYSTEM;
    pthread_mutex_unlock (&producer->reap_lock);
  }
  if (status != STRICT_GRANTED) {
    strict_end_access (access);
    producer_close_fd (&own);
  }
  return status;
}

void
strict_free (DatahubProducer *producer)
{
  Block *block = &producer->block;
  for (uint32_t i = 0; producer->rows && i < block->g.max_rows; i++)
    producer_close_fd (&producer->rows[i].fd);
  free (producer->rows);
  producer_close_fd (&producer->blank_fd);
  if (block->rows)
    os_free_room (block->rows,
        (uint64_t) block->g.max_rows * block->g.row_stride);
  block->rows = NULL;
}
