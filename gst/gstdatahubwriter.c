/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers with memory on slots of the block are committed without a copy;
 * others are copied once, into a new slot.
 * Tests: gst-buffers, gst-events, gst-zero-copy */
#include "gstdatahubwriter.h"
#include "gstdatahuballocator.h"
#include "gstdatahubclient.h"
#include "gstdatahubflags.h"
#include "gstdatahublimits.h"
#include "gstdatahubmeta.h"
#include "gstdatahubrelay.h"

#include <gst/base/gstbasesink.h>

struct _GstDatahubWriter
{
  GstElement *element; /* borrowed: it owns the writer */
  GstDatahubProducer *block; /* owned */
  DatahubProducer *producer; /* entered until freed */
  GstDatahubAllocator *allocator; /* owned */
  guint batch_max;

  /* the streaming thread's, kept to allocate nothing for each buffer */
  GByteArray *metas;
  GstDatahubLeftOut metas_left;
  GstDatahubLeftOut left_out; /* of tags and events */
  gboolean warned_room;
  DatahubCommit commits[DATAHUB_MAX_BATCH];
  DatahubSlot copies[DATAHUB_MAX_BATCH]; /* loans of this call */
  gsize meta_at[DATAHUB_MAX_BATCH];
  gboolean discont; /* buffers in front of the next one were dropped */
  gboolean yielding; /* an interrupted wait ends with FLUSHING */

  GMutex lock; /* guards the rest; innermost */
  GstDatahubWriterStats stats;
  GstDatahubWriterPosition position;
};

/* Whether an interrupted wait returns %GST_FLOW_FLUSHING instead of a wait for the
 * preroll. With the stream lock of the pad. */
void
gst_datahub_writer_set_yielding (GstDatahubWriter *writer, gboolean yielding)
{
  writer->yielding = yielding;
}

/**
 * gst_datahub_writer_new:
 * @block: a block
 * @element: the sink, for messages and pauses
 *
 * Returns: (transfer full): a writer
 */
GstDatahubWriter *
gst_datahub_writer_new (GstDatahubProducer *block, GstElement *element)
{
  GstDatahubWriter *writer = g_new0 (GstDatahubWriter, 1);
  writer->element = element;
  writer->block = gst_datahub_producer_ref (block);
  writer->producer = gst_datahub_producer_enter (block);
  writer->allocator = GST_DATAHUB_ALLOCATOR (gst_datahub_allocator_new (block));
  writer->batch_max = datahub_producer_get_batch_max (writer->producer);
  for (guint i = 0; i < DATAHUB_MAX_BATCH; i++)
    datahub_commit_init (&writer->commits[i], DATAHUB_RECORD_BUFFER);
  writer->metas = g_byte_array_new ();
  gst_datahub_left_out_init (&writer->metas_left, element, "metas-left");
  gst_datahub_left_out_init (&writer->left_out, element, "left-out");
  writer->position =
      (GstDatahubWriterPosition){ GST_DATAHUB_NO_INSTANT, GST_CLOCK_TIME_NONE };
  g_mutex_init (&writer->lock);
  return writer;
}

void
gst_datahub_writer_free (GstDatahubWriter *writer)
{
  if (!writer)
    return;
  gst_object_unref (writer->allocator);
  gst_datahub_producer_leave (writer->block);
  gst_datahub_producer_unref (writer->block);
  g_byte_array_unref (writer->metas);
  gst_datahub_left_out_clear (&writer->metas_left);
  gst_datahub_left_out_clear (&writer->left_out);
  g_mutex_clear (&writer->lock);
  g_free (writer);
}

GstAllocator *
gst_datahub_writer_get_allocator (GstDatahubWriter *writer)
{
  return GST_ALLOCATOR_CAST (writer->allocator);
}

DatahubProducer *
gst_datahub_writer_get_producer (GstDatahubWriter *writer)
{
  return writer->producer;
}

/* Any thread. */
void
gst_datahub_writer_get_stats (GstDatahubWriter *writer,
    GstDatahubWriterStats *stats)
{
  g_mutex_lock (&writer->lock);
  *stats = writer->stats;
  g_mutex_unlock (&writer->lock);
}

/* Any thread. */
GstDatahubWriterPosition
gst_datahub_writer_get_position (GstDatahubWriter *writer)
{
  GstDatahubWriterPosition position;
  g_mutex_lock (&writer->lock);
  position = writer->position;
  g_mutex_unlock (&writer->lock);
  return position;
}

