/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting until a block appears, without a broker.
 * Tests: core-wait, gst-attendance */
#include "block-private.h"

#include <datahub/block.h>

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

/* inotify can miss (no watches left, another kind of file system). */
#define RESCAN_NS NS_PER_S

struct _DatahubWatch
{
  FileName entry;
  int notify; /* -1: rescans alone */
  int interrupt; /* readable while interrupted */
};

DatahubWatch *
datahub_watch_new (const char *channel)
{
  DatahubWatch *watch;
  if (!datahub_channel_is_valid (channel, NULL))
    return NULL;
  watch = calloc (1, sizeof *watch);
  if (!watch)
    return NULL;
  watch->entry = name_entry (os_user (), channel);
  watch->notify = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  if (watch->notify >= 0
      && inotify_add_watch (watch->notify, datahub_shm_directory (),
             IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MODIFY)
          < 0) {
    close (watch->notify);
    watch->notify = -1;
  }
  watch->interrupt = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (watch->interrupt < 0) {
    datahub_watch_free (watch);
    return NULL;
  }
  return watch;
}

/* Reads the events of inotify; true if the entry is among them. */
static bool
drain (const DatahubWatch *watch)
{
  _Alignas(struct inotify_event) char
      buffer[16 * (sizeof (struct inotify_event) + NAME_MAX + 1)];
  bool ours = false;
  ssize_t n;
  while ((n = read (watch->notify, buffer, sizeof buffer)) > 0)
    for (char *at = buffer; at < buffer + n;) {
      const struct inotify_event *event = (const struct inotify_event *) at;
      ours = ours || (event->mask & IN_Q_OVERFLOW)
          || (event->len && strcmp (event->name, watch->entry.text) == 0);
      at += sizeof *event + event->len;
    }
  return ours;
}

static int
poll_slice_ms (int64_t end, int64_t rescan)
{
  int64_t now = os_now (), until = end >= 0 && end < rescan ? end : rescan;
  return until <= now ? 0 : (int) ((until - now + NS_PER_MS - 1) / NS_PER_MS);
}

/**
 * datahub_watch_wait:
 * @watch: a watch
 * @timeout_ns: how long
 *
 * Returns when the entry was made, replaced, removed or adopted, and once a second to
 * let the caller look itself. One thread waits.
 *
 * Returns: %DATAHUB_OK to look again, %DATAHUB_TIMEOUT, %DATAHUB_INTERRUPTED
 */
DatahubResult
datahub_watch_wait (DatahubWatch *watch, int64_t timeout_ns)
{
  int64_t end = os_end_of (timeout_ns);
  int64_t rescan = os_now () + RESCAN_NS;
  for (;;) {
    struct pollfd fds[2] = { { watch->interrupt, POLLIN, 0 },
      { watch->notify, POLLIN, 0 } };
    int ready = poll (fds, 2, poll_slice_ms (end, rescan));
    if (ready > 0 && fds[0].revents)
      return DATAHUB_INTERRUPTED;
    if (ready > 0 && fds[1].revents && drain (watch))
      return DATAHUB_OK;
    if (end >= 0 && os_now () >= end)
      return DATAHUB_TIMEOUT;
    if (os_now () >= rescan)
      return DATAHUB_OK;
  }
}

void
datahub_watch_set_interrupted (DatahubWatch *watch, bool interrupted)
{
  uint64_t value = 1;
  ssize_t done;
  if (interrupted)
    done = write (watch->interrupt, &value, sizeof value);
  else
    done = read (watch->interrupt, &value, sizeof value);
  (void) done; /* EAGAIN: it was so already */
}

/* Readable while the watch is interrupted; the watch's. */
int
watch_interrupt_fd (const DatahubWatch *watch)
{
  return watch->interrupt;
}

void
datahub_watch_free (DatahubWatch *watch)
{
  if (!watch)
    return;
  if (watch->notify >= 0)
    close (watch->notify);
  if (watch->interrupt >= 0)
    close (watch->interrupt);
  free (watch);
}
