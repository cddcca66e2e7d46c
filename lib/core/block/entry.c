/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which file a channel leads to for this process. A block belongs to the
 * owner of its files, as the kernel shows it to this process: the number in a name is only
 * the one that its maker had in a user namespace of its own. So a block that was
 * made in a rootless container is found outside, and the other way round, if both
 * see one directory.
 *
 * The own number comes first, then the lowest other one. A file of another user is
 * found too, so that there is a reason to give.
 * Tests: core-identity, gst-identity */
#include "entry-private.h"
#include "core/base/result-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The errors below have a number of the system, those of a refusal by a producer
 * have none: a caller that waits can distinguish them. */
#define NOT_OURS EPERM

static EntryRank
rank_of_file (const struct stat *st, uint32_t number)
{
  bool plain = S_ISREG (st->st_mode), own = st->st_uid == os_user ();
  if (number == os_user ())
    return plain && own ? ENTRY_OWN : ENTRY_TAKEN;
  if (!plain)
    return ENTRY_NONE;
  return own ? ENTRY_OWN_ELSEWHERE : ENTRY_FOREIGN;
}

/* What is no lock file is left alone under another number. */
static bool
is_lock_file (int dir, const char *file)
{
  LockPage page;
  int fd = os_open_existing (dir, file, false);
  bool is = fd >= 0 && os_read_all (fd, &page, sizeof page)
      && page.magic == LOCK_MAGIC;
  if (fd >= 0)
    close (fd);
  return is;
}

static Entry
look_at (int dir, const char *file, uint32_t number)
{
  struct stat st;
  EntryRank rank;
  if (fstatat (dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return (Entry){ .user = number };
  rank = rank_of_file (&st, number);
  if (rank == ENTRY_OWN_ELSEWHERE && !is_lock_file (dir, file))
    rank = ENTRY_NONE;
  return (Entry){ .rank = rank,
    .user = number,
    .owner = (uint32_t) st.st_uid,
    .plain = S_ISREG (st.st_mode) };
}

typedef struct
{
  const char *channel;
  Entry best;
} Search;

static void
consider (int dir, const char *file, void *data)
{
  Search *search = data;
  uint32_t number;
  Entry entry;
  if (!name_is_entry_of (file, search->channel, &number))
    return;
  entry = look_at (dir, file, number);
  if (entry.rank > search->best.rank
      || (entry.rank == search->best.rank && entry.rank != ENTRY_NONE
          && number < search->best.user))
    search->best = entry;
}

/* The file that @channel leads to. Without one the number is the own. */
Entry
entry_find (int dir, const char *channel)
{
  Search search = { channel,
    look_at (dir, name_entry (os_user (), channel).text, os_user ()) };
  if (search.best.rank != ENTRY_OWN)
    block_for_each_name (dir, consider, &search);
  return search.best;
}

typedef struct
{
  const char *channel;
  uint32_t user;
  bool found;
} TwinSearch;

static void
consider_twin (int dir, const char *file, void *data)
{
  TwinSearch *search = data;
  uint32_t number;
  int fd;
  if (!name_is_entry_of (file, search->channel, &number)
      || number == search->user
      || look_at (dir, file, number).rank < ENTRY_OWN_ELSEWHERE)
    return;
  fd = os_open_existing (dir, file, false);
  if (fd < 0)
    return;
  search->found = search->found || !os_lock_is_free (fd, LOCK_BYTE_PRODUCER);
  close (fd);
}

/* Whether a living producer of the same user has the name under another number
 * than @user. Of two that publish at the same time under different numbers at
 * least one sees the other: each looks when its own entry is linked. */
bool
entry_has_live_twin (int dir, const char *channel, uint32_t user)
{
  TwinSearch search = { channel, user, false };
  block_for_each_name (dir, consider_twin, &search);
  return search.found;
}

DatahubResult
entry_fail_taken (const char *channel, const Entry *entry, DatahubError *error)
{
  FileName name = name_entry (entry->user, channel);
  return result_fail (error, DATAHUB_ERROR_DENIED, NOT_OURS,
      "The name of the DataBlock \"%s\" is taken by %s of user %u, which is not "
      "a block of this user (%u): %s/%s. Remove it, or choose another name.",
      channel, entry->plain ? "a file" : "a directory or special file",
      entry->owner, os_user (), datahub_shm_directory (), name.text);
}

DatahubResult
entry_fail_foreign (const char *channel, uint32_t owner, DatahubError *error)
{
  return result_fail (error, DATAHUB_ERROR_DENIED, NOT_OURS,
      "The DataBlock \"%s\" belongs to user %u and does not admit this user "
      "(%u). To share it, its sink needs strict=true, a shm-mode such as 0666, "
      "and the same broker=ENDPOINT as this process; see SECURITY.md.",
      channel, owner, os_user ());
}