static void
count (GstDatahubWriter *writer, guint64 *counter, guint64 n)
{
  g_mutex_lock (&writer->lock);
  *counter += n;
  g_mutex_unlock (&writer->lock);
}

static void
warn_room (GstDatahubWriter *writer, const DatahubError *error)
{
  DatahubProducerStats stats;
  if (writer->warned_room)
    return;
  writer->warned_room = TRUE;
  datahub_producer_get_stats (writer->producer, &stats);
  GST_ELEMENT_WARNING (writer->element, RESOURCE, NO_SPACE_LEFT,
      ("There is no space for this buffer. It was dropped, and later ones may "
       "be dropped without a warning: %" G_GUINT64_FORMAT
       " of %" G_GUINT64_FORMAT " bytes that max-bytes allows are in use.",
          stats.bytes_used, stats.max_bytes),
      ("%u slots of %" G_GUINT64_FORMAT " bytes, %u free; %s", stats.slots,
          stats.slot_size, stats.free_slots, error->message));
}

/* The slots that the batch holds are needed for its next buffer. */
#define FLOW_BATCH_FULL GST_FLOW_CUSTOM_SUCCESS_2

/* Converts a result to a flow return. FLOW_CUSTOM_SUCCESS: the buffer was
 * dropped; FLOW_CUSTOM_SUCCESS_1: wait again. */
static GstFlowReturn
flow_of (GstDatahubWriter *writer, DatahubResult result,
    const DatahubError *error, const gchar *doing)
{
  GstFlowReturn flow;
  switch (result) {
    case DATAHUB_OK:
      return GST_FLOW_OK;
    case DATAHUB_INTERRUPTED:
      if (writer->yielding)
        return GST_FLOW_FLUSHING;
      flow = gst_base_sink_wait_preroll (GST_BASE_SINK (writer->element));
      return flow == GST_FLOW_OK ? GST_FLOW_CUSTOM_SUCCESS_1 : flow;
    case DATAHUB_CLOSED:
      return GST_FLOW_FLUSHING;
    case DATAHUB_TIMEOUT:
    case DATAHUB_DROPPED:
      warn_room (writer, error);
      return GST_FLOW_CUSTOM_SUCCESS;
    default:
      gst_datahub_client_post_error (writer->element, error, doing);
      return GST_FLOW_ERROR;
  }
}

/* The memories stay apart, one behind the other in the slot. If there are more than
 * a record can have, they become one. */
static void
describe_memories (GstBuffer *buffer, const DatahubSlot *slot, gsize size,
    DatahubCommit *commit)
{
  guint n = gst_buffer_n_memory (buffer);
  guint64 offset = 0;
  commit->n_memories = n == 0 || n > DATAHUB_MAX_MEMORIES ? 1 : n;
  commit->memories[0] = (DatahubCommitMemory){ slot, 0, size };
  for (guint i = 0; commit->n_memories > 1 && i < n; i++) {
    GstMemory *memory = gst_buffer_peek_memory (buffer, i);
    commit->memories[i] = (DatahubCommitMemory){ slot, offset, memory->size };
    offset += memory->size;
  }
}

/* Whether the copies among @n commits hold so many slots that the next one might
 * not get any. */
static gboolean
is_batch_full (GstDatahubWriter *writer, guint n)
{
  DatahubProducerStats stats;
  guint held = 0;
  for (guint i = 0; i < n; i++)
    held += writer->commits[i].release;
  if (held == 0)
    return FALSE;
  datahub_producer_get_stats (writer->producer, &stats);
  return held >= MAX (stats.slots / 4, 1);
}

/* A wait for slots would have no end while uncommitted buffers of the batch hold
 * them: consumers cannot read those. */
