/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_EVIDENCE_PRIVATE_H
#define DATAHUB_EVIDENCE_PRIVATE_H

#include <glib.h>
#include <datahub/types.h>

/* Evidence from the kernel about a block on this machine. */
typedef enum
{
  EVIDENCE_ALIVE, /* its producer holds its lock */
  EVIDENCE_GONE, /* no process holds it, or the block does not exist */
  EVIDENCE_UNKNOWN /* it could not be examined */
} Evidence;

gboolean evidence_is_visible (const char *name, const char *uuid);
Evidence evidence_of_block (const char *name, const char *uuid);
/* What was found out about the consumers of one block. */
typedef struct
{
  Evidence evidence; /* ALIVE: rows[] is valid */
  DatahubConsumerInfo *rows;
  guint32 n;
} ConsumersEvidence;

void consumers_evidence_ask (ConsumersEvidence *all, const char *name,
    const char *uuid);
Evidence consumers_evidence_of (const ConsumersEvidence *all, guint64 id);
void consumers_evidence_clear (ConsumersEvidence *all);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ConsumersEvidence, consumers_evidence_clear)
char *evidence_host (void);
char *evidence_memory (void);

#endif /* DATAHUB_EVIDENCE_PRIVATE_H */
