/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that lead clients to a broker: the sockets, their locks, the key. Another
 * program can remove them, as systemd does with the runtime directory of a unit that
 * stops, or with that of a user that logs out. Clients that are connected go on, and
 * those that come later find no broker, or host another one, which knows no block.
 *
 * The broker's descriptors keep the inodes of its locks and of its sockets, so a file
 * that was removed and made again has another number. A key has no descriptor, and is
 * compared by what it holds. Nothing here survives the process: if it is killed, the
 * kernel releases the locks, and the next holder removes the sockets.
 * Tests: broker-files, hub-election, cli-commands, gst-containers */
#include "control/wire/control-log-private.h"
#include "control/wire/endpoint-private.h"
#include "control/wire/runtime-dir-private.h"
#include "broker-files-private.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  char *path; /* owned */
  mode_t kind;
  dev_t device;
  ino_t inode;
} BrokerFile;

struct _BrokerFiles
{
  GArray *list; /* of BrokerFile: locks, and sockets */
  Keypair pair;
  char *key; /* path; owned */
  struct stat key_seen; /* of the file that held @pair */
};

static void
file_clear (gpointer data)
{
  g_free (((BrokerFile *) data)->path);
}

BrokerFiles *
broker_files_new (void)
{
  BrokerFiles *files = g_new0 (BrokerFiles, 1);

  files->list = g_array_new (FALSE, FALSE, sizeof (BrokerFile));
  g_array_set_clear_func (files->list, file_clear);
  return files;
}

void
broker_files_clear (BrokerFiles *files)
{
  g_array_set_size (files->list, 0);
  g_clear_pointer (&files->key, g_free);
  keypair_wipe (&files->pair);
}

void
broker_files_free (BrokerFiles *files)
{
  broker_files_clear (files);
  g_array_unref (files->list);
  g_free (files);
}

/* @failed: there is no such file by now, so it counts as lost. */
static void
add (BrokerFiles *files, char *path, mode_t kind, const struct stat *st,
    gboolean failed)
{
  BrokerFile file = { path, kind, failed ? 0 : st->st_dev,
    failed ? 0 : st->st_ino };

  g_array_append_val (files->list, file);
}

/* @lock is the held descriptor: the name may lead to another file already. */
void
broker_files_add_lock (BrokerFiles *files, const char *socket, int lock)
{
  struct stat st;

  add (files, endpoint_lock_file (socket), S_IFREG, &st,
      fstat (lock, &st) != 0);
}

/* Called when it is bound. */
void
broker_files_add_socket (BrokerFiles *files, const char *path)
{
  struct stat st;

  add (files, g_strdup (path), S_IFSOCK, &st, lstat (path, &st) != 0);
}

void
broker_files_set_key (BrokerFiles *files, const Keypair *pair)
{
  g_autofree char *runtime = runtime_dir_name ();

  g_free (files->key);
  files->key = g_build_filename (runtime, BROKER_SECRET, NULL);
  files->pair = *pair;
  memset (&files->key_seen, 0, sizeof files->key_seen);
}

static gboolean
is_same (const BrokerFile *file)
{
  struct stat st;

  return lstat (file->path, &st) == 0 && st.st_dev == file->device
      && st.st_ino == file->inode;
}

/* Reads the file only if it changed since it was read. */
static gboolean
key_is_same (BrokerFiles *files)
{
  g_auto (Keypair) pair = { 0 };
  struct stat st, *seen = &files->key_seen;

  if (lstat (files->key, &st) != 0)
    return FALSE;
  if (st.st_dev == seen->st_dev && st.st_ino == seen->st_ino
      && memcmp (&st.st_mtim, &seen->st_mtim, sizeof st.st_mtim) == 0)
    return TRUE;
  if (!keypair_load (&pair, files->key, NULL)
      || strcmp (pair.public_key, files->pair.public_key) != 0)
    return FALSE;
  *seen = st;
  return TRUE;
}

/* Returns the path of a file that is not there any more, or is another one; NULL if
 * there is none. The key is the last. */
const char *
broker_files_find_lost (BrokerFiles *files)
{
  for (guint i = 0; i < files->list->len; i++) {
    const BrokerFile *file = &g_array_index (files->list, BrokerFile, i);
    if (!is_same (file))
      return file->path;
  }
  return files->key && !key_is_same (files) ? files->key : NULL;
}

static const BrokerFile *
find (const BrokerFiles *files, const char *path)
{
  for (guint i = 0; i < files->list->len; i++) {
    const BrokerFile *file = &g_array_index (files->list, BrokerFile, i);
    if (g_str_equal (file->path, path))
      return file;
  }
  return NULL;
}

/* Whether the file at @socket is the bound one. As long as the lock is at its place, no
 * other broker binds there; otherwise one may have, and its socket must stay. */
gboolean
broker_files_own (const BrokerFiles *files, const char *socket)
{
  g_autofree char *name = endpoint_lock_file (socket);
  const BrokerFile *lock = find (files, name), *file = find (files, socket);

  return lock && file && is_same (lock) && is_same (file);
}

static gboolean
can_be_made (const BrokerFile *file)
{
  g_autofree char *directory = g_path_get_dirname (file->path);
  struct stat st;

  return access (directory, W_OK | X_OK) == 0
      && (lstat (file->path, &st) != 0 || (st.st_mode & S_IFMT) == file->kind);
}

/* Makes what a broker that begins now needs: the runtime directory, and the key, which
 * remote clients have a copy of. A key that another program put there stays. Returns
 * whether that broker can make the rest. */
gboolean
broker_files_prepare (BrokerFiles *files)
{
  g_auto (Keypair) pair = { 0 };
  g_autofree char *runtime = runtime_dir_name ();

  if (!runtime_dir_check (runtime, TRUE, NULL))
    return FALSE;
  for (guint i = 0; i < files->list->len; i++)
    if (!can_be_made (&g_array_index (files->list, BrokerFile, i)))
      return FALSE;
  keypair_keep_broker (&files->pair, NULL);
  return keypair_load_broker (&pair, FALSE, NULL);
}
