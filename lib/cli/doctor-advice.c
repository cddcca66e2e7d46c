/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Advice for each finding, as in the debugging table of docs/integrity.md. */
#include "doctor.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAPS_LINE 512

static const char restart[] =
    "A program is faulty, or another program wrote to the files. Consumers "
    "refuse damaged data. Stop the producer and start it again; it then makes "
    "a new block.";

/* %s stands for the name of the block. */
static const char *const advice[DATAHUB_N_FINDINGS] = {
  [DATAHUB_FINDING_HEADER] = restart,
  [DATAHUB_FINDING_STATE] = "No consumer can attach. Start the producer again; "
                            "its new block takes over the name.",
  [DATAHUB_FINDING_COUNTERS] = restart,
  [DATAHUB_FINDING_RING_WORD] = restart,
  [DATAHUB_FINDING_RECORD] = restart,
  [DATAHUB_FINDING_CHECKSUM] =
      "The payload was changed after its commit. Either an element of the "
      "producing pipeline changes a buffer in place behind a tee, or a program "
      "maps the pools writable.",
  [DATAHUB_FINDING_STICKY_WORD] = restart,
  [DATAHUB_FINDING_POOL] =
      "Consumers cannot map this pool. Check whether files were removed by "
      "hand, then start the producer again.",
  [DATAHUB_FINDING_WAKE_PAGE] = restart,
  [DATAHUB_FINDING_ROW] =
      "A consumer is faulty, or another program wrote to the consumer table. "
      "End the consumer in that row; its row is then cleaned.",
  [DATAHUB_FINDING_GATE] = "End the consumer in that row. The producer "
                           "continues after block-timeout at the latest.",
  [DATAHUB_FINDING_PINS] =
      "End the consumer in that row; its row is then cleaned.",
  [DATAHUB_FINDING_LOCK_WORD] =
      "The lock word was overwritten. The next thread that takes the lock gets "
      "it, with the result that its last owner died.",
  [DATAHUB_FINDING_LOCK_NAME] = "Open the lock by its index instead.",
  [DATAHUB_FINDING_PRODUCER_DEAD] =
      "Start the producer again; it continues the block, and consumers stay "
      "attached. Applications get datahub-producer-lost and -found from "
      "datahubsrc. If it will not come back: datahub doctor %s --close",
  [DATAHUB_FINDING_BLOCK_LEFTOVER] = "datahub reclaim --yes",
  [DATAHUB_FINDING_CONSUMER_DEAD] =
      "The producer cleans the row when it needs the space. To clean it now: "
      "datahub doctor %s --repair",
  [DATAHUB_FINDING_LOCK_OWNER_DEAD] =
      "The next thread that takes the lock gets it, with the result that its "
      "last owner died. That thread must check the guarded data, which may be "
      "half changed.",
  [DATAHUB_FINDING_NAMES_DIRTY] = "No action is needed: the names are repaired "
                                  "when a lock is next opened by name.",
  [DATAHUB_FINDING_POOL_LEFTOVER] =
      "The file takes memory until the block is removed. To remove it now: "
      "datahub doctor %s --repair",
  [DATAHUB_FINDING_PRODUCER_WAITS] =
      "Make that consumer faster, or make it live instead of reliable. The "
      "wait is limited by block-timeout of the producer.",
  [DATAHUB_FINDING_PRODUCER_DROPS] =
      "Consumers hold too many buffers. Lower their max-pinned, avoid long "
      "queues behind datahubsrc, or raise max-bytes or slots of the producer.",
  [DATAHUB_FINDING_PRODUCER_SILENT] =
      "The producer may only be idle; consumers wait for it. Applications get "
      "datahub-waiting from datahubsrc after one second.",
  [DATAHUB_FINDING_CONSUMER_STALLED] =
      "Check whether its pipeline is paused or blocked downstream, or whether "
      "its process is stopped. A reliable consumer blocks the producer until "
      "block-timeout; a live one only loses buffers itself.",
  [DATAHUB_FINDING_CONSUMER_EVICTED] =
      "The consumer joins again when it next reads. If it sometimes needs "
      "longer than block-timeout, raise block-timeout.",
  [DATAHUB_FINDING_CONSUMER_LOSES] =
      "The consumer is slower than the producer. If it must not lose buffers, "
      "make it reliable; otherwise check its processor time.",
  [DATAHUB_FINDING_CONSUMER_COPIES] =
      "It holds as many buffers as it may. If that is less than its max-pinned (8 by "
      "default), the block may not grow as far as its consumers need: raise max-bytes "
      "of the producer, or its shared memory. Else raise max-pinned of the consumer, or "
      "shorten the queue behind datahubsrc.",
  [DATAHUB_FINDING_LEASES_KEPT] =
      "The program still holds buffers of a pipeline that it stopped: a leak, "
      "or an appsink, queue or list that was not emptied. The slots are given "
      "back when the buffers are freed or the process ends.",
  [DATAHUB_FINDING_TABLE_FULL] = "Raise max-consumers of the producer.",
  [DATAHUB_FINDING_LOCK_HELD] =
      "All other threads that take the lock wait. The program should compute "
      "first and take the lock only to store the result.",
  [DATAHUB_FINDING_LOCK_SLOW] =
      "Other threads that took the lock meanwhile waited for that long. The "
      "program should compute first and take the lock only to store the "
      "result.",
};

/* Returns the advice for a finding of the block @channel, or NULL if there is
 * none. */
char *
doctor_advice (DatahubFindingKind kind, const char *channel)
{
  g_auto (GStrv) parts = NULL;

  if ((guint) kind >= DATAHUB_N_FINDINGS || !advice[kind])
    return NULL;
  parts = g_strsplit (advice[kind], "%s", -1);
  return g_strjoinv (channel, parts);
}

/* Whether process @pid maps the control file of the block. The inode is
 * compared, not the name: the producer made the file without a name, and the
 * table of mappings may show another. */
static gboolean
maps_block (int pid, const char *uuid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/maps", pid);
  g_autofree char *ctl = g_strdup_printf ("%s/datahub-%u-%s.ctl",
      datahub_shm_directory (), (guint) geteuid (), uuid);
  char line[MAPS_LINE];
  gboolean found = FALSE;
  struct stat st;
  FILE *maps;

  if (stat (ctl, &st) != 0)
    return FALSE;
  g_autofree char *wanted = g_strdup_printf ("%02x:%02x %" G_GUINT64_FORMAT " ",
      major (st.st_dev), minor (st.st_dev), (guint64) st.st_ino);
  maps = fopen (path, "re");
  while (maps && !found && fgets (line, sizeof line, maps))
    found = strstr (line, wanted) != NULL;
  if (maps)
    fclose (maps);
  return found;
}

/* If the kernel does not let process @pid run, returns the reason as a
 * predicate ("is stopped"), and in *@what_to_do a command that lets it run, or
 * NULL. Returns NULL if the process runs, or if it does not map block @uuid:
 * then @pid belongs to another PID namespace. */
char *
doctor_process_word (int pid, const char *uuid, char **what_to_do)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  const char *state;

  *what_to_do = NULL;
  if (pid <= 0 || !g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  /* the process name before the state may contain parentheses */
  state = strrchr (text, ')');
  if (!state || state[1] != ' ' || !maps_block (pid, uuid))
    return NULL;
  if (state[2] == 'T')
    *what_to_do = g_strdup_printf ("kill -CONT %d", pid);
  return state[2] == 'T' ? g_strdup ("is stopped")
      : state[2] == 't'  ? g_strdup ("is held by a debugger")
                         : NULL;
}
