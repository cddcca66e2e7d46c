/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runtime directory. It must belong to the user and have mode 0700, because
 * a user that can enter it can read the broker's key.
 * Tests: keys-files */
#include "control-log-private.h"
#include "runtime-dir-private.h"
#include <datahub/keys.h>
#include "control-error-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* How often another program may remove the directory between two system calls. */
#define REMOVALS 100

/* Where the runtime directory is, by the environment alone. */
char *
runtime_dir_name (void)
{
  const char *own = g_getenv ("DATAHUB_RUNTIME_DIR");
  const char *xdg = g_getenv ("XDG_RUNTIME_DIR");

  if (own && *own)
    return g_strdup (own);
  if (xdg && *xdg)
    return g_build_filename (xdg, "datahub", NULL);
  return g_strdup_printf ("/tmp/datahub-%u", (unsigned) geteuid ());
}

static gboolean
refuse_unopened (const char *path, int sys_errno, GError **error)
{
  struct stat st;

  if (lstat (path, &st) == 0 && S_ISLNK (st.st_mode))
    return message_refuse (error, DATAHUB_HUB_ERROR_RUNTIME_DIR,
        "runtime directory %s is a symbolic link, which another user could "
        "have placed; remove it, or set DATAHUB_RUNTIME_DIR to the real "
        "directory",
        path);
  if (sys_errno == ENOTDIR)
    return message_refuse (error, DATAHUB_HUB_ERROR_RUNTIME_DIR,
        "runtime directory %s is not a directory; remove it, or set "
        "DATAHUB_RUNTIME_DIR to another place",
        path);
  if (sys_errno == EMFILE || sys_errno == ENFILE)
    return message_refuse (error, DATAHUB_HUB_ERROR_LIMIT,
        "cannot open runtime directory %s: %s", path, os_reason (sys_errno));
  if (sys_errno == ENOENT)
    return message_refuse (error, DATAHUB_HUB_ERROR_RUNTIME_DIR,
        "runtime directory %s does not exist; create it with: mkdir -m 700 %s",
        path, path);
  return message_refuse (error, DATAHUB_HUB_ERROR_RUNTIME_DIR,
      "cannot open runtime directory %s: %s; set DATAHUB_RUNTIME_DIR to a "
      "directory of your own",
      path, os_reason (sys_errno));
}

static int
open_directory (const char *path, gboolean create)
{
  int fd = open (path, DIRECTORY_FLAGS);

  for (int i = 0; i < REMOVALS && create && fd < 0 && errno == ENOENT
       && (mkdir (path, 0700) == 0 || errno == EEXIST);
       i++)
    fd = open (path, DIRECTORY_FLAGS);
  return fd;
}

/* Checks that @path is a directory of this user that no other user can enter; a
 * missing one is created if @create. The open directory is checked, so that it
 * cannot be replaced between check and use. */
gboolean
runtime_dir_check (const char *path, gboolean create, GError **error)
{
  struct stat st;

  if (create && mkdir (path, 0700) != 0 && errno != EEXIST)
    return message_refuse (error, DATAHUB_HUB_ERROR_RUNTIME_DIR,
        "cannot create runtime directory %s: %s; set DATAHUB_RUNTIME_DIR to a "
        "directory that you can create",
        path, os_reason (errno));

  int fd = open_directory (path, create);
  if (fd < 0)
    return refuse_unopened (path, errno, error);
  int failed = fstat (fd, &st);
  int sys_errno = errno;
  close (fd);
  if (failed)
    return message_refuse (error, DATAHUB_HUB_ERROR_RUNTIME_DIR,
        "cannot examine runtime directory %s: %s", path, os_reason (sys_errno));
  if (st.st_uid != geteuid ())
    return message_refuse (error, DATAHUB_HUB_ERROR_RUNTIME_DIR,
        "runtime directory %s belongs to user %u, not to you (%u); set "
        "DATAHUB_RUNTIME_DIR to a directory of your own",
        path, (unsigned) st.st_uid, (unsigned) geteuid ());
  if (st.st_mode & 0077)
    return message_refuse (error, DATAHUB_HUB_ERROR_RUNTIME_DIR,
        "runtime directory %s has mode %04o: others can enter it; fix it with: "
        "chmod 700 %s",
        path, (unsigned) st.st_mode & 07777, path);
  return TRUE;
}

/* Returns: NULL if a process that needs the runtime directory @path has it or could make
 * it; or why not, and what to do */
char *
runtime_dir_obstacle (const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);

  if (access (path, F_OK) == 0 || access (parent, W_OK | X_OK) == 0)
    return NULL;
  return g_strdup_printf (
      "and none can start: runtime directory %s does not exist and cannot be "
      "created: %s; set DATAHUB_RUNTIME_DIR to a directory that you can create",
      path, os_reason (errno));
}

/**
 * datahub_runtime_dir:
 * @error: return location for a #GError
 *
 * The directory of the user's broker: `$DATAHUB_RUNTIME_DIR`, else
 * `$XDG_RUNTIME_DIR/datahub`, else `/tmp/datahub-$UID`. It is made (0700) where
 * it is missing and refused where it is not the user's alone.
 *
 * Returns: (transfer full) (nullable): its path
 */
char *
datahub_runtime_dir (GError **error)
{
  g_autofree char *path = runtime_dir_name ();

  if (!runtime_dir_check (path, TRUE, error))
    return NULL;
  return g_steal_pointer (&path);
}

/* The path of @file in the checked runtime directory, or NULL. */
char *
runtime_file (const char *file, gboolean create, GError **error)
{
  g_autofree char *path = runtime_dir_name ();

  if (!runtime_dir_check (path, create, error))
    return NULL;
  return g_build_filename (path, file, NULL);
}
