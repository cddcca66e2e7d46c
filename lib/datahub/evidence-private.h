/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_EVIDENCE_PRIVATE_H
#define DATAHUB_EVIDENCE_PRIVATE_H

#include <glib.h>
#include <datahub/types.h>

/* What the kernel says about a block on this machine. */
typedef enum
{
  DATAHUB_EVIDENCE_ALIVE, /* its producer holds its lock */
  DATAHUB_EVIDENCE_GONE, /* nobody does, or there is no such block */
  DATAHUB_EVIDENCE_UNKNOWN /* it could not be examined */
} DatahubEvidence;

DatahubEvidence datahub_evidence_of_block (const char *name, const char *uuid);
DatahubEvidence datahub_evidence_of_consumer (const char *name,
    const char *uuid, guint64 id);
char *datahub_evidence_host (void);

#endif /* DATAHUB_EVIDENCE_PRIVATE_H */
