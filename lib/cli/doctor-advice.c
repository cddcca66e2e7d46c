/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What to do about each finding: the debugging table of docs/integrity.md. */
#include "doctor.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAPS_LINE 512

static const char restart[] =
    "A program is faulty or somebody wrote to the files. Consumers refuse what "
    "is damaged. Stop the producer and start it again: that makes a new block.";

/* %s stands for the name of the block. */
static const char *const advice[DATAHUB_N_FINDINGS] = {
  [DATAHUB_FINDING_HEADER] = restart,
  [DATAHUB_FINDING_STATE] =
      "Nobody can attach. Start the producer again; its new block takes the "
      "name.",
  [DATAHUB_FINDING_COUNTERS] = restart,
  [DATAHUB_FINDING_RING_WORD] = restart,
  [DATAHUB_FINDING_RECORD] = restart,
  [DATAHUB_FINDING_CHECKSUM] =
      "Something writes to payload after its commit: in the producing "
      "pipeline, an element that changes a buffer in place behind a tee; or a "
      "program that maps the pools writable.",
  [DATAHUB_FINDING_STICKY_WORD] = restart,
  [DATAHUB_FINDING_POOL] =
      "Consumers cannot map this pool. Were files removed by hand? Start the "
      "producer again.",
  [DATAHUB_FINDING_BELL] = restart,
  [DATAHUB_FINDING_ROW] =
      "A consumer is faulty, or somebody wrote to the consumer table. End the "
      "consumer in that row; its row is then cleaned.",
  [DATAHUB_FINDING_GATE] =
      "End the consumer in that row; the producer goes on after block-timeout "
      "at the latest.",
  [DATAHUB_FINDING_PINS] =
      "End the consumer in that row; its row is then cleaned.",
  [DATAHUB_FINDING_LOCK_WORD] =
      "Somebody wrote over the lock. Who takes it next gets it, and is told "
      "that its last owner died.",
  [DATAHUB_FINDING_LOCK_NAME] = "Open the lock by its index instead.",
  [DATAHUB_FINDING_PRODUCER_DEAD] =
      "Start the producer again: it goes on with the block, and consumers stay "
      "attached. If it will not come back: datahub doctor %s --close",
  [DATAHUB_FINDING_BLOCK_LEFTOVER] = "datahub reclaim --yes",
  [DATAHUB_FINDING_CONSUMER_DEAD] =
      "The producer cleans the row when it needs the room; at once: datahub "
      "doctor %s --repair",
  [DATAHUB_FINDING_LOCK_OWNER_DEAD] =
      "Who takes the lock next gets it, and is told that what it guards may be "
      "half changed: check that.",
  [DATAHUB_FINDING_NAMES_DIRTY] =
      "Nothing needs to be done: who opens a lock by name next repairs them.",
  [DATAHUB_FINDING_POOL_LEFTOVER] =
      "It takes memory until the block is removed; now: datahub doctor %s "
      "--repair",
  [DATAHUB_FINDING_PRODUCER_WAITS] =
      "Make that consumer faster, or live instead of reliable; block-timeout "
      "of the producer bounds the wait.",
  [DATAHUB_FINDING_PRODUCER_DROPS] =
      "Consumers hold too many buffers: lower their max-pinned, put no long "
      "queue behind datahubsrc, or raise max-bytes or slots of the producer.",
  [DATAHUB_FINDING_PRODUCER_SILENT] =
      "An idle producer is no dead one: consumers wait for it.",
  [DATAHUB_FINDING_CONSUMER_STALLED] =
      "Is its pipeline paused, blocked downstream, or the process stopped? A "
      "reliable one holds the producer until block-timeout; a live one only "
      "loses buffers itself.",
  [DATAHUB_FINDING_CONSUMER_EVICTED] =
      "It rejoins by itself when it reads again. If it needs longer than "
      "block-timeout at times, raise that.",
  [DATAHUB_FINDING_CONSUMER_LOSES] =
      "It is slower than the producer. Where nothing may be lost, make it "
      "reliable; else look at its processor time.",
  [DATAHUB_FINDING_LEASES_KEPT] =
      "The program still has buffers of a pipeline that it stopped: a leak, or "
      "an appsink, queue or list that was not emptied. They come back when "
      "they are freed, or the process ends.",
  [DATAHUB_FINDING_TABLE_FULL] = "Raise max-consumers of the producer.",
  [DATAHUB_FINDING_LOCK_HELD] =
      "Everybody who wants the lock waits. Compute first, and take the lock "
      "only to store the result.",
  [DATAHUB_FINDING_LOCK_SLOW] =
      "Who wanted it meanwhile waited as long. Compute first, and take the "
      "lock only to store the result.",
};

/* What to do about a finding of the block @channel; NULL where there is nothing to say. */
char *
doctor_advice (DatahubFindingKind kind, const char *channel)
{
  g_auto (GStrv) parts = NULL;

  if ((guint) kind >= DATAHUB_N_FINDINGS || !advice[kind])
    return NULL;
  parts = g_strsplit (advice[kind], "%s", -1);
  return g_strjoinv (channel, parts);
}

/* Whether process @pid has the control file of the block mapped. Its name in the
 * table of mappings may be another: the producer made it without one. */
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

/* What the kernel keeps a process from, that has the block @uuid mapped: a
 * sentence, and in *@what_to_do what helps, or NULL. NULL where it runs, or where
 * @pid is of another PID namespace. */
char *
doctor_process_word (int pid, const char *uuid, char **what_to_do)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  const char *state;

  *what_to_do = NULL;
  if (pid <= 0 || !g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  /* the name before it may have anything in it, parentheses too */
  state = strrchr (text, ')');
  if (!state || state[1] != ' ' || !maps_block (pid, uuid))
    return NULL;
  if (state[2] == 'T')
    *what_to_do = g_strdup_printf ("kill -CONT %d", pid);
  return state[2] == 'T' ? g_strdup ("is stopped")
      : state[2] == 't'  ? g_strdup ("is held by a debugger")
                         : NULL;
}
