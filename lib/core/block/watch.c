/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting until a block appears, or any, without a broker.
 * Tests: core-wait, core-watch, gst-attendance, gst-devices */
#include "notify-private.h"

#include <datahub/block.h>

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* inotify can miss (no watches left, another kind of file system). */
#define RESCAN_NS NS_PER_S

struct _DatahubWatch
{
  NotifyEntry entry;
  Notify *notify;
  bool interrupted; /* guarded by its lock, as what follows */
  int interrupt; /* readable while interrupted; -1: not asked for yet */
};

DatahubWatch *
datahub_watch_new (const char *channel)
{
  DatahubWatch *watch;
  if (channel && !datahub_channel_is_valid (channel, NULL))
    return NULL;
  watch = calloc (1, sizeof *watch);
  if (!watch)
    return NULL;
  if (channel)
    strncpy (watch->entry.channel, channel, DATAHUB_CHANNEL_MAX);
  watch->interrupt = -1;
  watch->notify = notify_get ();
  if (watch->notify && notify_add (watch->notify, &watch->entry))
    return watch;
  free (watch);
  return NULL;
}

/* The lock is held. False: nothing has happened. */
static bool
look (DatahubWatch *watch, int64_t end, int64_t rescan, DatahubResult *result)
{
  int64_t now = os_now ();
  if (watch->interrupted)
    *result = DATAHUB_INTERRUPTED;
  else if (watch->entry.changed || now >= rescan)
    *result = DATAHUB_OK;
  else if (end >= 0 && now >= end)
    *result = DATAHUB_TIMEOUT;
  else
    return false;
  if (*result == DATAHUB_OK)
    watch->entry.changed = false;
  return true;
}

/**
 * datahub_watch_wait:
 * @watch: a watch
 * @timeout_ns: how long
 *
 * Returns when the entry was made, replaced, removed or adopted, and once a second to
 * let the caller look itself. A watch of any channel returns for each entry. One thread waits. All watches of a process share one
 * inotify instance.
 *
 * Returns: %DATAHUB_OK to look again, %DATAHUB_TIMEOUT, %DATAHUB_INTERRUPTED,
 *   %DATAHUB_ERROR_FORKED
 */
DatahubResult
datahub_watch_wait (DatahubWatch *watch, int64_t timeout_ns)
{
  int64_t end = os_end_of (timeout_ns);
  int64_t rescan = os_now () + RESCAN_NS;
  DatahubResult result;
  if (!notify_is_ours (watch->notify))
    return DATAHUB_ERROR_FORKED;
  notify_lock (watch->notify);
  while (!look (watch, end, rescan, &result))
    notify_wait (watch->notify,
        (end >= 0 && end < rescan ? end : rescan) - os_now ());
  notify_unlock (watch->notify);
  return result;
}

/* The lock is held. */
static void
show_interrupted (const DatahubWatch *watch)
{
  uint64_t value = 1;
  ssize_t done;
  if (watch->interrupt < 0)
    return;
  if (watch->interrupted)
    done = write (watch->interrupt, &value, sizeof value);
  else
    done = read (watch->interrupt, &value, sizeof value);
  (void) done; /* EAGAIN: it was so already */
}

void
datahub_watch_set_interrupted (DatahubWatch *watch, bool interrupted)
{
  if (!notify_is_ours (watch->notify))
    return;
  notify_lock (watch->notify);
  watch->interrupted = interrupted;
  show_interrupted (watch);
  if (interrupted)
    notify_wake (watch->notify);
  notify_unlock (watch->notify);
}

bool
watch_is_interrupted (DatahubWatch *watch)
{
  bool interrupted;
  notify_lock (watch->notify);
  interrupted = watch->interrupted;
  notify_unlock (watch->notify);
  return interrupted;
}

/* A descriptor that is readable while the watch is interrupted; the watch's. -1:
 * there is none. */
int
watch_interrupt_fd (DatahubWatch *watch)
{
  int fd;
  notify_lock (watch->notify);
  if (watch->interrupt < 0) {
    watch->interrupt = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->interrupted)
      show_interrupted (watch);
  }
  fd = watch->interrupt;
  notify_unlock (watch->notify);
  return fd;
}

void
datahub_watch_free (DatahubWatch *watch)
{
  if (!watch)
    return;
  if (notify_is_ours (watch->notify))
    notify_remove (watch->notify, &watch->entry);
  if (watch->interrupt >= 0)
    close (watch->interrupt);
  free (watch);
}
