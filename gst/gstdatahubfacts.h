/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block as seen from outside, by its name and by what the broker knows of it. Any
 * thread. */
#ifndef GST_DATAHUB_FACTS_H
#define GST_DATAHUB_FACTS_H

#include <datahub/datahub.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  gchar name[DATAHUB_CHANNEL_MAX + 1];
  gchar uuid[DATAHUB_UUID_TEXT];
  gint pid; /* in the PID namespace of the producer */
  gboolean strict;
  gboolean remote; /* its producer runs on another kernel */
  gchar *program; /* owned; NULL: the broker does not know it */
  GstCaps *caps; /* owned; ANY: not known yet */
} GstDatahubFacts;

/* How long producers of strict blocks may be asked, together. */
typedef struct
{
  gint64 end; /* monotonic time, in microseconds */
} GstDatahubFactsBudget;

GstDatahubFacts *gst_datahub_facts_read (const DatahubBlockGlance *glance,
    const gchar *name, DatahubHubBlock *known,
    const GstDatahubFactsBudget *budget);
void gst_datahub_facts_free (GstDatahubFacts *facts);
gboolean gst_datahub_facts_equal (const GstDatahubFacts *a,
    const GstDatahubFacts *b);
gboolean gst_datahub_facts_is_same_run (const GstDatahubFacts *facts,
    const gchar *uuid, gint pid);
gchar *gst_datahub_facts_group_of (const gchar *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstDatahubFacts, gst_datahub_facts_free)

G_END_DECLS

#endif /* GST_DATAHUB_FACTS_H */
