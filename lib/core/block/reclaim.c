/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The search for blocks of which every process is dead. The evidence is the lock
 * file, or the entry if another program removed lck: a block without both is left
 * alone, so only these two kinds of names are opened.
 *
 * The start of a producer searches too. What this search costs must not depend on
 * the number of blocks: a process that starts hundreds would examine all for each.
 * So a start examines a limited number of names and continues where the previous
 * start of the process stopped. datahub_block_reclaim() examines all names.
 * Tests: core-reclaim, core-many */
#include "block-private.h"
#include "core/base/result-private.h"

#include <datahub/block.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The names that a start examines: of about 40 blocks. Fewer are examined as a
 * whole at each start. */
#define NAMES_PER_START 256u
/* The first start of a process, which may be its only one. */
#define NAMES_OF_FIRST_START 4096u
/* ctl, con, lck, sck, the entry, and as many pools as a table has, twice
 * over. */
#define N_FILES_LISTED (5 + 2 * MAX_POOLS)

typedef struct
{
  uint32_t user; /* the number in its names */
  Uuid uuid;
} DeadBlock;

typedef struct
{
  DeadBlock *blocks;
  size_t n, room;
} DeadList;

static void
add_block (DeadList *list, const DeadBlock *block)
{
  for (size_t i = 0; i < list->n; i++)
    if (list->blocks[i].user == block->user
        && memcmp (&list->blocks[i].uuid, &block->uuid, sizeof block->uuid)
            == 0)
      return;
  if (list->n == list->room) {
    size_t room = list->room ? list->room * 2 : 16;
    DeadBlock *grown = realloc (list->blocks, room * sizeof *grown);
    if (!grown)
      return;
    list->blocks = grown;
    list->room = room;
  }
  list->blocks[list->n++] = *block;
}

/* Whether @file is the entry of a block without lck. @uuid becomes that block's. */
static bool
is_only_link (int dir, const char *file, uint32_t user, Uuid *uuid)
{
  LockPage page;
  int fd = os_open_existing (dir, file, false);
  bool known = fd >= 0 && os_read_all (fd, &page, sizeof page)
      && page.magic == LOCK_MAGIC;
  os_close (&fd);
  if (known)
    memcpy (uuid->bytes, page.uuid, sizeof page.uuid);
  return known && !os_has_name (dir, name_part (user, uuid, "lck").text);
}

static void
collect_dead (int dir, const char *file, void *data)
{
  const char *channel, *part;
  DeadBlock block;
  NameKind kind = name_split (file, &block.user, &channel, &block.uuid, &part);
  if (kind == NAME_FOREIGN || (kind == NAME_PART && strcmp (part, "lck") != 0)
      || !block_is_own_file (dir, file))
    return;
  if (kind == NAME_ENTRY && !is_only_link (dir, file, block.user, &block.uuid))
    return;
  if (block_is_lock_file_dead (dir, file))
    add_block (data, &block);
}

/* ---- a start ---- */

/* Where the next start in the directory continues. */
typedef struct
{
  pthread_mutex_t lock;
  uint64_t device, inode;
  int64_t at;
} Cursor;

static Cursor cursor = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Returns the number of names that are examined, from *@at on. */
static uint32_t
begin_part (uint64_t device, uint64_t inode, int64_t *at)
{
  bool first;
  pthread_mutex_lock (&cursor.lock);
  first = cursor.device != device || cursor.inode != inode;
  if (first) {
    cursor.device = device;
    cursor.inode = inode;
    cursor.at = 0;
  }
  *at = cursor.at;
  pthread_mutex_unlock (&cursor.lock);
  return first ? NAMES_OF_FIRST_START : NAMES_PER_START;
}

static void
end_part (uint64_t device, uint64_t inode, int64_t at)
{
  pthread_mutex_lock (&cursor.lock);
  if (cursor.device == device && cursor.inode == inode)
    cursor.at = at;
  pthread_mutex_unlock (&cursor.lock);
}

/* Removes dead blocks for the start of a producer. A position is the file system's
 * own; after other names were removed it can skip some, which are examined in
 * the next round. */
void
block_reclaim_some (int dir)
{
  DeadList list = { 0 };
  uint64_t device, inode;
  uint32_t most;
  int64_t at;
  if (!os_identity (dir, &device, &inode))
    return;
  most = begin_part (device, inode, &at);
  block_for_some_names (dir, &at, most, collect_dead, &list);
  end_part (device, inode, at);
  for (size_t i = 0; i < list.n; i++)
    block_reclaim_dead (dir, list.blocks[i].user, &list.blocks[i].uuid);
  free (list.blocks);
}

/* ---- all of them ---- */

/* Names and sizes of the files of one block, for the user's function: collected
 * before the files are removed, reported afterwards. */
typedef struct
{
  DeadBlock block;
  int lck; /* its entry is a link to the same file */
  FileName names[N_FILES_LISTED];
  uint64_t bytes[N_FILES_LISTED];
  size_t n;
} FileList;

static void
list_file (int dir, const char *file, void *data)
{
  FileList *list = data;
  const char *channel, *part;
  Uuid uuid;
  struct stat st;
  NameKind kind = name_parse (list->block.user, file, &channel, &uuid, &part);
  bool ours =
      kind == NAME_PART && memcmp (&uuid, &list->block.uuid, sizeof uuid) == 0;
  if (kind == NAME_ENTRY && list->lck >= 0)
    ours = os_same_file (list->lck, dir, file);
  if (!ours || list->n == N_FILES_LISTED
      || fstatat (dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return;
  if (strlen (file) >= FILE_NAME_MAX)
    return;
  strcpy (list->names[list->n].text, file);
  list->bytes[list->n++] = (uint64_t) st.st_blocks * 512;
}

static void
reclaim_one (int dir, const DeadBlock *block, bool dry_run,
    DatahubReclaimFunc func, void *user_data)
{
  FileList *list = calloc (1, sizeof *list);
  bool dead;
  if (!list)
    return;
  list->block = *block;
  list->lck = os_open_existing (dir,
      name_part (block->user, &block->uuid, "lck").text, false);
  block_for_each_name (dir, list_file, list);
  dead = dry_run || block_reclaim_dead (dir, block->user, &block->uuid);
  for (size_t i = 0; i < list->n && dead && func; i++)
    func (list->names[i].text, list->bytes[i], user_data);
  os_close (&list->lck);
  free (list);
}

/**
 * datahub_block_reclaim:
 * @dry_run: only report what would be removed
 * @func: (nullable): called for each file with its name and the bytes it takes
 * @user_data: passed to @func
 * @error: (out) (optional): what went wrong
 *
 * Removes the blocks of this user if producer and consumers are all dead, as
 * shown by kernel locks: a block that is still open in any process stays. Does
 * not block.
 *
 * Returns: %DATAHUB_OK, or %DATAHUB_ERROR_SYSTEM
 */
DatahubResult
datahub_block_reclaim (bool dry_run, DatahubReclaimFunc func, void *user_data,
    DatahubError *error)
{
  DeadList list = { 0 };
  int dir;
  result_begin (error);
  dir = os_open_directory (error);
  if (dir < 0)
    return DATAHUB_ERROR_SYSTEM;
  block_for_each_name (dir, collect_dead, &list);
  for (size_t i = 0; i < list.n; i++)
    reclaim_one (dir, &list.blocks[i], dry_run, func, user_data);
  free (list.blocks);
  close (dir);
  return DATAHUB_OK;
}
