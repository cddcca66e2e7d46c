/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One inotify instance serves all watches of a process: a user may have only 128,
 * and the close of one can take seconds on a busy machine. There is no thread for
 * it. Of the threads that wait, one polls the descriptor and gives each change to
 * the watches of that name; the others sleep on a condition. When it returns, one
 * of the others takes its place.
 *
 * It is kept until the process ends. A forked child makes its own: it must not take
 * the events of its parent.
 * Tests: core-wait, core-watch */
#include "notify-private.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

struct Notify
{
  uint32_t generation; /* of the process that made it */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int inotify; /* -1: watches look once a second alone */
  int bell; /* ends the poll */
  bool polled; /* one thread polls */
  NotifyEntry *entries;
};

static Notify *_Atomic shared;

static Notify *
notify_new (void)
{
  Notify *notify = calloc (1, sizeof *notify);
  pthread_condattr_t monotonic;
  if (!notify)
    return NULL;
  notify->generation = os_generation ();
  notify->inotify = notify->bell = -1;
  pthread_mutex_init (&notify->lock, NULL);
  pthread_condattr_init (&monotonic);
  pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init (&notify->changed, &monotonic);
  pthread_condattr_destroy (&monotonic);
  return notify;
}

static void
close_if_open (int fd)
{
  if (fd >= 0)
    close (fd);
}

/* A child closes its copies; what its parent's threads held stays as it is. */
static void
forget (const Notify *before)
{
  if (!before)
    return;
  close_if_open (before->inotify);
  close_if_open (before->bell);
}

/* False in a forked child: its parent's threads may hold the lock for ever. */
bool
notify_is_ours (const Notify *notify)
{
  return notify->generation == os_generation ();
}

/* That of this process; NULL: out of memory. Any thread. */
Notify *
notify_get (void)
{
  Notify *notify, *own;
  os_count_forks ();
  notify = atomic_load (&shared);
  if (notify && notify_is_ours (notify))
    return notify;
  own = notify_new ();
  if (!own)
    return NULL;
  if (!atomic_compare_exchange_strong (&shared, &notify, own)) {
    free (own);
    return notify;
  }
  forget (notify);
  return own;
}

void
notify_lock (Notify *notify)
{
  pthread_mutex_lock (&notify->lock);
}

void
notify_unlock (Notify *notify)
{
  pthread_mutex_unlock (&notify->lock);
}

/* The lock is held. The directory may be another one than last time. */
static void
open_inotify (Notify *notify)
{
  if (notify->inotify < 0)
    notify->inotify = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  if (notify->inotify >= 0)
    inotify_add_watch (notify->inotify, datahub_shm_directory (),
        IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MODIFY);
}

/* False: there is no descriptor for what ends a wait. */
bool
notify_add (Notify *notify, NotifyEntry *entry)
{
  bool added;
  notify_lock (notify);
  if (notify->bell < 0)
    notify->bell = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  open_inotify (notify);
  added = notify->bell >= 0;
  if (added) {
    entry->next = notify->entries;
    notify->entries = entry;
  }
  notify_unlock (notify);
  return added;
}

void
notify_remove (Notify *notify, NotifyEntry *entry)
{
  NotifyEntry **at;
  notify_lock (notify);
  for (at = &notify->entries; *at; at = &(*at)->next)
    if (*at == entry) {
      *at = entry->next;
      break;
    }
  notify_unlock (notify);
}

/* A watch of any channel is not concerned by the other files of blocks. */
static bool
is_about (const NotifyEntry *entry, const char *file)
{
  const char *channel, *part;
  uint32_t user; /* a block of this user may have any number in its name */
  Uuid uuid;
  if (entry->channel[0])
    return name_is_entry_of (file, entry->channel, &user);
  return name_split (file, &user, &channel, &uuid, &part) == NAME_ENTRY;
}

/* The lock is held. */
static void
note_change (Notify *notify, const struct inotify_event *event)
{
  for (NotifyEntry *entry = notify->entries; entry; entry = entry->next)
    entry->changed = entry->changed || (event->mask & IN_Q_OVERFLOW)
        || (event->len && is_about (entry, event->name));
}

static void
read_changes (Notify *notify)
{
  _Alignas(struct inotify_event) char
      buffer[16 * (sizeof (struct inotify_event) + NAME_MAX + 1)];
  ssize_t n;
  while ((n = read (notify->inotify, buffer, sizeof buffer)) > 0) {
    notify_lock (notify);
    for (char *at = buffer; at < buffer + n;) {
      const struct inotify_event *event = (const struct inotify_event *) at;
      note_change (notify, event);
      at += sizeof *event + event->len;
    }
    notify_unlock (notify);
  }
}

static int
round_up_to_ms (int64_t ns)
{
  return ns <= 0 ? 0 : (int) ((ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* Without the lock. */
static void
poll_once (Notify *notify, int64_t slice_ns)
{
  struct pollfd fds[2] = { { notify->bell, POLLIN, 0 },
    { notify->inotify, POLLIN, 0 } };
  uint64_t rung;
  if (poll (fds, 2, round_up_to_ms (slice_ns)) <= 0)
    return;
  if (fds[0].revents && read (notify->bell, &rung, sizeof rung) < 0)
    return; /* EAGAIN: it is not read by another thread */
  if (fds[1].revents)
    read_changes (notify);
}

/* The lock is held. */
static void
sleep_on_condition (Notify *notify, int64_t slice_ns)
{
  int64_t end = os_now () + slice_ns;
  struct timespec until = { .tv_sec = end / NS_PER_S,
    .tv_nsec = end % NS_PER_S };
  pthread_cond_timedwait (&notify->changed, &notify->lock, &until);
}

/* Sleeps till a watch may have changed or was interrupted, for @slice_ns at most.
 * The lock is held before and after. */
void
notify_wait (Notify *notify, int64_t slice_ns)
{
  if (notify->polled) {
    sleep_on_condition (notify, slice_ns);
    return;
  }
  notify->polled = true;
  notify_unlock (notify);
  poll_once (notify, slice_ns);
  notify_lock (notify);
  notify->polled = false;
  pthread_cond_broadcast (&notify->changed);
}

/* Ends all waits once. The lock is held. The bell is a descriptor that does not
 * block. */
void
notify_wake (Notify *notify)
{
  uint64_t ring = 1;
  pthread_cond_broadcast (&notify->changed);
  if (notify->polled && write (notify->bell, &ring, sizeof ring) < 0)
    return; /* EAGAIN: it rings */
}
