/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules for unlinking names (rule N1 of the protocol):
 *
 * - The entry of a channel is a second link to the block's lock file, so that
 *   "the holder of byte 0 of the inode that the name resolves to now" is one
 *   test. Only that holder unlinks it, and unlinks while holding.
 * - Links are made in the order lck, pools, con, ctl, entry and removed in the
 *   order entry, ctl, con, pools, lck (of a strict block: lck, sck, entry and
 *   back). So, whenever a process is killed, its files have a lck, and they are
 *   garbage if its byte 0 and row bytes are all free; nothing else is.
 * - A missing name is no evidence: another program may have removed it from a
 *   living block. Without lck the entry is examined, a link to the same file.
 *   Without both nothing is removed.
 * Tests: core-lifecycle, core-reclaim, core-adopt-fit, core-lost-names */
#include "entry-private.h"
#include "core/base/result-private.h"
#include "core/os/os-limits-private.h"

#include <datahub/block.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A candidate may meet a reclaimer that holds byte 0 for an instant, or a
 * killed producer that has not exited completely. */
#define LOCK_PATIENCE_NS (200 * NS_PER_MS)
#define LOCK_RETRY_NS (2 * NS_PER_MS)
/* Tolerates other candidates that test the lock at the same time, each for an
 * instant. */
#define RECLAIM_TRIES 100

/* Calls @func with the names in the directory from *@at on, with @most of them.
 * *@at becomes the position of the next one, or 0 at the end. */
