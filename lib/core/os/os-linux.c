/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls for files, locks, futexes and clocks on Linux.
 * Tests: core-space, core-namespaces, core-limits */
#include "os-limits-private.h"
#include "os-private.h"
#include "core/base/result-private.h"

#include <datahub/block.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* struct futex_waitv of Linux 5.16; older headers lack it. */
typedef struct
{
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
} WaitVector;
#define WAIT_VECTOR_32 2

/* Without futex_waitv a sleeper looks at its second word this often. */
#define BLIND_SLICE_NS (20 * NS_PER_MS)
/* Space is asked for in pieces so that a signal can get through. */
#define ALLOCATE_PIECE (UINT64_C (1) << 30)

/* For polling a state that has no wake-up; @ns must be below a second. */
void
os_pause (int64_t ns)
{
  struct timespec ts = { 0, (long) ns };
  nanosleep (&ts, NULL);
}

/* Whether this process may run on more than one processor. */
static bool
is_multiprocessor (void)
{
  static shared_u32 answer; /* 0: not asked yet */
  uint32_t known = load_relaxed (&answer);
  cpu_set_t set;
  if (!known) {
    known =
        sched_getaffinity (0, sizeof set, &set) == 0 && CPU_COUNT (&set) == 1
        ? 1
        : 2;
    store_relaxed (&answer, known);
  }
  return known == 2;
}

int64_t
os_now (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (int64_t) ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t
os_now_coarse (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_MONOTONIC_COARSE, &ts);
  return (int64_t) ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static bool
is_real_time (void)
{
  int policy = sched_getscheduler (0) & ~SCHED_RESET_ON_FORK;
  return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

/* Whether the calling thread may spin until another thread acts, which must be
 * able to run meanwhile. An ordinary thread does not preempt one with a
 * real-time policy, so on the same processor it would never act. The kernel is
 * queried once per second and thread, because a reader can call this for every
 * buffer. */
bool
os_may_spin (void)
{
  static __thread int64_t asked_at; /* 0: not yet */
  static __thread bool may;
  int64_t now;
  if (!is_multiprocessor ())
    return false;
  now = os_now_coarse ();
  if (asked_at == 0 || now - asked_at >= NS_PER_S) {
    asked_at = now;
    may = !is_real_time ();
  }
  return may;
}

uint64_t
os_wall_clock (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_REALTIME, &ts);
  return (uint64_t) ts.tv_sec * NS_PER_S + (uint64_t) ts.tv_nsec;
}

/* It cannot be set, and goes on while the machine is suspended. */
uint64_t
os_uptime (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_BOOTTIME, &ts);
  return (uint64_t) ts.tv_sec * NS_PER_S + (uint64_t) ts.tv_nsec;
}

/* Processes in one time namespace have the same numbers; 0, 0: it is not known, or
 * there are none in this kernel. */
void
os_time_namespace (uint64_t *device, uint64_t *inode)
{
  struct stat st;
  bool known = stat ("/proc/self/ns/time", &st) == 0;
  *device = known ? (uint64_t) st.st_dev : 0;
  *inode = known ? (uint64_t) st.st_ino : 0;
}

/* The value of a hexadecimal digit, or -1. */
static int
digit_value (char c)
{
  static const char digits[] = "0123456789abcdef";
  const char *at = c ? strchr (digits, c) : NULL;
  return at ? (int) (at - digits) : -1;
}

/* The number that the kernel chose when it booted; the same in all containers.
 * False, and all 0: it cannot be read. */
bool
os_boot_id (uint8_t id[16])
{
  FILE *file = fopen ("/proc/sys/kernel/random/boot_id", "re");
  char text[40] = { 0 };
  uint32_t n = 0;
  memset (id, 0, 16);
  if (!file)
    return false;
  if (!fgets (text, sizeof text, file))
    text[0] = 0;
  fclose (file);
  for (const char *c = text; *c && n < 32; c++) {
    int value = digit_value (*c);
    if (value < 0)
      continue; /* the groups are separated by '-' */
    id[n / 2] = (uint8_t) (id[n / 2] << 4 | value);
    n++;
  }
  if (n < 32)
    memset (id, 0, 16);
  return n == 32;
}

/* The number of the calling thread; asked of the kernel once a thread, and again
 * in a forked child, where it is another. */
uint32_t
os_thread (void)
{
  static _Thread_local uint32_t thread, generation;
  if (thread == 0 || generation != os_generation ()) {
    thread = (uint32_t) syscall (SYS_gettid);
    generation = os_generation ();
  }
  return thread;
}

uint32_t
os_user (void)
{
  return (uint32_t) geteuid ();
}

const char *
datahub_shm_directory (void)
{
  const char *dir = getenv ("DATAHUB_SHM_DIR");
  return dir && dir[0] ? dir : "/dev/shm";
}

int
os_open_directory (DatahubError *error)
{
  const char *path = datahub_shm_directory ();
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    result_fail (error, DATAHUB_ERROR_SYSTEM, errno,
        "Cannot open the shared memory directory %s: %s. Set DATAHUB_SHM_DIR to "
        "a directory of your own on a tmpfs, or unset it.",
        path, os_reason (errno));
  return fd;
}

