/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* If upstream allocates here, it writes directly into shared memory without a
 * copy. Until the block exists, the answer only contains the supported
 * metas. */
#include "gstdatahubproposal.h"
#include "gstdatahubpool.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

static void
propose_pool (GstQuery *query, GstAllocator *allocator, GstCaps *caps,
    guint64 slot_size)
{
  g_autoptr (GstBufferPool) pool = NULL;
  GstStructure *config;
  GstVideoInfo info;
  guint64 size = gst_video_info_from_caps (&info, caps) ? info.size : slot_size;
  if (size == 0 || size > G_MAXUINT)
    return;
  pool = gst_datahub_pool_new (allocator);
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, (guint) size, 0, 0);
  if (gst_buffer_pool_set_config (pool, config))
    gst_query_add_allocation_pool (query, pool, (guint) size, 0, 0);
}

/**
 * gst_datahub_proposal_fill:
 * @query: an allocation query
 * @allocator: (nullable): the block's; %NULL: there is none yet
 * @slot_size: for buffers without a size in their caps, in bytes; 0: not known
 */
void
gst_datahub_proposal_fill (GstQuery *query, GstAllocator *allocator,
    guint64 slot_size)
{
  GstAllocationParams params;
  GstCaps *caps = NULL;
  gboolean need_pool = FALSE;
  gst_query_parse_allocation (query, &caps, &need_pool);
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  gst_query_add_allocation_meta (query, GST_AUDIO_META_API_TYPE, NULL);
  if (!allocator)
    return;
  gst_allocation_params_init (&params);
  gst_query_add_allocation_param (query, allocator, &params);
  if (caps && need_pool)
    propose_pool (query, allocator, caps, slot_size);
}