void
block_for_some_names (int dir, int64_t *at, uint32_t most, NameFunc func,
    void *data)
{
  int copy = openat (dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = NULL;
  struct dirent *entry = NULL;
  if (copy >= 0 && (*at == 0 || lseek (copy, (off_t) *at, SEEK_SET) >= 0))
    stream = fdopendir (copy);
  *at = 0;
  if (!stream) {
    if (copy >= 0)
      close (copy);
    return;
  }
  for (uint32_t n = 0; n < most && (entry = readdir (stream)); n++) {
    *at = entry->d_off;
    func (dir, entry->d_name, data);
  }
  if (!entry)
    *at = 0;
  closedir (stream);
}

/* Calls @func with every name in the directory. */
void
block_for_each_name (int dir, NameFunc func, void *data)
{
  int64_t at = 0;
  block_for_some_names (dir, &at, UINT32_MAX, func, data);
}

typedef struct
{
  uint32_t user;
  Uuid uuid;
} PartFilter;

static void
unlink_pool_of (int dir, const char *file, void *data)
{
  const PartFilter *filter = data;
  const char *channel, *part;
  Uuid uuid;
  if (name_parse (filter->user, file, &channel, &uuid, &part) == NAME_PART
      && memcmp (&uuid, &filter->uuid, sizeof uuid) == 0 && part[0] == 'd') {
    os_unlink (dir, file);
    STEP (UNLINK_POOL);
  }
}

typedef struct
{
  PartFilter filter;
  const uint32_t *gens;
  uint32_t n_gens;
  bool unlink_it;
  uint32_t n_found;
} StrayFilter;

static void
visit_stray_pool_of (int dir, const char *file, void *data)
{
  StrayFilter *stray = data;
  const char *channel, *part;
  Uuid uuid;
  uint32_t gen;
  if (name_parse (stray->filter.user, file, &channel, &uuid, &part) != NAME_PART
      || memcmp (&uuid, &stray->filter.uuid, sizeof uuid) != 0
      || part[0] != 'd')
    return;
  gen = (uint32_t) strtoul (part + 1, NULL, 10);
  for (uint32_t i = 0; i < stray->n_gens; i++)
    if (stray->gens[i] == gen)
      return;
  stray->n_found++;
  if (!stray->unlink_it)
    return;
  os_unlink (dir, file);
  STEP (UNLINK_POOL);
}

/* The number of pool files of @block with a generation that is not in @gens. */
uint32_t
block_count_stray_pools (const Block *block, const uint32_t *gens,
    uint32_t n_gens)
{
  StrayFilter stray = { { block->user, block->uuid }, gens, n_gens, false, 0 };
  block_for_each_name (block->dir, visit_stray_pool_of, &stray);
  return stray.n_found;
}

/* Removes the pool files of @block with a generation that is not in @gens (P4).
 * The caller holds byte 0. */
void
block_unlink_stray_pools (const Block *block, const uint32_t *gens,
    uint32_t n_gens)
{
  StrayFilter stray = { { block->user, block->uuid }, gens, n_gens, true, 0 };
  block_for_each_name (block->dir, visit_stray_pool_of, &stray);
}

/* Removes every file of a block but its entry, lck last. The caller holds
 * byte 0 of that block. */
void
block_unlink_parts (int dir, uint32_t user, const Uuid *uuid)
{
  PartFilter filter = { user, *uuid };
  os_unlink (dir, name_part (user, uuid, "sck").text);
  STEP (UNLINK_SCK);
  os_unlink (dir, name_part (user, uuid, "ctl").text);
  STEP (UNLINK_CTL);
  os_unlink (dir, name_part (user, uuid, "con").text);
  STEP (UNLINK_CON);
  block_for_each_name (dir, unlink_pool_of, &filter);
  os_unlink (dir, name_part (user, uuid, "lck").text);
  STEP (UNLINK_LCK);
}

/* Whether a living consumer has not opened every pool yet: the files must stay
 * linked until it has, or the last frames are out of its
 * reach. A row between its claim and its first look has seen none. */
bool
block_names_lagging (const Block *block)
{
  uint32_t changes = load_seq (&block->header->pool_changes);
  uint32_t rows = block_rows_in_use (block);
  for (uint32_t i = 0; i < rows; i++) {
    ConsumerRow *row = block_row (block, i);
    uint32_t state = load_seq (&row->state);
    if ((state == DATAHUB_CONSUMER_CLAIMED || state == DATAHUB_CONSUMER_ACTIVE)
        && load_acquire (&row->pools_seen) != changes
        && block_row_is_alive (block, block->lck, i))
      return true;
  }
  return false;
}

/* Takes byte 0 of a lock file, in at most 0.2 s. */
OsLock
block_lock_for_producer (int fd)
{
  int64_t end = os_now () + LOCK_PATIENCE_NS;
  for (;;) {
    OsLock got = os_lock_try (fd, LOCK_BYTE_PRODUCER);
    STEP (TAKEOVER_LOCK_TRIED);
    if (got != OS_LOCK_HELD || os_now () > end)
      return got;
    os_pause (LOCK_RETRY_NS);
  }
}

/* Closes the block of a dead producer on its behalf: its consumers read the
 * committed records and then search for the successor by name. The caller holds
 * byte 0. Returns whether one of them still needs the files. */
bool
block_close_for_the_dead (const char *channel, const Uuid *uuid)
{
  Block block;
  bool lagging = false;
  if (block_open (&block, channel, ACCESS_PRODUCE, NULL) != DATAHUB_OK)
    return false; /* damaged: no consumer can read it */
  if (memcmp (&block.uuid, uuid, sizeof *uuid) == 0) {
    store_seq (&block.header->state, DATAHUB_STATE_CLOSED);
    STEP (TAKEOVER_STATE_STORED);
    store_seq (&block.header->wake, load_relaxed (&block.header->wake) + 1);
    STEP (TAKEOVER_WAKE_STEPPED);
    os_futex_wake (&block.header->wake);
    STEP (TAKEOVER_WOKE);
    lagging = block_names_lagging (&block);
  }
  block_release (&block);
  return lagging;
}

static DatahubResult
fail_busy (const char *channel, int fd, DatahubError *error)
{
  LockPage page = { 0 };
  if (!os_read_all (fd, &page, sizeof page) || page.magic != LOCK_MAGIC)
    page.producer_pid = 0;
  return result_fail (error, DATAHUB_ERROR_BUSY, 0,
      "The DataBlock \"%s\" already has a live producer (process %u). Stop it, "
      "or choose another name. The number is that of its own PID namespace.",
      channel, page.producer_pid);
}

/* Removes the dead block that @fd, the entry, leads to. Byte 0 is held. Returns
 * whether its other files stay for a consumer that still needs them. */
static bool
remove_dead (int dir, const char *channel, uint32_t user, int fd, Uuid *uuid)
{
  LockPage page;
  bool known = os_read_all (fd, &page, sizeof page) && page.magic == LOCK_MAGIC;
  bool keep = false;
  if (known) {
    memcpy (uuid->bytes, page.uuid, sizeof uuid->bytes);
    keep = block_close_for_the_dead (channel, uuid);
  }
  os_unlink (dir, name_entry (user, channel).text);
  STEP (TAKEOVER_ENTRY_UNLINKED);
  if (known && !keep)
    block_unlink_parts (dir, user, uuid);
  return keep;
}

/* Frees the name for a new block, or fails with the process that holds it.
 * Takes up to 0.2 s. Models: tests/model/name.pml. */
DatahubResult
block_take_over (int dir, const char *channel, DatahubError *error)
{
  int64_t end = os_now () + 5 * LOCK_PATIENCE_NS;
  while (os_now () < end) {
    DatahubResult result = DATAHUB_OK;
    Entry entry = entry_find (dir, channel);
    FileName name = name_entry (entry.user, channel);
    uint64_t size;
    uint32_t owner;
    bool done = true, kept = false;
    Uuid uuid = { { 0 } };
    int fd;
    if (entry.rank < ENTRY_TAKEN)
      return DATAHUB_OK;
    if (entry.rank == ENTRY_TAKEN)
      return entry_fail_taken (channel, &entry, error);
    fd = os_open_lock_fd (dir, name.text, true);
    if (fd < 0 && errno == ENOENT)
      continue;
    if (fd < 0)
      return result_fail (error, DATAHUB_ERROR_DENIED, errno,
          "The name %s in %s is taken by a file that cannot be opened: %s.",
          name.text, datahub_shm_directory (), os_reason (errno));
    STEP (TAKEOVER_ENTRY_OPENED);
    if (!os_file_size (fd, &size, &owner) || owner != os_user ())
      result = result_fail (error, DATAHUB_ERROR_DENIED, 0,
          "The name %s in %s is taken by a file that is not a DataBlock's.",
          name.text, datahub_shm_directory ());
    else if (block_lock_for_producer (fd) != OS_LOCK_TAKEN)
      result = fail_busy (channel, fd, error);
    else if (os_same_file (fd, dir, name.text))
      kept = remove_dead (dir, channel, entry.user, fd, &uuid);
    else
      done = false; /* another candidate replaced it: look again */
    os_close_lock_fd (fd);
    STEP (TAKEOVER_UNLOCKED);
    /* the consumer they stayed for may have left while byte 0 was ours */
    if (kept)
      block_reclaim_dead (dir, entry.user, &uuid);
    if (done)
      return result;
  }
  return result_fail (error, DATAHUB_ERROR_BUSY, 0,
      "The name of the DataBlock \"%s\" keeps changing its block.", channel);
}

static bool
all_rows_free (int fd)
{
  return os_locks_are_free (fd, LOCK_BYTE_ROW, MAX_ROWS);
}

typedef struct
{
  uint32_t user;
  int fd;
} EntryFilter;

static void
unlink_entry_of (int dir, const char *file, void *data)
{
  const EntryFilter *filter = data;
  const char *channel, *part;
  Uuid uuid;
  if (name_parse (filter->user, file, &channel, &uuid, &part) == NAME_ENTRY
      && os_same_file (filter->fd, dir, file)) {
    os_unlink (dir, file);
    STEP (RECLAIM_ENTRY_UNLINKED);
  }
}

/* Whether a file is of this user, whatever the number in its name is. */
bool
block_is_own_file (int dir, const char *file)
{
  struct stat st;
  return fstatat (dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0
      && S_ISREG (st.st_mode) && st.st_uid == os_user ();
}

typedef struct
{
  uint32_t user;
  Uuid uuid;
  bool found;
  FileName name;
} LockSearch;

static void
look_for_lock (int dir, const char *file, void *data)
{
  LockSearch *search = data;
  const char *channel, *part;
  Uuid uuid;
  LockPage page;
  int fd;
  if (search->found || strlen (file) >= FILE_NAME_MAX
      || name_parse (search->user, file, &channel, &uuid, &part) != NAME_ENTRY
      || !block_is_own_file (dir, file)
      || (fd = os_open_existing (dir, file, false)) < 0)
    return;
  search->found = os_read_all (fd, &page, sizeof page)
      && page.magic == LOCK_MAGIC
      && memcmp (page.uuid, &search->uuid, sizeof search->uuid) == 0;
  strcpy (search->name.text, file);
  close (fd);
}

/* The name of the lock file of @uuid: lck, or the entry if another program removed
 * lck. A name that is missing is no evidence of death. False: there is none. */
static bool
find_lock_file (int dir, uint32_t user, const Uuid *uuid, FileName *name)
{
  LockSearch search = { .user = user, .uuid = *uuid };
  *name = name_part (user, uuid, "lck");
  if (os_has_name (dir, name->text))
    return true;
  block_for_each_name (dir, look_for_lock, &search);
  *name = search.name;
  return search.found;
}

/* Whether no process holds a lock of @file, the lck or the entry of a block. */
bool
block_is_lock_file_dead (int dir, const char *file)
{
  int fd = os_open_existing (dir, file, true);
  bool dead =
      fd >= 0 && os_lock_is_free (fd, LOCK_BYTE_PRODUCER) && all_rows_free (fd);
  os_close (&fd);
  return dead;
}

static bool
is_dead (int dir, uint32_t user, const Uuid *uuid)
{
  FileName name;
  return find_lock_file (dir, user, uuid, &name)
      && block_is_lock_file_dead (dir, name.text);
}

static bool
reclaim_once (int dir, uint32_t user, const Uuid *uuid)
{
  EntryFilter filter = { .user = user };
  FileName name;
  bool dead;
  if (!find_lock_file (dir, user, uuid, &name))
    return false;
  filter.fd = os_open_lock_fd (dir, name.text, true);
  if (filter.fd < 0)
    return false;
  STEP (RECLAIM_OPENED);
  dead = os_lock_try (filter.fd, LOCK_BYTE_PRODUCER) == OS_LOCK_TAKEN
      && all_rows_free (filter.fd) && os_same_file (filter.fd, dir, name.text);
  STEP (RECLAIM_LOCK_TRIED);
  if (dead) {
    block_for_each_name (dir, unlink_entry_of, &filter);
    block_unlink_parts (dir, user, uuid);
  }
  os_close_lock_fd (filter.fd);
  STEP (RECLAIM_UNLOCKED);
  return dead;
}

/* Removes the files of @uuid if its producer and all its consumers are gone.
 * Returns whether it did. If two processes leave at once, each can prevent the
 * other's removal, so the last one to release its lock tries again. Models:
 * tests/model/leave.pml. */
bool
block_reclaim_dead (int dir, uint32_t user, const Uuid *uuid)
{
  for (int i = 0; i < RECLAIM_TRIES; i++) {
    if (reclaim_once (dir, user, uuid))
      return true;
    if (!is_dead (dir, user, uuid))
      return false;
  }
  return false;
}

typedef struct
{
  DatahubListFunc func;
  void *user_data;
} ListCall;

/* A channel is listed once: by the file that it leads to. */
static void
list_entry (int dir, const char *file, void *data)
{
  const ListCall *call = data;
  const char *channel, *part;
  uint32_t user;
  Uuid uuid;
  if (name_split (file, &user, &channel, &uuid, &part) == NAME_ENTRY
      && (user == os_user ()
          || (block_is_own_file (dir, file)
              && entry_find (dir, channel).user == user)))
    call->func (channel, call->user_data);
}

DatahubResult
datahub_block_list (DatahubListFunc func, void *user_data, DatahubError *error)
{
  ListCall call = { func, user_data };
  int dir;
  result_begin (error);
  dir = os_open_directory (error);
  if (dir < 0)
    return DATAHUB_ERROR_SYSTEM;
  block_for_each_name (dir, list_entry, &call);
  close (dir);
  return DATAHUB_OK;
}