bool
os_space (int dir, uint64_t *total, uint64_t *available)
{
  struct statvfs vfs;
  if (fstatvfs (dir, &vfs) < 0)
    return false;
  *total = (uint64_t) vfs.f_blocks * vfs.f_frsize;
  *available = (uint64_t) vfs.f_bavail * vfs.f_frsize;
  return true;
}

static DatahubResult
fail_allocate (int dir, uint64_t size, const char *what, int number,
    DatahubError *error)
{
  uint64_t total = 0, available = 0;
  const char *path = datahub_shm_directory ();
  if (number != ENOSPC && number != EDQUOT)
    return result_fail (error,
        number == EFBIG ? DATAHUB_ERROR_NO_SPACE : DATAHUB_ERROR_SYSTEM, number,
        "Cannot allocate %llu bytes for the %s in %s: %s.",
        (unsigned long long) size, what, path, os_reason (number));
  os_space (dir, &total, &available);
  return result_fail (error, DATAHUB_ERROR_NO_SPACE, number,
      "Not enough shared memory for the %s: %.1f MiB wanted, %.1f MiB free of "
      "%.1f MiB in %s. Make that file system bigger, or use fewer or smaller "
      "slots.",
      what, size / 1048576.0, available / 1048576.0, total / 1048576.0, path);
}

/* Every page is allocated here, so no store to a mapping can meet SIGBUS later
 * because the file system is full. Returns 0 or errno. */
int
os_reserve_piece (int fd, uint64_t offset, uint64_t size)
{
  int tries = 0, number = 0;
  OsSizeGuard guard;
  os_size_guard_begin (&guard);
  while (!number && fallocate (fd, 0, (off_t) offset, (off_t) size) < 0)
    if (errno != EINTR || ++tries > 1000)
      number = errno;
  os_size_guard_end (&guard);
  return number;
}

static int
allocate (int fd, uint64_t size)
{
  int number = 0;
  for (uint64_t at = 0; at < size && !number; at += ALLOCATE_PIECE)
    number = os_reserve_piece (fd, at,
        size - at < ALLOCATE_PIECE ? size - at : ALLOCATE_PIECE);
  return number;
}

/* Returns a new empty file without a name, or -1 with errno. A process killed
 * from here on leaves nothing until os_link(). */