static GstFlowReturn
copy_into_slot (GstDatahubWriter *writer, GstBuffer *buffer, guint32 flags,
    guint index)
{
  gsize size = gst_buffer_get_size (buffer);
  DatahubSlot *slot = &writer->copies[index];
  DatahubCommit *commit = &writer->commits[index];
  gint64 timeout = index > 0 ? 0 : DATAHUB_FOREVER;
  DatahubError error = { 0 };
  GstFlowReturn flow;
  if (is_batch_full (writer, index))
    return FLOW_BATCH_FULL;
  do {
    DatahubResult result = datahub_producer_acquire_slot_for (writer->producer,
        size, flags, timeout, slot, &error);
    if (result == DATAHUB_TIMEOUT && index > 0)
      return FLOW_BATCH_FULL;
    flow = flow_of (writer, result, &error, "making room for a buffer");
  } while (flow == GST_FLOW_CUSTOM_SUCCESS_1);
  if (flow != GST_FLOW_OK)
    return flow;
  gst_buffer_extract (buffer, 0, slot->data, size);
  gst_datahub_relay_end_copied (buffer);
  describe_memories (buffer, slot, size, commit);
  commit->release = true;
  return GST_FLOW_OK;
}

static void
encode_metas (GstDatahubWriter *writer, const GstDatahubMedium *medium,
    GstBuffer *buffer)
{
  const guint64 before = writer->metas_left.count;
  gpointer state = NULL;
  if (!gst_buffer_iterate_meta (buffer, &state))
    return;
  gst_datahub_meta_encode_of (buffer, medium, writer->metas,
      &writer->metas_left);
  if (writer->metas_left.count > before)
    count (writer, &writer->stats.metas_left,
        writer->metas_left.count - before);
}

static gint64
instant_of (const GstDatahubWriterNow *now, GstClockTime timestamp)
{
  return gst_datahub_clock_map_instant (now->clock_map, now->clock,
      now->base_time, now->segment, timestamp);
}

static void
describe (const GstDatahubWriterNow *now, GstBuffer *buffer, guint32 flags,
    DatahubCommit *commit)
{
  GstClockTime first = GST_BUFFER_DTS_OR_PTS (buffer);
  if (GST_BUFFER_PTS_IS_VALID (buffer))
    first = GST_BUFFER_PTS (buffer);
  commit->type = DATAHUB_RECORD_BUFFER;
  commit->flags = flags | (now->live ? DATAHUB_FLAG_LIVE : 0);
  gst_datahub_units_advance (now->units);
  if (now->fragments->watched
      && !gst_datahub_fragments_begin (now->fragments, buffer))
    commit->flags = gst_datahub_flags_set_inside (commit->flags);
  commit->pts = GST_BUFFER_PTS (buffer);
  commit->dts = GST_BUFFER_DTS (buffer);
  commit->duration = GST_BUFFER_DURATION (buffer);
  commit->offset = GST_BUFFER_OFFSET (buffer);
  commit->offset_end = GST_BUFFER_OFFSET_END (buffer);
  commit->instant_ns = instant_of (now, first);
}

/* Fills in commit @index; CUSTOM_SUCCESS where the buffer had to be dropped,
 * FLOW_BATCH_FULL where the commits before it must be published first. */
static GstFlowReturn
prepare (GstDatahubWriter *writer, const GstDatahubWriterNow *now,
    GstBuffer *buffer, guint index)
{
  DatahubCommit *commit = &writer->commits[index];
  guint32 flags = gst_datahub_units_get_flags (now->units,
      gst_datahub_flags_encode (buffer));
  gboolean copy =
      !gst_datahub_allocator_take_buffer (writer->allocator, buffer, commit);
  if (copy) {
    GstFlowReturn flow = copy_into_slot (writer, buffer, flags, index);
    if (flow != GST_FLOW_OK)
      return flow;
  }
  describe (now, buffer, flags, commit);
  if (writer->discont)
    commit->flags = gst_datahub_flags_set_discont (commit->flags);
  writer->discont = FALSE;
  writer->meta_at[index] = writer->metas->len;
  encode_metas (writer, now->medium, buffer);
  commit->meta_size = (guint32) (writer->metas->len - writer->meta_at[index]);
  g_mutex_lock (&writer->lock);
  writer->position.instant = commit->instant_ns;
  writer->position.duration = commit->duration;
  if (copy) {
    writer->stats.copied++;
    writer->stats.copied_bytes += gst_buffer_get_size (buffer);
  } else {
    writer->stats.zero_copy++;
  }
  g_mutex_unlock (&writer->lock);
  if (copy)
    datahub_producer_count_copied (writer->producer, 1);
  return GST_FLOW_OK;
}

/* Consumers see it by DISCONT alone: the numbers of records have no gap. */
static void
note_dropped (GstDatahubWriter *writer, guint n)
{
  writer->discont = TRUE;
  count (writer, &writer->stats.dropped, n);
}

