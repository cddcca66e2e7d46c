/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One descriptor of the shared memory directory for all blocks that a process has
 * open. The path is opened each time, and the result is compared by device and
 * inode: a directory that was replaced has a descriptor of its own, and the blocks
 * in the former one keep theirs.
 *
 * A forked child inherits the table and the descriptors. It can use them for blocks
 * that it opens. The close of a parent's handle does nothing in the child, so a
 * descriptor that the parent used stays open there.
 * Tests: core-descriptors */
#include "os-private.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct
{
  int fd;
  uint64_t device, inode;
  uint32_t users;
} Directory;

/* Guarded by os_forbid_forks(). */
static Directory *directories;
static size_t n_directories, room_directories;

/* A descriptor of the same directory as @device and @inode, with one more user;
 * -1: there is none. Forks are forbidden. */
static int
use_known (uint64_t device, uint64_t inode)
{
  for (size_t i = 0; i < n_directories; i++) {
    Directory *known = &directories[i];
    if (known->device == device && known->inode == inode) {
      known->users++;
      return known->fd;
    }
  }
  return -1;
}

/* Forks are forbidden. A descriptor that is not in the table has one user. */
static void
note (int fd, uint64_t device, uint64_t inode)
{
  if (n_directories == room_directories) {
    size_t room = room_directories + 4;
    Directory *grown = realloc (directories, room * sizeof *grown);
    if (!grown)
      return;
    directories = grown;
    room_directories = room;
  }
  directories[n_directories++] = (Directory){ fd, device, inode, 1 };
}

int
os_share_directory (DatahubError *error)
{
  uint64_t device, inode;
  int fd = os_open_directory (error), known;
  if (fd < 0 || !os_identity (fd, &device, &inode))
    return fd;
  os_forbid_forks ();
  known = use_known (device, inode);
  if (known < 0)
    note (fd, device, inode);
  os_allow_forks ();
  if (known < 0)
    return fd;
  close (fd);
  return known;
}

/* Whether @fd had its last user, and is no longer in the table. */
static bool
is_unused (int fd)
{
  for (size_t i = 0; i < n_directories; i++)
    if (directories[i].fd == fd) {
      if (--directories[i].users > 0)
        return false;
      directories[i] = directories[--n_directories];
      return true;
    }
  return true;
}

void
os_release_directory (int *fd)
{
  bool unused;
  if (*fd < 0)
    return;
  os_forbid_forks ();
  unused = is_unused (*fd);
  os_allow_forks ();
  if (unused)
    close (*fd);
  *fd = -1;
}
