/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Endpoints, and the lock for binding an ipc endpoint. A second bind of the
 * same path would silently replace the first, so only the holder of the lock
 * must bind.
 * Tests: hub-questions, hub-loss */
#include "control-log-private.h"
#include "endpoint-private.h"
#include "control-error-private.h"
#include "runtime-dir-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* sun_path without its end. */
#define IPC_PATH_MAX 107

/* The path of an ipc endpoint, or NULL for another kind. */
const char *
endpoint_ipc_path (const char *endpoint)
{
  return g_str_has_prefix (endpoint, "ipc://") ? endpoint + strlen ("ipc://")
                                               : NULL;
}

/* Whether only processes of this user can reach @endpoint: by a directory that no other
 * user can enter. The kernel checks this for each connection. */
gboolean
endpoint_is_private (const char *endpoint)
{
  const char *path = endpoint_ipc_path (endpoint);
  struct stat st;

  if (!path)
    return FALSE;
  g_autofree char *directory = g_path_get_dirname (path);
  return stat (directory, &st) == 0 && S_ISDIR (st.st_mode)
      && st.st_uid == geteuid () && (st.st_mode & 077) == 0;
}

static gboolean
check_ipc (const char *endpoint, const char *path, GError **error)
{
  if (*path != '/')
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "endpoint %s must contain an absolute path, as in "
        "ipc:///run/user/1000/datahub/broker.sock",
        endpoint);
  if (strlen (path) > IPC_PATH_MAX)
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "the path of endpoint %s has %zu bytes, but the limit of socket paths "
        "is %d; use a shorter one (DATAHUB_RUNTIME_DIR sets the directory)",
        endpoint, strlen (path), IPC_PATH_MAX);
  return TRUE;
}

static gboolean
check_tcp (const char *endpoint, const char *address, GError **error)
{
  const char *colon = strrchr (address, ':');
  guint64 port = 0;

  if (!colon || colon == address
      || (!g_ascii_string_to_unsigned (colon + 1, 10, 1, 65535, &port, NULL)
          && strcmp (colon + 1, "*") != 0))
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "endpoint %s must contain a host and a port, as in tcp://studio:5570",
        endpoint);
  return TRUE;
}

/* Whether @endpoint is one that hub and broker speak: ipc or tcp. */
gboolean
endpoint_check (const char *endpoint, GError **error)
{
  const char *path = endpoint_ipc_path (endpoint);

  if (path)
    return check_ipc (endpoint, path, error);
  if (g_str_has_prefix (endpoint, "tcp://"))
    return check_tcp (endpoint, endpoint + strlen ("tcp://"), error);
  return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
      "\"%s\" is not an endpoint; use auto, ipc:///path or tcp://host:port",
      endpoint);
}

/* The endpoint of the user's own broker. */
char *
endpoint_runtime (gboolean create, GError **error)
{
  g_autofree char *path = runtime_file (BROKER_SOCKET, create, error);
  if (!path)
    return NULL;
  g_autofree char *endpoint = g_strconcat ("ipc://", path, NULL);
  if (!endpoint_check (endpoint, error))
    return NULL;
  return g_steal_pointer (&endpoint);
}

/* The lock for binding the socket at @path. */
char *
endpoint_lock_file (const char *path)
{
  if (g_str_has_suffix (path, "/" BROKER_SOCKET)) {
    g_autofree char *directory = g_path_get_dirname (path);
    return g_build_filename (directory, BROKER_LOCK, NULL);
  }
  return g_strconcat (path, ".lock", NULL);
}

static void
report_busy (int fd, const char *endpoint, GError **error)
{
  char holder[128];
  ssize_t n = pread (fd, holder, sizeof holder - 1, 0);

  holder[n > 0 ? n : 0] = '\0';
  g_strdelimit (holder, "\n", '\0');
  g_autofree char *safe = g_strescape (holder, NULL);
  g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY,
      "another broker already serves %s (%s)", endpoint,
      *safe ? safe : "holder unknown");
}

/* Only for messages: the kernel's lock decides. */
static void
write_holder (int fd)
{
  const char *program = g_get_prgname ();
  g_autofree char *text = g_strdup_printf ("pid %d, %s\n", (int) getpid (),
      program ? program : "?");
  OsSizeGuard guard;

  /* the offset is shared with a process that had the lock before */
  os_size_guard_begin (&guard);
  if (ftruncate (fd, 0) == 0 && pwrite (fd, text, strlen (text), 0) < 0)
    control_log (G_LOG_LEVEL_DEBUG, "lock", "the lock file has no text");
  os_size_guard_end (&guard);
}

/* Locks ipc @endpoint for binding and removes the socket of a dead holder. The
 * kernel releases the lock when its holder dies. Returns the lock, to be closed
 * after the socket is, or -1; never waits. */
int
endpoint_lock (const char *endpoint, GError **error)
{
  const char *path = endpoint_ipc_path (endpoint);
  g_autofree char *file = endpoint_lock_file (path);
  int fd = open (file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0) {
    message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "cannot open lock file %s: %s", file, os_reason (errno));
    return -1;
  }
  if (flock (fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      report_busy (fd, endpoint, error);
    else
      message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS, "cannot lock %s: %s",
          file, os_reason (errno));
    close (fd);
    return -1;
  }
  write_holder (fd);

  struct stat st;
  if (lstat (path, &st) == 0 && S_ISSOCK (st.st_mode))
    unlink (path);
  return fd;
}

/* @lock is a descriptor that this process got from the one that locked @endpoint: both
 * share the lock, and the kernel releases it when the last of them has closed it. */
gboolean
endpoint_take_over_lock (const char *endpoint, int lock, GError **error)
{
  g_autofree char *file = endpoint_lock_file (endpoint_ipc_path (endpoint));
  struct stat given, named;

  if (fstat (lock, &given) != 0 || lstat (file, &named) != 0
      || given.st_dev != named.st_dev || given.st_ino != named.st_ino)
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "descriptor %d is not that of the lock file %s", lock, file);
  /* Without effect on a lock that is held. */
  if (flock (lock, LOCK_EX | LOCK_NB) != 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_BUSY, "cannot lock %s: %s",
        file, os_reason (errno));
  write_holder (lock);
  return TRUE;
}