static void
give_back (GstDatahubWriter *writer, guint n)
{
  for (guint i = 0; i < n; i++)
    if (writer->commits[i].release)
      datahub_producer_abort (writer->producer, &writer->copies[i]);
}

static GstFlowReturn
commit_batch (GstDatahubWriter *writer, guint n)
{
  DatahubError error = { 0 };
  GstFlowReturn flow;
  for (guint i = 0; i < n; i++)
    writer->commits[i].meta = writer->commits[i].meta_size
        ? writer->metas->data + writer->meta_at[i]
        : NULL;
  do {
    DatahubResult result = datahub_producer_commit_batch (writer->producer,
        writer->commits, n, DATAHUB_FOREVER, NULL, &error);
    flow = flow_of (writer, result, &error, "committing");
  } while (flow == GST_FLOW_CUSTOM_SUCCESS_1);
  if (flow != GST_FLOW_OK)
    give_back (writer, n);
  if (flow == GST_FLOW_CUSTOM_SUCCESS)
    note_dropped (writer, n);
  return flow == GST_FLOW_CUSTOM_SUCCESS ? GST_FLOW_OK : flow;
}

static GstFlowReturn
write_batch (GstDatahubWriter *writer, const GstDatahubWriterNow *now,
    GstBuffer **buffers, guint n_buffers)
{
  guint n = 0;
  g_byte_array_set_size (writer->metas, 0);
  for (guint i = 0; i < n_buffers; i++) {
    GstFlowReturn flow = prepare (writer, now, buffers[i], n);
    if (flow == FLOW_BATCH_FULL) {
      flow = commit_batch (writer, n);
      n = 0;
      g_byte_array_set_size (writer->metas, 0);
      if (flow == GST_FLOW_OK)
        flow = prepare (writer, now, buffers[i], n);
    }
    if (flow == GST_FLOW_CUSTOM_SUCCESS) {
      note_dropped (writer, 1);
      continue;
    }
    if (flow != GST_FLOW_OK) {
      give_back (writer, n);
      return flow;
    }
    n++;
  }
  return n ? commit_batch (writer, n) : GST_FLOW_OK;
}

/**
 * gst_datahub_writer_write_buffers:
 * @writer: a writer
 * @now: the state that applies to them
 * @buffers: (array length=n_buffers): buffers; memory on slots is sealed
 * @n_buffers: how many
 *
 * Publishes the buffers in as few steps as the ring allows. Waits for reliable
 * consumers. Each wait can be interrupted, and continues after a pause.
 *
 * Returns: %GST_FLOW_OK, also where buffers had to be dropped;
 *   %GST_FLOW_FLUSHING if the sink stops; %GST_FLOW_ERROR with an error posted
 */
GstFlowReturn
gst_datahub_writer_write_buffers (GstDatahubWriter *writer,
    const GstDatahubWriterNow *now, GstBuffer **buffers, guint n_buffers)
{
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; i < n_buffers && flow == GST_FLOW_OK;
       i += writer->batch_max)
    flow = write_batch (writer, now, buffers + i,
        MIN (n_buffers - i, writer->batch_max));
  return flow;
}

static GstFlowReturn
write_record (GstDatahubWriter *writer, const DatahubCommit *commit)
{
  DatahubError error = { 0 };
  GstFlowReturn flow;
  do {
    DatahubResult result = datahub_producer_commit (writer->producer, commit,
        DATAHUB_FOREVER, NULL, &error);
    flow = flow_of (writer, result, &error, "committing an event");
  } while (flow == GST_FLOW_CUSTOM_SUCCESS_1);
  return flow == GST_FLOW_CUSTOM_SUCCESS ? GST_FLOW_OK : flow;
}

/**
 * gst_datahub_writer_write_body:
 * @writer: a writer
 * @type: any but a buffer or a gap
 * @body: (nullable): its contents
 *
 * Returns: as gst_datahub_writer_write_buffers()
 */
GstFlowReturn
gst_datahub_writer_write_body (GstDatahubWriter *writer, DatahubRecordType type,
    GBytes *body)
{
  DatahubCommit commit;
  gsize size = 0;
  datahub_commit_init (&commit, type);
  commit.meta = body ? g_bytes_get_data (body, &size) : NULL;
  commit.meta_size = (guint32) size;
  return write_record (writer, &commit);
}

