/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every system call of the core. A port to another system replaces
 * os-linux.c. */
#ifndef DATAHUB_OS_PRIVATE_H
#define DATAHUB_OS_PRIVATE_H

#include "core/base/atomics-private.h"

#include <datahub/types.h>

#include <sys/types.h>

#define NS_PER_MS INT64_C (1000000)
#define NS_PER_S INT64_C (1000000000)

typedef enum
{
  OS_LOCK_TAKEN = 0,
  OS_LOCK_HELD, /* by another description */
  OS_LOCK_ERROR
} OsLock;

int64_t os_now (void);
int64_t os_now_coarse (void); /* some milliseconds late, for next to nothing */
/* When a wait of @timeout_ns that begins now is over; -1: never, also where that
 * is beyond the clock. */
static inline int64_t
os_end_of (int64_t timeout_ns)
{
  int64_t now;
  if (timeout_ns < 0)
    return -1;
  now = os_now ();
  return timeout_ns > INT64_MAX - now ? -1 : now + timeout_ns;
}
void os_pause (int64_t ns);
bool os_may_spin (void);
uint64_t os_wall_clock (void);
uint64_t os_uptime (void);
bool os_boot_id (uint8_t id[16]);
void os_time_namespace (uint64_t *device, uint64_t *inode);
uint32_t os_user (void);
uint32_t os_thread (void);

/* Files in the directory of shared memory; all fds are close-on-exec. */
int os_open_directory (DatahubError *error);
/* The same, as one descriptor for all users in this process; each must release it
 * and must not close it. */
int os_share_directory (DatahubError *error);
void os_release_directory (int *fd); /* -1 before: there is none; -1 after */
int os_open_unnamed (int dir, uint32_t mode);
int os_create_unnamed (int dir, uint64_t size, uint32_t mode, const char *what,
    DatahubError *error);
int os_open_existing (int dir, const char *name, bool writable);
void os_close (int *fd); /* -1 before: there is none; -1 after */
bool os_link (int fd, int dir, const char *name);
bool os_link_again (int dir, const char *from, const char *to);
bool os_unlink (int dir, const char *name);
bool os_same_file (int fd, int dir, const char *name);
bool os_file_size (int fd, uint64_t *size, uint32_t *owner);
bool os_is_whole (int fd);
bool os_has_name (int dir, const char *name);
uint64_t os_allocated (int fd);
bool os_identity (int fd, uint64_t *device, uint64_t *inode);
int os_reserve_piece (int fd, uint64_t offset, uint64_t size);
int os_file_mode (int dir, const char *name);
bool os_punch (int fd, uint64_t offset, uint64_t size);
bool os_space (int dir, uint64_t *total, uint64_t *available);
bool os_write_all (int fd, const void *bytes, size_t size);
bool os_read_all (int fd, void *bytes, size_t size);
bool os_read_at (int fd, void *bytes, size_t size, uint64_t offset);

/* Memory without a name, and its permitted access. */
int os_open_memory (uint64_t *size, uint64_t huge_page, uint32_t mode,
    const char *what);
int os_create_memory (uint64_t *size, uint32_t mode, const char *what,
    DatahubError *error);
uint64_t os_memory_available (void);
bool os_seal (int fd, bool read_only);
bool os_is_sealed (int fd);
int os_reopen (int fd, bool writable);
bool os_lock_share (int fd);

/* Unix sockets that carry descriptors; none of them waits, but the last. */
#define OS_FDS_MAX 32u
int os_listen (int dir, const char *name, uint32_t mode);
int os_accept (int fd);
int os_connect (int dir, const char *name);
bool os_peer (int fd, uint32_t *user, uint32_t *group);
uint32_t os_group (void);
bool os_send (int fd, const void *bytes, size_t size, const int *fds,
    uint32_t n_fds);
ssize_t os_receive (int fd, void *bytes, size_t size, int *fds,
    uint32_t *n_fds);
bool os_is_unread (int fd);
bool os_wait_readable (int fd, int other, int64_t timeout_ns);

void *os_map (int fd, uint64_t size, bool writable);
void os_unmap (void *map, uint64_t size);
void *os_make_room (uint64_t size);
void os_free_room (void *room, uint64_t size);
bool os_map_at (void *at, int fd, uint64_t size);
bool os_make_writable (void *room, uint64_t size);
void os_prefault (void *map, uint64_t size, bool writable, bool huge);
uint64_t os_page_size_of (const void *map);

/* Kernel locks of one open file description; gone with its last close. */
OsLock os_lock_try (int fd, uint64_t byte);
bool os_lock_is_free (int fd, uint64_t byte);
bool os_locks_are_free (int fd, uint64_t first, uint64_t n);
void os_lock_drop (int fd, uint64_t byte);

/* Futexes in shared mappings; @timeout_ns >= 0. The second word may be NULL. */
void os_futex_wait (shared_u32 *word, uint32_t expected, shared_u32 *word2,
    uint32_t expected2, int64_t timeout_ns);
void os_futex_wake (shared_u32 *word);

/* Fork safety: a handle remembers os_generation() and is refused in a child;
 * descriptors registered here are closed in the child at once, so that it does
 * not keep its parent's locks alive. Forks are counted from the first such
 * descriptor on, and every handle has one. */
extern shared_u32 os_forks;
static inline uint32_t
os_generation (void)
{
  return load_relaxed (&os_forks);
}
void os_count_forks (void);
/* What they enclose must be short and must not block. */
void os_forbid_forks (void);
void os_allow_forks (void);
bool os_register_lock_fd (int fd);
int os_open_lock_fd (int dir, const char *name, bool writable);
int os_reopen_lock_fd (int fd, bool writable);
void os_close_lock_fd (int fd);

#endif /* DATAHUB_OS_PRIVATE_H */
