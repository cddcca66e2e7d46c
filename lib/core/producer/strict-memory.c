/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a strict block on the producer's side.
 *
 * Nothing of it has a name. Sizes are sealed, so no client can make a mapping end
 * early; ctl and the pools are sealed against writing too, once the producer has
 * mapped them. The rows are in strict-rows.c.
 *
 * A sealed block cannot be adopted, not even by its owner: a restarted producer
 * makes a new one. Models: tests/model/strict.pml.
 * Tests: core-strict, core-sealed */
#include "producer-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Owner only, and not to be opened for writing. */
#define MODE_READ_ONLY 0400u
#define MODE_SHARED 0600u

static uint64_t
huge_page (const Backing *backing)
{
  switch (backing->options->hugepages) {
    case DATAHUB_HUGEPAGES_2M:
      return UINT64_C (1) << 21;
    case DATAHUB_HUGEPAGES_1G:
      return UINT64_C (1) << 30;
    default:
      return 0;
  }
}

static int
create_pool (const Backing *backing, uint64_t *size, uint64_t huge_page,
    const char *what)
{
  (void) backing;
  return os_open_memory (size, huge_page, MODE_READ_ONLY, what);
}

/* Seals the memory of @fd after the producer has mapped it. @fd is replaced by
 * a read-only description. */
static bool
seal (int *fd)
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

/* errno has the reason; that of an older kernel is EINVAL. */
DatahubResult
strict_fail_memory (const char *what, DatahubError *error)
{
  int number = errno;
  return result_fail (error, DATAHUB_ERROR_SYSTEM, number,
      "The memory of a strict block cannot be %s: %s.%s", what,
      os_reason (number),
      number == EINVAL ? " Strict blocks need Linux 5.1 or later." : "");
}

/* Makes ctl and con; ctl is sealed. */
static DatahubResult
make_shared (Backing *backing, DatahubError *error)
{
  Block *block = backing->block;
  uint64_t ctl = block->g.ctl_size, con = block->g.con_size;
  backing->ctl_fd =
      os_create_memory (&ctl, MODE_READ_ONLY, "control file", error);
  if (backing->ctl_fd < 0)
    return error->code;
  backing->con_fd =
      os_create_memory (&con, MODE_SHARED, "consumer table", error);
  if (backing->con_fd < 0)
    return error->code;
  block->header = os_map (backing->ctl_fd, ctl, true);
  block->wake = os_map (backing->con_fd, con, true);
  if (!block->header || !block->wake)
    return strict_fail_memory ("mapped", error);
  if (!seal (&backing->ctl_fd) || !os_seal (backing->con_fd, false))
    return strict_fail_memory ("sealed", error);
  STEP (STRICT_CONTROL_SEALED);
  return DATAHUB_OK;
}

static DatahubResult
make_control (DatahubProducer *producer, DatahubError *error)
{
  Block *block = &producer->block;
  DatahubResult result = strict_make_rows (&producer->reaper, error);
  if (result == DATAHUB_OK)
    result = make_shared (&producer->backing, error);
  if (result != DATAHUB_OK)
    return result;
  block_set_pointers (block);
  block->rows_hwm = &producer->reaper.rows_hwm; /* con's is the clients' */
  producer->backing.server =
      strict_server_new (producer, producer->options.secret);
  if (producer->backing.server)
    return DATAHUB_OK;
  return result_fail (error, DATAHUB_ERROR_SYSTEM, ENOMEM, "Out of memory.");
}

/* The memory is on no file system, but keeps within the same limits. */
static uint64_t
available (uint64_t space)
{
  (void) space;
  return os_memory_available ();
}

static void
offer_pool (const Backing *backing, const Pool *pool)
{
  strict_server_add_pool (backing->server, pool->shape.gen,
      (PoolKind) pool->shape.kind, pool->fd);
}

static void
withdraw_pool (const Backing *backing, const Pool *pool)
{
  strict_server_drop_pool (backing->server, pool->shape.gen);
}

/* Only the lock file and the socket of the server get names. */
static bool
link_pool (const Backing *backing, const Pool *pool)
{
  (void) backing;
  (void) pool;
  return true;
}

static bool
link_control (Backing *backing)
{
  (void) backing;
  return true;
}

static void
remove_pool (const Backing *backing, const Pool *pool)
{
  (void) backing;
  (void) pool;
}

static DatahubResult
serve (const Backing *backing, DatahubError *error)
{
  return strict_server_open (backing->server, error);
}

/* Only the producer can test the lock of a row. */
static void
update_claims (Reaper *reaper)
{
  reaper_run (reaper, 0);
}

static void
stop_serving (const Backing *backing)
{
  strict_server_close (backing->server);
}

/* Clients have every pool already. */
static bool
wait_for_laggards (const Backing *backing)
{
  (void) backing;
  return false;
}

static void
free_all (DatahubProducer *producer)
{
  strict_server_free (producer->backing.server);
  producer->backing.server = NULL;
  strict_free_rows (&producer->reaper);
}

const BackingFuncs strict_backing = {
  .place = "memory",
  .make_control = make_control,
  .available = available,
  .huge_page = huge_page,
  .create_pool = create_pool,
  .seal_pool = seal,
  .offer_pool = offer_pool,
  .link_pool = link_pool,
  .withdraw_pool = withdraw_pool,
  .remove_pool = remove_pool,
  .link_control = link_control,
  .serve = serve,
  .reap_row = strict_reap_row,
  .update_claims = update_claims,
  .stop_serving = stop_serving,
  .wait_for_laggards = wait_for_laggards,
  .free = free_all,
};
