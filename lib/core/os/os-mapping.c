/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mappings. In the build for ThreadSanitizer (option shared-mappings) all
 * threads of a process share one writable mapping of a file: the sanitizer
 * cannot see that two addresses are one page.
 * Tests: core-sealed, stress-threads */
#include "os-private.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define HUGE_PAGE_2M (UINT64_C (1) << 21)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#ifdef DATAHUB_SHARED_MAPPINGS

#include <pthread.h>
#include <stdlib.h>

typedef struct _SharedMapping SharedMapping;
struct _SharedMapping
{
  uint64_t device, inode, size;
  uint32_t users;
  bool writable;
  void *map;
  SharedMapping *next;
};

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static SharedMapping *shared_mappings; /* guarded by shared_lock */

static void
lock_mappings (void)
{
  pthread_mutex_lock (&shared_lock);
}

static void
unlock_mappings (void)
{
  pthread_mutex_unlock (&shared_lock);
}

/* A child is not to find the table locked by a thread it does not have. */
static void
watch_forks (void)
{
  pthread_atfork (lock_mappings, unlock_mappings, unlock_mappings);
}

static void *
map_shared_locked (int fd, uint64_t size, bool writable)
{
  uint64_t device, inode;
  SharedMapping *m;
  if (!os_identity (fd, &device, &inode))
    return NULL;
  for (m = shared_mappings; m; m = m->next)
    if (m->device == device && m->inode == inode && m->size == size) {
      /* a reader's becomes writable in its place, for a successor */
      if (writable && !m->writable) {
        if (mmap (m->map, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                fd, 0)
            == MAP_FAILED)
          return NULL;
        m->writable = true;
      }
      m->users++;
      return m->map;
    }
  m = calloc (1, sizeof *m);
  if (!m)
    return NULL;
  *m = (SharedMapping){ device, inode, size, 1, true,
    mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
    shared_mappings };
  if (m->map == MAP_FAILED) { /* a reader alone in its process */
    m->writable = false;
    m->map = mmap (NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  }
  if (m->map == MAP_FAILED) {
    free (m);
    return NULL;
  }
  shared_mappings = m;
  return m->map;
}

void *
os_map (int fd, uint64_t size, bool writable)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  void *map;
  pthread_once (&once, watch_forks);
  pthread_mutex_lock (&shared_lock);
  map = map_shared_locked (fd, size, writable);
  pthread_mutex_unlock (&shared_lock);
  return map;
}

void
os_unmap (void *map, uint64_t size)
{
  pthread_mutex_lock (&shared_lock);
  for (SharedMapping **at = &shared_mappings; *at; at = &(*at)->next) {
    SharedMapping *m = *at;
    if (m->map != map)
      continue;
    if (--m->users == 0) {
      *at = m->next;
      munmap (m->map, m->size);
      free (m);
    }
    break;
  }
  pthread_mutex_unlock (&shared_lock);
}

/* Memory that other handles of this process use stays mapped. */
static bool
in_use_at (const uint8_t *at)
{
  for (SharedMapping *m = shared_mappings; m; m = m->next)
    if (at >= (uint8_t *) m->map && at < (uint8_t *) m->map + m->size)
      return true;
  return false;
}

static void
forget_at (const uint8_t *from, uint64_t size)
{
  for (SharedMapping **at = &shared_mappings; *at;) {
    SharedMapping *m = *at;
    if ((uint8_t *) m->map < from || (uint8_t *) m->map >= from + size
        || --m->users > 0) {
      at = &m->next;
      continue;
    }
    *at = m->next;
    free (m);
  }
}

void
os_free_room (void *room, uint64_t size)
{
  pthread_mutex_lock (&shared_lock);
  forget_at (room, size);
  for (uint64_t at = 0; at < size; at += PAGE)
    if (!in_use_at ((uint8_t *) room + at))
      munmap ((uint8_t *) room + at, PAGE);
  pthread_mutex_unlock (&shared_lock);
}

