/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of a living producer's block can vanish: a script that tidies up removes
 * them, or logind with RemoveIPC=. Attached consumers do not need them; later ones do.
 *
 * The entry and lck are links to one file. As long as one of them is there, the
 * other is linked again: only the holder of byte 0 does it, and a link never
 * replaces what has the name. A name that leads to another file stays: it is
 * another producer's. If a part without a second link is gone, or both of these are,
 * the kernel cannot link the file again, and only another block can have the name:
 * datahub_producer_succeed().
 *
 * Killed between the removal of the old entry and the link of the new one, a producer
 * leaves two blocks without an entry: garbage for which lck is the evidence.
 * Tests: core-lost-names, gst-lost-names */
#include "producer-private.h"
#include "core/base/result-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
has_name (const Block *block, const char *part)
{
  return os_has_name (block->dir,
      name_part (block->user, &block->uuid, part).text);
}

/* The directory that the block is in is still the one that others look into. */
static bool
is_in_directory (const Block *block)
{
  uint64_t device, inode, device_now, inode_now;
  int now = os_open_directory (NULL);
  bool same = now >= 0 && os_identity (block->dir, &device, &inode)
      && os_identity (now, &device_now, &inode_now) && device == device_now
      && inode == inode_now;
  os_close (&now);
  return same;
}

/* Makes the directory again if it was removed and was this user's: with the same
 * mode, whatever the umask is. */
static void
make_directory (const Block *block)
{
  const char *path = datahub_shm_directory ();
  struct stat st;
  if (access (path, F_OK) == 0 || fstat (block->dir, &st) < 0
      || st.st_uid != os_user () || mkdir (path, 0700) < 0)
    return;
  if (chmod (path, st.st_mode & 07777) < 0)
    return; /* it admits this user alone */
}

/* Generations of the pools in the table. */
static uint32_t
list_pools (DatahubProducer *producer, uint32_t gens[MAX_POOLS])
{
  uint32_t n = 0;
  pthread_mutex_lock (&producer->lock);
  for (uint32_t i = 0; i < MAX_POOLS; i++)
    if (producer->pools.table[i])
      gens[n++] = producer->pools.table[i]->shape.gen;
  pthread_mutex_unlock (&producer->lock);
  return n;
}

static bool
has_pool (DatahubProducer *producer, uint32_t gen)
{
  uint32_t gens[MAX_POOLS], n = list_pools (producer, gens);
  for (uint32_t i = 0; i < n; i++)
    if (gens[i] == gen)
      return true;
  return false;
}

/* A pool that was removed meanwhile lost its name with it. */
static bool
has_pool_names (DatahubProducer *producer)
{
  const Block *block = &producer->block;
  uint32_t gens[MAX_POOLS], n = list_pools (producer, gens);
  for (uint32_t i = 0; i < n; i++)
    if (!os_has_name (block->dir,
            name_pool (block->user, &block->uuid, gens[i]).text)
        && has_pool (producer, gens[i]))
      return false;
  return true;
}

static bool
has_parts (DatahubProducer *producer)
{
  const Block *block = &producer->block;
  if (producer->options.strict)
    return has_name (block, "sck");
  return has_name (block, "ctl") && has_name (block, "con")
      && has_pool_names (producer);
}

/* Links @name to the lock file again, where there is nothing. */
static bool
link_again (DatahubProducer *producer, const FileName *name)
{
  const Block *block = &producer->block;
  if (os_same_file (block->lck, block->dir, name->text))
    return true;
  if (!os_link (block->lck, block->dir, name->text))
    return false;
  error_log_note (&producer->errors, DATAHUB_ERROR_NOT_FOUND,
      "A name of the block was removed by another program; it is there again.");
  return true;
}

static DatahubResult
fail_lost (const Block *block, DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_NOT_FOUND, 0,
      "The files of the DataBlock \"%s\" in %s were removed by another program: "
      "consumers that come later cannot find it.",
      block->channel, datahub_shm_directory ());
}

