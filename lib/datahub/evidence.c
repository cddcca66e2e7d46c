/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Death by evidence: a silent client may be stopped, and then its blocks stay;
 * only the kernel's word that a lock is free removes them. */
#include "hub-log-private.h"
#include "evidence-private.h"
#include "block.h"
#include "message-private.h"

#include <string.h>

#define MAX_CONSUMER_ROWS 256

/* Of the block @name, if it is still the one called @uuid. Examines files; does
 * not wait. */
DatahubEvidence
datahub_evidence_of_block (const char *name, const char *uuid)
{
  DatahubBlockGlance glance;
  DatahubResult result = datahub_block_glance (name, &glance, NULL);

  if (result == DATAHUB_ERROR_NOT_FOUND)
    return DATAHUB_EVIDENCE_GONE;
  if (result != DATAHUB_OK)
    return DATAHUB_EVIDENCE_UNKNOWN;
  return glance.producer_alive && strcmp (glance.uuid, uuid) == 0
      ? DATAHUB_EVIDENCE_ALIVE
      : DATAHUB_EVIDENCE_GONE;
}

/* Of the consumer @id of that block. */
DatahubEvidence
datahub_evidence_of_consumer (const char *name, const char *uuid, guint64 id)
{
  guint32 n = 0;
  g_autofree DatahubConsumerInfo *rows =
      g_new0 (DatahubConsumerInfo, MAX_CONSUMER_ROWS);

  if (datahub_evidence_of_block (name, uuid) == DATAHUB_EVIDENCE_GONE)
    return DATAHUB_EVIDENCE_GONE;
  if (datahub_block_inspect_consumers (name, rows, MAX_CONSUMER_ROWS, &n, NULL)
      != DATAHUB_OK)
    return DATAHUB_EVIDENCE_UNKNOWN;
  for (guint32 i = 0; i < MIN (n, MAX_CONSUMER_ROWS); i++)
    if (rows[i].id == id && rows[i].alive)
      return DATAHUB_EVIDENCE_ALIVE;
  return DATAHUB_EVIDENCE_GONE;
}

/* A word for this machine and boot: the kernel's evidence counts among those
 * who share it. */
char *
datahub_evidence_host (void)
{
  char *text = NULL;

  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &text, NULL,
          NULL))
    return g_strdup (g_get_host_name ());
  text = g_strstrip (text);
  if (strlen (text) > DATAHUB_LABEL_MAX)
    text[DATAHUB_LABEL_MAX] = '\0';
  return text;
}
