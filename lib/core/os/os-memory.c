/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory without a name: created, sealed and passed on by descriptor.
 * Tests: core-sealed, core-strict */
#include "os-limits-private.h"
#include "os-private.h"
#include "core/base/result-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif

#define SEALS_SIZE (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Memory of the machine that can be allocated without the OOM killer: no file system
 * limits its size. The control group can have less, see os-cgroup.c. */
uint64_t
os_memory_available (void)
{
  FILE *file = fopen ("/proc/meminfo", "re");
  char line[128];
  uint64_t kib = UINT64_MAX / 1024;
  while (file && fgets (line, sizeof line, file))
    if (sscanf (line, "MemAvailable: %" SCNu64, &kib) == 1)
      break;
  if (file)
    fclose (file);
  return kib * 1024;
}

static uint64_t
round_to (uint64_t size, uint64_t page)
{
  return page ? (size + page - 1) / page * page : size;
}

/* Returns new memory without a name that its owner alone may open again, none of
 * it allocated, or -1 with errno. With @huge_page it is on pages of that many
 * bytes, and @size becomes the size that it got. */
int
os_open_memory (uint64_t *size, uint64_t huge_page, uint32_t mode,
    const char *what)
{
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  OsSizeGuard guard;
  int fd, number;
  *size = round_to (*size, huge_page);
  if (huge_page)
    flags |=
        MFD_HUGETLB | (unsigned) __builtin_ctzll (huge_page) << MFD_HUGE_SHIFT;
  fd = memfd_create (what, flags);
  if (fd < 0)
    return fd;
  os_size_guard_begin (&guard);
  /* not 0777 as made: others could open it for writing by /proc */
  number = ftruncate (fd, (off_t) *size) < 0 || fchmod (fd, (mode_t) mode) < 0
      ? errno
      : 0;
  os_size_guard_end (&guard);
  if (!number)
    return fd;
  close (fd);
  errno = number;
  return -1;
}

/* As os_open_memory(), all of it allocated and zero. */
int
os_create_memory (uint64_t *size, uint32_t mode, const char *what,
    DatahubError *error)
{
  uint64_t available = os_memory_available ();
  int fd = -1, number = ENOMEM;
  if (os_check_group (*size, what, error) != DATAHUB_OK)
    return -1;
  if (*size <= available) {
    fd = os_open_memory (size, 0, mode, what);
    number = fd < 0 ? errno : os_reserve_piece (fd, 0, *size);
  }
  if (number == 0)
    return fd;
  os_close (&fd);
  if (number == ENOMEM || number == ENOSPC)
    result_fail (error, DATAHUB_ERROR_NO_SPACE, number,
        "Not enough memory for the %s: %.1f MiB wanted, %.1f MiB free.", what,
        *size / 1048576.0, available / 1048576.0);
  else
    result_fail (error,
        number == EFBIG ? DATAHUB_ERROR_NO_SPACE : DATAHUB_ERROR_SYSTEM, number,
        "Cannot make memory for the %s: %s.", what, os_reason (number));
  return -1;
}

/* Seals the size; with @read_only also against writing and new writable
 * mappings. Existing mappings keep their access. */
bool
os_seal (int fd, bool read_only)
{
  return fcntl (fd, F_ADD_SEALS,
             SEALS_SIZE | (read_only ? F_SEAL_FUTURE_WRITE : 0))
      == 0;
}

/* Whether the size cannot change under a mapping: another process made it. */
bool
os_is_sealed (int fd)
{
  int seals = fcntl (fd, F_GET_SEALS);
  return seals >= 0 && (seals & SEALS_SIZE) == SEALS_SIZE;
}

/* A description of its own for the memory behind @fd: locks and access are the
 * description's. */
int
os_reopen (int fd, bool writable)
{
  char path[40];
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  return open (path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
}

/* A shared lock on byte 0 for the open file description of @fd. It is held
 * until the last process has closed the description. Conflicts with
 * os_lock_is_free() of others. */
bool
os_lock_share (int fd)
{
  struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };
  return fcntl (fd, F_OFD_SETLK, &lock) == 0;
}