/* Whether the name leads to a living producer; it is not this one. */
static bool
is_in_use (const Block *block, const FileName *name)
{
  int fd = os_open_existing (block->dir, name->text, false);
  bool used = fd < 0 || !os_lock_is_free (fd, LOCK_BYTE_PRODUCER);
  os_close (&fd);
  return used;
}

static DatahubResult
check_links (DatahubProducer *producer, DatahubError *error)
{
  const Block *block = &producer->block;
  FileName entry = name_entry (block->user, block->channel);
  FileName lck = name_part (block->user, &block->uuid, "lck");
  bool linked = link_again (producer, &lck);
  STEP (NAMES_LCK_LINKED);
  if (link_again (producer, &entry)) {
    STEP (NAMES_ENTRY_LINKED);
    return linked || link_again (producer, &lck) ? DATAHUB_OK
                                                 : fail_lost (block, error);
  }
  if (errno == EEXIST && is_in_use (block, &entry))
    return result_fail (error, DATAHUB_ERROR_BUSY, 0,
        "The files of the DataBlock \"%s\" were removed, and its name in %s is "
        "another program's now: consumers that come later do not find this "
        "producer.",
        block->channel, datahub_shm_directory ());
  return fail_lost (block, error);
}

/**
 * datahub_producer_check_names:
 * @producer: a producer
 * @error: (out) (optional): what is missing
 *
 * Looks whether later consumers can find the block, and links the names again that
 * can be linked again. Costs a few system calls; must not run in two threads at
 * once, nor during a close.
 *
 * Models: tests/model/lost-names.pml.
 *
 * Returns: %DATAHUB_OK: all names are there, or the block has none now;
 *   %DATAHUB_ERROR_NOT_FOUND: they are gone for good, see
 *   datahub_producer_succeed(); %DATAHUB_ERROR_BUSY: the name leads to another
 *   block; %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_producer_check_names (DatahubProducer *producer, DatahubError *error)
{
  bool named;
  result_begin (error);
  if (producer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This producer belongs to the parent process.");
  pthread_mutex_lock (&producer->lock);
  named = producer->published && !producer->closed;
  pthread_mutex_unlock (&producer->lock);
  if (!named)
    return DATAHUB_OK;
  make_directory (&producer->block);
  if (!is_in_directory (&producer->block) || !has_parts (producer))
    return result_end (error, fail_lost (&producer->block, error));
  return result_end (error, check_links (producer, error));
}

/* Announces that another block follows this one. The state is stored later, with
 * an order that makes this visible before it. */
static void
name_successor (Block *block, const Uuid *next)
{
  memcpy (block->header->next_uuid, next->bytes, sizeof next->bytes);
  STEP (SUCCEED_NEXT_STORED);
}

/**
 * datahub_producer_succeed:
 * @producer: a published producer that lost its names
 * @successor: a producer of the same channel, created with `adopt` false and not
 *   published
 * @error: (out) (optional): why it failed
 *
 * Publishes @successor under the name of @producer, which must be closed then. Its
 * consumers read all that was committed, and find from
 * datahub_consumer_has_successor() that the stream goes on in another block.
 *
 * Returns: as datahub_producer_publish(). After a failure @producer goes on as it was,
 *   and @successor can only be closed
 */
DatahubResult
datahub_producer_succeed (DatahubProducer *producer, DatahubProducer *successor,
    DatahubError *error)
{
  Block *block = &producer->block;
  FileName entry = name_entry (block->user, block->channel);
  DatahubResult result;
  result_begin (error);
  if (producer->generation != os_generation ())
    return result_fail (error, DATAHUB_ERROR_FORKED, 0,
        "This producer belongs to the parent process.");
  if (os_same_file (block->lck, block->dir, entry.text))
    os_unlink (block->dir, entry.text);
  STEP (SUCCEED_ENTRY_UNLINKED);
  result = datahub_producer_publish (successor, error);
  if (result == DATAHUB_OK)
    name_successor (block, &successor->block.uuid);
  return result;
}
