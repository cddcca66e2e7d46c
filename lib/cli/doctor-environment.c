/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the environment: the shared memory directory, the runtime directory
 * and the broker. */
#include "doctor.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CONNECT_NS (400 * G_GINT64_CONSTANT (1000000))
/* Holds a few seconds of small video; with less the directory counts as full.
 */
#define LITTLE_SPACE (G_GUINT64_CONSTANT (16) << 20)
#define MAGIC_TMPFS 0x01021994
#define MAGIC_HUGETLBFS 0x958458f6

static void
check_mode (Subject *subject, const char *path, const struct stat *st)
{
  int number = access (path, R_OK | W_OK | X_OK) == 0 ? 0 : errno;

  if (number)
    subject_add (subject, DATAHUB_SEVERITY_DAMAGE, "shm-permissions", -1,
        g_strdup_printf ("%s is not writable: %s.", path, g_strerror (number)),
        g_strdup (number == EROFS
                ? "Consumers write to their own rows there, too. Mount it "
                  "writable, or set DATAHUB_SHM_DIR to a directory that is."
                : "The directory should have mode 1777 or belong to you. "
                  "Otherwise set DATAHUB_SHM_DIR to a directory of your own."));
  else if ((st->st_mode & S_IWOTH) && !(st->st_mode & S_ISVTX))
    subject_add (subject, DATAHUB_SEVERITY_WARNING, "shm-permissions", -1,
        g_strdup_printf ("Any user can remove files of other users in %s.",
            path),
        g_strdup_printf ("chmod +t %s", path));
}

static char *
bigger (const char *path)
{
  return g_strdup_printf (
      "Scan for leftover files: datahub reclaim. Or make "
      "the file system bigger: mount -o remount,size=2G %s; "
      "in a container: --shm-size=2g.",
      path);
}

static void
check_space (Subject *subject, const char *path)
{
  struct statvfs vfs;
  struct statfs fs;

  if (statvfs (path, &vfs) != 0)
    return;
  guint64 total = (guint64) vfs.f_blocks * vfs.f_frsize;
  guint64 available = (guint64) vfs.f_bavail * vfs.f_frsize;
  g_autofree char *total_text = cli_bytes (total);
  g_autofree char *available_text = cli_bytes (available);

  g_free (subject->summary);
  subject->summary =
      g_strdup_printf ("%s: %s of %s free", path, available_text, total_text);
  json_object_set_new (subject->json, "shm-directory", json_string (path));
  json_object_set_new (subject->json, "shm-total",
      json_integer ((json_int_t) total));
  json_object_set_new (subject->json, "shm-available",
      json_integer ((json_int_t) available));
  if (total < LITTLE_SPACE)
    subject_add (subject, DATAHUB_SEVERITY_WARNING, "shm-small", -1,
        g_strdup_printf ("%s is small: it has %s, of which %s are free.", path,
            total_text, available_text),
        bigger (path));
  else if (available < LITTLE_SPACE)
    subject_add (subject, DATAHUB_SEVERITY_WARNING, "shm-full", -1,
        g_strdup_printf ("%s is nearly full: %s of %s are free.", path,
            available_text, total_text),
        bigger (path));
  if (vfs.f_files && vfs.f_favail == 0)
    subject_add (subject, DATAHUB_SEVERITY_WARNING, "shm-full", -1,
        g_strdup_printf ("%s cannot hold more files: no inodes are free.",
            path),
        g_strdup ("Remove some files; datahub reclaim lists leftover ones."));
  if (statfs (path, &fs) == 0 && fs.f_type != MAGIC_TMPFS
      && (guint32) fs.f_type != MAGIC_HUGETLBFS)
    subject_add (subject, DATAHUB_SEVERITY_NOTE, "shm-on-disk", -1,
        g_strdup_printf (
            "%s is not on a memory file system: payload is written to a disk.",
            path),
        g_strdup ("Set DATAHUB_SHM_DIR to a directory on a tmpfs."));
}

static void
check_shm (Subject *subject)
{
  const char *path = datahub_shm_directory ();
  struct stat st;

  if (stat (path, &st) != 0 || !S_ISDIR (st.st_mode)) {
    subject_add (subject, DATAHUB_SEVERITY_DAMAGE, "shm-missing", -1,
        g_strdup_printf ("The shared memory directory %s %s.", path,
            errno == ENOENT ? "does not exist" : "cannot be used"),
        g_strdup_printf ("mount -t tmpfs -o mode=1777 tmpfs %s; or, within a "
                         "tmpfs, mkdir -m 700 %s; or set DATAHUB_SHM_DIR.",
            path, path));
    return;
  }
  check_mode (subject, path, &st);
  check_space (subject, path);
}

typedef struct
{
  GPtrArray *known; /* blocks that the broker knows */
  Subject *subject;
  const char *broker;
} Introductions;