bool
os_map_at (void *at, int fd, uint64_t size)
{
  SharedMapping *m = calloc (1, sizeof *m);
  uint64_t device = 0, inode = 0;
  bool done;
  if (!m)
    return false;
  pthread_mutex_lock (&shared_lock);
  /* past the sanitizer, which takes a mapping for a write to all of it; the
   * kernel puts one page in place of the other */
  done = os_identity (fd, &device, &inode)
      && syscall (SYS_mmap, at, size, (long) (PROT_READ | PROT_WRITE),
             (long) (MAP_SHARED | MAP_FIXED), (long) fd, 0L)
          == (long) (uintptr_t) at;
  if (done) {
    forget_at (at, size);
    *m = (SharedMapping){ device, inode, size, 1, true, at, shared_mappings };
    shared_mappings = m;
  } else
    free (m);
  pthread_mutex_unlock (&shared_lock);
  return done;
}

#else

void
os_free_room (void *room, uint64_t size)
{
  munmap (room, size);
}

/* Maps @fd writable over the mapping at @at in one step: other threads see
 * either the old or the new one. */
bool
os_map_at (void *at, int fd, uint64_t size)
{
  if (mmap (at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0)
      == MAP_FAILED)
    return false;
  madvise (at, size, MADV_DONTDUMP);
  madvise (at, size, MADV_DONTFORK);
  return true;
}

void *
os_map (int fd, uint64_t size, bool writable)
{
  void *map = mmap (NULL, size, PROT_READ | (writable ? PROT_WRITE : 0),
      MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return NULL;
  /* frames do not belong in core dumps, nor a block in a forked child */
  madvise (map, size, MADV_DONTDUMP);
  madvise (map, size, MADV_DONTFORK);
  return map;
}

void
os_unmap (void *map, uint64_t size)
{
  munmap (map, size);
}

#endif

/* Addresses with nothing behind them, for os_map_at(). */
void *
os_make_room (uint64_t size)
{
  void *room = mmap (NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return room == MAP_FAILED ? NULL : room;
}

/* Private memory in a room of os_make_room(). */
bool
os_make_writable (void *room, uint64_t size)
{
  return mprotect (room, size, PROT_READ | PROT_WRITE) == 0;
}

/* Fills in the page tables now rather than fault by fault on the streaming
 * path; a kernel that cannot only makes the first pass slower. @huge: on
 * transparent huge pages if the system has any. */
void
os_prefault (void *map, uint64_t size, bool writable, bool huge)
{
  madvise (map, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  madvise (map, size, writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

#define KIB 1024

/* The head of a mapping in smaps: "begin-end perms ...". */
static bool
is_mapping_of (const char *line, uintptr_t at, bool *head)
{
  uintptr_t begin, end;
  *head = sscanf (line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2;
  return *head && at >= begin && at < end;
}

/* Size of the pages of most of the mapping at @map, as reported by the kernel:
 * a request for huge pages may not be granted. The kernel walks all mappings
 * before this one, so it should only be called at creation. */
uint64_t
os_page_size_of (const void *map)
{
  FILE *smaps = fopen ("/proc/self/smaps", "re");
  uint64_t page = (uint64_t) sysconf (_SC_PAGESIZE), rss = 0, kib;
  bool inside = false, head;
  char line[512];
  while (smaps && fgets (line, sizeof line, smaps)) {
    bool ours = is_mapping_of (line, (uintptr_t) map, &head);
    if (head && inside)
      break;
    inside = inside || ours;
    if (!inside)
      continue;
    if (sscanf (line, "KernelPageSize: %" SCNu64, &kib) == 1)
      page = kib * KIB;
    else if (sscanf (line, "Rss: %" SCNu64, &kib) == 1)
      rss = kib;
    else if ((sscanf (line, "ShmemPmdMapped: %" SCNu64, &kib) == 1
                 || sscanf (line, "FilePmdMapped: %" SCNu64, &kib) == 1)
        && kib > rss / 2 && kib > 0)
      page = HUGE_PAGE_2M; /* mapped by an entry of the PMD */
  }
  if (smaps)
    fclose (smaps);
  return page;
}