int
os_open_unnamed (int dir, uint32_t mode)
{
  int fd = openat (dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  int number;
  /* not left to the umask: every class that may read must be able to attach */
  if (fd < 0 || fchmod (fd, (mode_t) mode) == 0)
    return fd;
  number = errno;
  close (fd);
  errno = number;
  return -1;
}

static DatahubResult
fail_create (int number, DatahubError *error)
{
  bool denied = number == EROFS || number == EACCES || number == EPERM;
  const char *advice = "";
  if (number == EROFS)
    advice = " Mount it writable for this process, or set DATAHUB_SHM_DIR to a "
             "directory that is.";
  else if (denied)
    advice =
        " Set DATAHUB_SHM_DIR to a directory on a tmpfs in which this user "
        "may create files.";
  else if (number == EOPNOTSUPP || number == EISDIR)
    advice =
        " Set DATAHUB_SHM_DIR to a directory on a tmpfs: its file system has "
        "no files without a name.";
  return result_fail (error,
      denied ? DATAHUB_ERROR_DENIED : DATAHUB_ERROR_SYSTEM, number,
      "Cannot create files in the shared memory directory %s: %s.%s",
      datahub_shm_directory (), os_reason (number), advice);
}

/* As os_open_unnamed(), all of it allocated and zero. */
int
os_create_unnamed (int dir, uint64_t size, uint32_t mode, const char *what,
    DatahubError *error)
{
  int fd, number;
  if (os_check_group (size, what, error) != DATAHUB_OK)
    return -1;
  fd = os_open_unnamed (dir, mode);
  number = fd < 0 ? errno : allocate (fd, size);
  if (!number)
    return fd;
  if (fd < 0 && number != ENOSPC && number != EDQUOT) {
    fail_create (number, error);
    return -1;
  }
  os_close (&fd); /* what it got counts as free again */
  fail_allocate (dir, size, what, number, error);
  return -1;
}

void
os_close (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

int
os_open_existing (int dir, const char *name, bool writable)
{
  return openat (dir, name,
      (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

bool
os_link (int fd, int dir, const char *name)
{
  char path[40];
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  return linkat (AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) == 0;
}

bool
os_link_again (int dir, const char *from, const char *to)
{
  return linkat (dir, from, dir, to, 0) == 0;
}

bool
os_unlink (int dir, const char *name)
{
  return unlinkat (dir, name, 0) == 0;
}

bool
os_same_file (int fd, int dir, const char *name)
{
  struct stat mine, named;
  return fstat (fd, &mine) == 0
      && fstatat (dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0
      && mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

bool
os_file_size (int fd, uint64_t *size, uint32_t *owner)
{
  struct stat st;
  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    return false;
  *size = (uint64_t) st.st_size;
  *owner = (uint32_t) st.st_uid;
  return true;
}

/* Whether every page of the file is allocated. */
bool
os_is_whole (int fd)
{
  struct stat st;
  return fstat (fd, &st) == 0
      && (uint64_t) st.st_blocks * 512 >= (uint64_t) st.st_size;
}

bool
os_has_name (int dir, const char *name)
{
  return faccessat (dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The bytes that the file takes; if that is not known, as many as there can be. */
uint64_t
os_allocated (int fd)
{
  struct stat st;
  return fstat (fd, &st) == 0 ? (uint64_t) st.st_blocks * 512 : UINT64_MAX;
}

/* Permissions of a plain file, or -1. */
int
os_file_mode (int dir, const char *name)
{
  struct stat st;
  if (fstatat (dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0
      || !S_ISREG (st.st_mode))
    return -1;
  return (int) (st.st_mode & 07777);
}

bool
os_identity (int fd, uint64_t *device, uint64_t *inode)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return false;
  *device = (uint64_t) st.st_dev;
  *inode = (uint64_t) st.st_ino;
  return true;
}

/* Gives memory back. False: it leaves with the last mapping. */
bool
os_punch (int fd, uint64_t offset, uint64_t size)
{
  return fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
             (off_t) offset, (off_t) size)
      == 0;
}

bool
os_write_all (int fd, const void *bytes, size_t size)
{
  OsSizeGuard guard;
  ssize_t written;
  os_size_guard_begin (&guard);
  written = pwrite (fd, bytes, size, 0);
  os_size_guard_end (&guard);
  return written == (ssize_t) size;
}

bool
os_read_all (int fd, void *bytes, size_t size)
{
  return pread (fd, bytes, size, 0) == (ssize_t) size;
}

bool
os_read_at (int fd, void *bytes, size_t size, uint64_t offset)
{
  uint8_t *at = bytes;
  while (size > 0) {
    ssize_t n = pread (fd, at, size, (off_t) offset);
    if (n <= 0)
      return false;
    at += n;
    offset += (uint64_t) n;
    size -= (size_t) n;
  }
  return true;
}

OsLock
os_lock_try (int fd, uint64_t byte)
{
  struct flock lock = { .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = (off_t) byte,
    .l_len = 1 };
  if (fcntl (fd, F_OFD_SETLK, &lock) == 0)
    return OS_LOCK_TAKEN;
  return errno == EAGAIN || errno == EACCES ? OS_LOCK_HELD : OS_LOCK_ERROR;
}

/* Tests the lock without taking it, so that the test never makes a candidate
 * fail. A lock of @fd's own description counts as free. */
bool
os_lock_is_free (int fd, uint64_t byte)
{
  return os_locks_are_free (fd, byte, 1);
}

/* Whether no other description holds one of the @n bytes from @first on. */
bool
os_locks_are_free (int fd, uint64_t first, uint64_t n)
{
  struct flock lock = { .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = (off_t) first,
    .l_len = (off_t) n };
  return fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

void
os_lock_drop (int fd, uint64_t byte)
{
  struct flock lock = { .l_type = F_UNLCK,
    .l_whence = SEEK_SET,
    .l_start = (off_t) byte,
    .l_len = 1 };
  if (fcntl (fd, F_OFD_SETLK, &lock) < 0)
    return; /* closing the description drops it anyway */
}

static bool
wait_vector (shared_u32 *word, uint32_t expected, shared_u32 *word2,
    uint32_t expected2, int64_t timeout_ns)
{
  static _Atomic bool missing;
  WaitVector vector[2] = {
    { expected, (uint64_t) (uintptr_t) word, WAIT_VECTOR_32, 0 },
    { expected2, (uint64_t) (uintptr_t) word2, WAIT_VECTOR_32, 0 },
  };
  int64_t end = os_now () + timeout_ns;
  struct timespec ts = { (time_t) (end / NS_PER_S), (long) (end % NS_PER_S) };
  if (load_relaxed (&missing))
    return false;
  if (syscall (SYS_futex_waitv, vector, 2, 0, &ts, CLOCK_MONOTONIC) >= 0)
    return true;
  if (errno == ENOSYS || errno == EPERM) {
    store_relaxed (&missing, true);
    return false;
  }
  return true; /* EAGAIN, EINTR, ETIMEDOUT: the caller looks again */
}

void
os_futex_wait (shared_u32 *word, uint32_t expected, shared_u32 *word2,
    uint32_t expected2, int64_t timeout_ns)
{
  struct timespec ts;
  if (word2) {
    if (wait_vector (word, expected, word2, expected2, timeout_ns))
      return;
    if (timeout_ns > BLIND_SLICE_NS)
      timeout_ns = BLIND_SLICE_NS;
    if (load_seq (word2) != expected2)
      return;
  }
  ts.tv_sec = (time_t) (timeout_ns / NS_PER_S);
  ts.tv_nsec = (long) (timeout_ns % NS_PER_S);
  syscall (SYS_futex, word, FUTEX_WAIT, expected, &ts, NULL, 0);
}

void
os_futex_wake (shared_u32 *word)
{
  syscall (SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}