static gboolean
is_known (const GPtrArray *known, const char *uuid)
{
  for (guint i = 0; i < known->len; i++)
    if (strcmp (datahub_hub_block_get_uuid (known->pdata[i]), uuid) == 0)
      return TRUE;
  return FALSE;
}

static void
check_introduction (const char *channel, void *user_data)
{
  Introductions *all = user_data;
  DatahubBlockGlance glance;

  if (datahub_block_glance (channel, &glance, NULL) != DATAHUB_OK
      || !glance.strict || !glance.producer_alive
      || is_known (all->known, glance.uuid))
    return;
  subject_add (all->subject, DATAHUB_SEVERITY_NOTE, "not-introduced", -1,
      g_strdup_printf ("The broker at %s does not know the strict block %s of "
                       "process %d. If the producer has another broker, "
                       "consumers with this one cannot attach.",
          all->broker, channel, glance.producer_pid),
      g_strdup (
          "Start both with the same DATAHUB_RUNTIME_DIR, a directory that "
          "containers and services must share, or with the same "
          "broker=ENDPOINT."));
}

/* A producer that ends is known to the broker for a moment longer than its block
 * exists. */
static void
check_shared (Subject *subject, DatahubHubBlock *block, const char *where)
{
  char *advice, *text;

  if (cli_is_here (block))
    return;
  text = cli_describe_elsewhere (block, where, &advice);
  subject_add (subject, DATAHUB_SEVERITY_NOTE, "not-shared", -1, text, advice);
}

/* Strict blocks that consumers of this broker cannot read, and blocks of its
 * producers that cannot be read here. */
static void
check_introductions (Subject *subject, DatahubHub *hub, const char *broker)
{
  gboolean stopped;
  g_autofree char *where = datahub_hub_describe_broker (broker, &stopped);
  g_autoptr (GPtrArray) known = datahub_hub_list (hub, CONNECT_NS, NULL, NULL);
  Introductions all = { known, subject, where };

  if (known)
    datahub_block_list (check_introduction, &all, NULL);
  for (guint i = 0; known && i < known->len; i++)
    check_shared (subject, known->pdata[i], where);
}

/* In the summary, behind the state of the shared memory. */
static void
note_place (Subject *subject, DatahubHub *hub)
{
  g_autofree char *place = cli_broker_place (hub, subject->json);
  char *summary = subject->summary;

  if (!place)
    return;
  subject->summary = summary ? g_strconcat (summary, "; ", place, NULL)
                             : g_steal_pointer (&place);
  g_free (summary);
}

/* Returns whether the process that hosts the broker is stopped: no consumer can
 * attach to a strict block then. */
static gboolean
check_stopped (Subject *subject, const char *broker)
{
  gboolean stopped;
  g_autofree char *where = datahub_hub_describe_broker (broker, &stopped);

  if (stopped)
    subject_add (subject, DATAHUB_SEVERITY_WARNING, "broker-stopped", -1,
        g_strdup_printf ("The broker at %s does not answer.", where),
        g_strdup (
            "Continue that process, or end it: another process then hosts "
            "the broker. Meanwhile consumers cannot attach to strict "
            "blocks; other streams work by name."));
  return stopped;
}

/* A missing broker is only a note: without a broker streams work by name. */
static void
check_broker (Subject *subject, const CliTarget *target)
{
  const char *broker =
      target->broker ? target->broker : g_getenv ("DATAHUB_BROKER");
  g_autoptr (GError) error = NULL;
  gboolean connected;

  if (g_strcmp0 (broker, "none") == 0)
    return;
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);
  connected = datahub_hub_connect_to (hub, broker, target->server_key,
                  target->key, &error)
      && datahub_hub_wait_connected (hub, CONNECT_NS, NULL, &error);
  json_object_set_new (subject->json, "broker", json_boolean (connected));
  if (connected) {
    note_place (subject, hub);
    check_introductions (subject, hub, broker);
    return;
  }
  if (check_stopped (subject, broker))
    return;
  gboolean silent = g_error_matches (error, DATAHUB_HUB_ERROR,
      DATAHUB_HUB_ERROR_DISCONNECTED);
  subject_add (subject,
      silent ? DATAHUB_SEVERITY_NOTE : DATAHUB_SEVERITY_WARNING,
      g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_RUNTIME_DIR)
          ? "runtime-directory"
          : "broker",
      -1, g_strdup (error->message),
      g_strdup (silent
              ? "Without a broker, streams on this machine work by name. The "
                "first program that needs a broker starts one, if it can."
              : "Without a broker, streams on this machine work by name. Do "
                "what the message suggests, or set DATAHUB_BROKER=none."));
}

Subject *
doctor_environment (const CliTarget *target)
{
  Subject *subject = subject_new ("Environment");

  check_shm (subject);
  check_broker (subject, target);
  return subject;
}