static gboolean
is_for_space (DatahubResult result)
{
  return result == DATAHUB_ERROR_NO_SPACE || result == DATAHUB_ERROR_TOO_BIG
      || result == DATAHUB_TIMEOUT || result == DATAHUB_DROPPED;
}

static GstFlowReturn
commit_optional (GstDatahubWriter *writer, DatahubCommit *commit, GBytes *body)
{
  DatahubError error = { 0 };
  GstFlowReturn flow;
  gsize size;
  commit->meta = g_bytes_get_data (body, &size);
  commit->meta_size = (guint32) size;
  do {
    DatahubResult result = datahub_producer_commit (writer->producer, commit,
        DATAHUB_FOREVER, NULL, &error);
    if (is_for_space (result))
      return GST_FLOW_CUSTOM_SUCCESS;
    flow = flow_of (writer, result, &error, "committing an event");
  } while (flow == GST_FLOW_CUSTOM_SUCCESS_1);
  return flow;
}

/**
 * gst_datahub_writer_write_optional:
 * @writer: a writer
 * @type: tags or an event
 * @body: its contents
 *
 * As gst_datahub_writer_write_body(), but the stream goes on if there is no space.
 *
 * Returns: %GST_FLOW_CUSTOM_SUCCESS if there is no space; nothing was posted
 */
GstFlowReturn
gst_datahub_writer_write_optional (GstDatahubWriter *writer,
    DatahubRecordType type, GBytes *body)
{
  DatahubCommit commit;
  datahub_commit_init (&commit, type);
  return commit_optional (writer, &commit, body);
}

/**
 * gst_datahub_writer_write_at:
 * @writer: a writer
 * @now: the state that applies to it
 * @timestamp: what the event is about
 * @body: the event
 *
 * Returns: as gst_datahub_writer_write_optional()
 */
GstFlowReturn
gst_datahub_writer_write_at (GstDatahubWriter *writer,
    const GstDatahubWriterNow *now, GstClockTime timestamp, GBytes *body)
{
  DatahubCommit commit;
  datahub_commit_init (&commit, DATAHUB_RECORD_EVENT);
  commit.pts = timestamp;
  commit.instant_ns = instant_of (now, timestamp);
  commit.flags = now->live ? DATAHUB_FLAG_LIVE : 0;
  return commit_optional (writer, &commit, body);
}
/* Returns: what was left out of tags and events. Streaming thread. */
GstDatahubLeftOut *
gst_datahub_writer_get_left_out (GstDatahubWriter *writer)
{
  return &writer->left_out;
}

/* Posts that no reader takes caps of @size bytes. */
void
gst_datahub_writer_refuse_caps (GstDatahubWriter *writer, gsize size)
{
  GST_ELEMENT_ERROR (writer->element, STREAM, FORMAT,
      ("These caps have a text of %" G_GSIZE_FORMAT
       " bytes that no consumer takes. Caps can have %u bytes, and values that "
       "have a text; remove long values, such as headers, from them.",
          size, GST_DATAHUB_BODY_MAX),
      (NULL));
}

/* Takes the count over to the statistics. Streaming thread. */
void
gst_datahub_writer_count_left_out (GstDatahubWriter *writer)
{
  g_mutex_lock (&writer->lock);
  writer->stats.left_out = writer->left_out.count;
  g_mutex_unlock (&writer->lock);
}

/**
 * gst_datahub_writer_write_gap:
 * @writer: a writer
 * @now: the state that applies to it
 * @event: a GAP
 *
 * Returns: as gst_datahub_writer_write_buffers()
 */
GstFlowReturn
gst_datahub_writer_write_gap (GstDatahubWriter *writer,
    const GstDatahubWriterNow *now, GstEvent *event)
{
  DatahubCommit commit;
  GstGapFlags flags = (GstGapFlags) 0;
  GstClockTime timestamp, duration;
  gst_event_parse_gap (event, &timestamp, &duration);
  gst_event_parse_gap_flags (event, &flags);
  datahub_commit_init (&commit, DATAHUB_RECORD_GAP);
  commit.pts = timestamp;
  commit.duration = duration;
  commit.instant_ns = instant_of (now, timestamp);
  commit.flags = ((guint32) flags & DATAHUB_FLAG_USER_MASK)
      | (now->live ? DATAHUB_FLAG_LIVE : 0);
  return write_record (writer, &commit);
}
