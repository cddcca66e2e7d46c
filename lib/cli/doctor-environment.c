/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every block needs: the folder of shared memory, the runtime directory, a
 * broker. */
#include "doctor.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CONNECT_NS (400 * G_GINT64_CONSTANT (1000000))
/* Enough for a few seconds of small video; less is as good as full. */
#define LITTLE_SPACE (G_GUINT64_CONSTANT (16) << 20)
#define MAGIC_TMPFS 0x01021994
#define MAGIC_HUGETLBFS 0x958458f6

static void
check_mode (Patient *patient, const char *path, const struct stat *st)
{
  if (access (path, R_OK | W_OK | X_OK) != 0)
    patient_add (patient, DATAHUB_SEVERITY_DAMAGE, "shm-permissions", -1,
        g_strdup_printf ("%s may not be written to: %s.", path,
            g_strerror (errno)),
        g_strdup ("Its mode should be 1777, or it should be yours; or set "
                  "DATAHUB_SHM_DIR to a folder of your own."));
  else if ((st->st_mode & S_IWOTH) && !(st->st_mode & S_ISVTX))
    patient_add (patient, DATAHUB_SEVERITY_WARNING, "shm-permissions", -1,
        g_strdup_printf ("Anybody may remove files of others in %s.", path),
        g_strdup_printf ("chmod +t %s", path));
}

static void
check_space (Patient *patient, const char *path)
{
  struct statvfs vfs;
  struct statfs fs;

  if (statvfs (path, &vfs) != 0)
    return;
  guint64 total = (guint64) vfs.f_blocks * vfs.f_frsize;
  guint64 available = (guint64) vfs.f_bavail * vfs.f_frsize;
  g_autofree char *total_text = cli_bytes (total);
  g_autofree char *available_text = cli_bytes (available);

  g_free (patient->summary);
  patient->summary =
      g_strdup_printf ("%s: %s of %s free", path, available_text, total_text);
  json_object_set_new (patient->json, "shm-directory", json_string (path));
  json_object_set_new (patient->json, "shm-total",
      json_integer ((json_int_t) total));
  json_object_set_new (patient->json, "shm-available",
      json_integer ((json_int_t) available));
  if (available < LITTLE_SPACE)
    patient_add (patient, DATAHUB_SEVERITY_WARNING, "shm-full", -1,
        g_strdup_printf ("%s is nearly full: %s of %s are free.", path,
            available_text, total_text),
        g_strdup_printf ("See what is left over: datahub reclaim. Or make it "
                         "bigger: mount -o remount,size=2G %s; in a container: "
                         "--shm-size=2g.",
            path));
  if (vfs.f_files && vfs.f_favail == 0)
    patient_add (patient, DATAHUB_SEVERITY_WARNING, "shm-full", -1,
        g_strdup_printf ("%s can have no more files.", path),
        g_strdup ("Remove some; datahub reclaim shows those that are left "
                  "over."));
  if (statfs (path, &fs) == 0 && fs.f_type != MAGIC_TMPFS
      && (guint32) fs.f_type != MAGIC_HUGETLBFS)
    patient_add (patient, DATAHUB_SEVERITY_NOTE, "shm-on-disk", -1,
        g_strdup_printf ("%s is on no memory file system: what is committed is "
                         "written to a disk.",
            path),
        g_strdup ("Point DATAHUB_SHM_DIR to a tmpfs."));
}

static void
check_shm (Patient *patient)
{
  const char *path = datahub_shm_directory ();
  struct stat st;

  if (stat (path, &st) != 0 || !S_ISDIR (st.st_mode)) {
    patient_add (patient, DATAHUB_SEVERITY_DAMAGE, "shm-missing", -1,
        g_strdup_printf ("The folder of shared memory, %s, %s.", path,
            errno == ENOENT ? "does not exist" : "cannot be used"),
        g_strdup_printf ("mount -t tmpfs -o mode=1777 tmpfs %s; or set "
                         "DATAHUB_SHM_DIR.",
            path));
    return;
  }
  check_mode (patient, path, &st);
  check_space (patient, path);
}

/* A broker is no condition: streams go on by name without one. */
static void
check_broker (Patient *patient, const CliTarget *target)
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
  json_object_set_new (patient->json, "broker", json_boolean (connected));
  if (connected)
    return;
  gboolean silent = g_error_matches (error, DATAHUB_HUB_ERROR,
      DATAHUB_HUB_ERROR_DISCONNECTED);
  patient_add (patient,
      silent ? DATAHUB_SEVERITY_NOTE : DATAHUB_SEVERITY_WARNING,
      g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_RUNTIME_DIR)
          ? "runtime-directory"
          : "broker",
      -1, g_strdup (error->message),
      g_strdup (silent
              ? "Streams go on by name on this machine; one comes with "
                "the first program that needs it."
              : "Streams go on by name on this machine; do what the "
                "message says, or set DATAHUB_BROKER=none."));
}

Patient *
doctor_environment (const CliTarget *target)
{
  Patient *patient = patient_new ("Environment");

  check_shm (patient);
  check_broker (patient, target);
  return patient;
}
