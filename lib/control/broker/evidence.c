/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evidence of death. A silent client may only be stopped, so its blocks stay.
 * They are removed only if the kernel reports that their lock is free.
 * Tests: broker-evidence, broker-liveness */
#include "control/wire/control-log-private.h"
#include "evidence-private.h"
#include <datahub/block.h>
#include "control/wire/message-private.h"

#include <glib/gstdio.h>
#include <string.h>

/* Of the block @name, if it is still the one called @uuid. Examines files; does
 * not wait. */
Evidence
evidence_of_block (const char *name, const char *uuid)
{
  DatahubBlockGlance glance;
  DatahubResult result = datahub_block_glance (name, &glance, NULL);

  if (result == DATAHUB_ERROR_NOT_FOUND)
    return EVIDENCE_GONE;
  if (result != DATAHUB_OK)
    return EVIDENCE_UNKNOWN;
  return glance.producer_alive && strcmp (glance.uuid, uuid) == 0
      ? EVIDENCE_ALIVE
      : EVIDENCE_GONE;
}

/* Whether the block @name with @uuid is in the shared memory of this process, alive or
 * dead. Of another shared memory, as in a container, nothing follows from a name that is
 * not there. The uuid is random, so the same uuid is the same file. */
gboolean
evidence_is_visible (const char *name, const char *uuid)
{
  DatahubBlockGlance glance;

  return datahub_block_glance (name, &glance, NULL) == DATAHUB_OK
      && strcmp (glance.uuid, uuid) == 0;
}

/* Examines the consumers of that block. Waits up to 0.1 s if the block is strict and its
 * producer is stopped. */
void
consumers_evidence_ask (ConsumersEvidence *all, const char *name,
    const char *uuid)
{
  all->evidence = evidence_of_block (name, uuid);
  if (all->evidence == EVIDENCE_GONE)
    return;
  all->rows = g_new0 (DatahubConsumerInfo, DATAHUB_MAX_CONSUMERS);
  all->evidence = datahub_block_inspect_consumers (name, all->rows,
                      DATAHUB_MAX_CONSUMERS, &all->n, NULL)
          == DATAHUB_OK
      ? EVIDENCE_ALIVE
      : EVIDENCE_UNKNOWN;
}

/* Evidence of the consumer @id of the block that was examined. */
Evidence
consumers_evidence_of (const ConsumersEvidence *all, guint64 id)
{
  if (all->evidence != EVIDENCE_ALIVE)
    return all->evidence;
  for (guint32 i = 0; i < MIN (all->n, DATAHUB_MAX_CONSUMERS); i++)
    if (all->rows[i].id == id && all->rows[i].alive)
      return EVIDENCE_ALIVE;
  return EVIDENCE_GONE;
}

void
consumers_evidence_clear (ConsumersEvidence *all)
{
  g_clear_pointer (&all->rows, g_free);
}

/* An identifier of this machine and boot: the kernel's evidence is valid among
 * processes with the same one. */
char *
evidence_host (void)
{
  char *text = NULL;

  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &text, NULL,
          NULL))
    return g_strdup (g_get_host_name ());
  text = g_strstrip (text);
  if (strlen (text) > LABEL_MAX)
    text[LABEL_MAX] = '\0';
  return text;
}

/* An identifier of the shared memory of this process: its directory, as the kernel
 * numbers it. Two processes of one machine with the same one have the same blocks.
 * NULL: there is no such directory. */
char *
evidence_memory (void)
{
  GStatBuf st;

  if (g_stat (datahub_shm_directory (), &st) != 0)
    return NULL;
  return g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
      (guint64) st.st_dev, (guint64) st.st_ino);
}
