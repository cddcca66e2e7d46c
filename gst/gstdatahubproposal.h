/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool and allocator that a sink proposes to upstream. Any thread. */
#ifndef GST_DATAHUB_PROPOSAL_H
#define GST_DATAHUB_PROPOSAL_H

#include <gst/gst.h>

G_BEGIN_DECLS

void gst_datahub_proposal_fill (GstQuery *query, GstAllocator *allocator,
    guint64 slot_size);

G_END_DECLS

#endif /* GST_DATAHUB_PROPOSAL_H */
