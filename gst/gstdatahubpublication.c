/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block is created, described, published and registered in this order, and
 * removed in the opposite order. All other users of the block get it from
 * here.
 * Tests: gst-broker, gst-strict, gst-refusals */
#include "gstdatahubpublication.h"
#include "gstdatahubprocess.h"

#include <gst/base/gstbasesink.h>
#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

/* There is no block yet. */
void
gst_datahub_publication_init (GstDatahubPublication *publication,
    GstElement *element, const GstDatahubClient *client,
    const GstDatahubSinkSettings *settings)
{
  *publication =
      (GstDatahubPublication){ .element = element, .client = client };
  gst_datahub_consumer_watch_init (&publication->watch, element, client,
      settings);
  publication->relay = gst_datahub_relay_new ();
  gst_datahub_notes_init (&publication->notes, element);
}

/* Whether no living producer has the name; if one has, that was posted. */
gboolean
gst_datahub_publication_is_name_free (const GstDatahubPublication *publication)
{
  DatahubBlockGlance glance;
  DatahubError error = { 0 };
  gboolean taken =
      datahub_block_glance (publication->client->channel, &glance, &error)
          == DATAHUB_OK
      && glance.producer_alive && !glance.foreign;
  if (taken) {
    g_autofree gchar *process =
        gst_datahub_process_describe (glance.producer_pid, glance.uuid);
    error.code = DATAHUB_ERROR_BUSY;
    g_snprintf (error.message, sizeof error.message,
        "Another producer, %s, has the DataBlock \"%s\". Stop it, or "
        "choose another name with datablock=NAME.",
        process, publication->client->channel);
    gst_datahub_client_post_error (publication->element, &error,
        "looking for the name");
  }
  return !taken;
}

/* A strict block that is registered with a broker requires tickets, which only
 * the broker makes: so the broker decides which clients can read it. */
static gboolean
make_secret (GstDatahubPublication *publication,
    DatahubProducerOptions *options, DatahubError *error)
{
  if (!options->strict || !publication->client->hub)
    return TRUE;
  publication->has_secret =
      datahub_secret_generate (publication->secret, error) == DATAHUB_OK;
  options->secret = publication->secret;
  return publication->has_secret;
}

static void
tell_page_size (GstDatahubPublication *publication,
    const DatahubProducerOptions *options)
{
  DatahubProducerStats stats;
  guint64 wanted = options->hugepages == DATAHUB_HUGEPAGES_2M ? 1 << 21
      : options->hugepages == DATAHUB_HUGEPAGES_1G            ? 1 << 30
                                                              : 0;
  datahub_producer_get_stats (
      gst_datahub_writer_get_producer (publication->writer), &stats);
  if (stats.page_size >= wanted)
    return;
  GST_ELEMENT_WARNING (publication->element, RESOURCE, SETTINGS,
      ("There are no huge pages of %" G_GUINT64_FORMAT
       " KiB for this block; it uses pages of %" G_GUINT64_FORMAT " KiB. %s",
          wanted / 1024, stats.page_size / 1024,
          options->strict ? "Reserve huge pages in /sys/kernel/mm/hugepages "
                            "before the sink starts."
                          : "Only a block with strict=true can use them."),
      (NULL));
}

static void
install_block (GstDatahubPublication *publication, GstDatahubProducer *block)
{
  GstDatahubWriter *writer =
      gst_datahub_writer_new (block, publication->element);
  gboolean unlocked;
  GST_OBJECT_LOCK (publication->element);
  publication->block = block;
  publication->writer = writer;
  unlocked = publication->unlocked;
  GST_OBJECT_UNLOCK (publication->element);
  /* The waits of a new block are not interrupted. A thread that unlocks after
   * the check above interrupts them itself, which must not be undone. */
  if (unlocked)
    gst_datahub_producer_set_interrupted (block, GST_DATAHUB_PRODUCER_UNLOCKED,
        TRUE);
  gst_datahub_relay_set_target (publication->relay,
      gst_datahub_writer_get_allocator (writer));
}

static guint
wanted_consumers (GstDatahubPublication *publication)
{
  gboolean ending;
  GST_OBJECT_LOCK (publication->element);
  ending = publication->ending;
  GST_OBJECT_UNLOCK (publication->element);
  if (ending)
    return 0;
  return gst_datahub_sink_settings_read (publication->element,
      publication->watch.settings)
      .wait_for_consumers;
}

/**
 * gst_datahub_publication_start:
 * @publication: one without a block
 *
 * Until the wanted consumers are there, an EOS for the whole pipeline reaches the
 * element, see gst_datahub_publication_end_wait(). Before the streaming thread runs.
 */
void
gst_datahub_publication_start (GstDatahubPublication *publication)
{
  GST_OBJECT_LOCK (publication->element);
  publication->ending = publication->stopping = FALSE;
  publication->renewals = 0;
  publication->names_lost = FALSE;
  publication->renew_after = 0;
  GST_OBJECT_UNLOCK (publication->element);
  if (wanted_consumers (publication))
    gst_datahub_ending_listen (&publication->eos, publication->element);
}

/* No consumer is waited for any more. Any thread. */
void
gst_datahub_publication_end_wait (GstDatahubPublication *publication)
{
  GST_OBJECT_LOCK (publication->element);
  publication->ending = TRUE;
  GST_OBJECT_UNLOCK (publication->element);
  gst_datahub_publication_interrupt (publication,
      GST_DATAHUB_PRODUCER_RECONSIDER, TRUE);
}

typedef struct
{
  GstDatahubPublication *publication;
  gboolean in_render;
} Creation;

/* %GST_FLOW_OK while a creation may go on. A change of state waits for the preroll
 * lock, which render has. */
static GstFlowReturn
look_at_creation (const Creation *creation)
{
  GstDatahubPublication *publication = creation->publication;
  GstFlowReturn flow = GST_FLOW_OK;
  GST_OBJECT_LOCK (publication->element);
  if (publication->stopping)
    flow = GST_FLOW_FLUSHING;
  else if (publication->unlocked && creation->in_render)
    flow = GST_FLOW_CUSTOM_SUCCESS;
  GST_OBJECT_UNLOCK (publication->element);
  return flow;
}

/* Asked between the pieces of the memory of a new block. */
static bool
is_going_on (void *data)
{
  return look_at_creation (data) == GST_FLOW_OK;
}

/* Ends the creation of a block. Any thread. */
void
gst_datahub_publication_stop (GstDatahubPublication *publication)
{
  GST_OBJECT_LOCK (publication->element);
  publication->stopping = TRUE;
  GST_OBJECT_UNLOCK (publication->element);
}

/**
 * gst_datahub_publication_create:
 * @publication: one without a block
 * @options: of the block; a secret is added to those of a strict one
 * @in_render: whether the thread has the preroll lock
 *
 * Creates a block that is not visible yet, and its writer. Big ones take a while,
 * which gst_datahub_publication_stop() ends, and any change of state if the thread
 * has the preroll lock.
 *
 * Returns: %GST_FLOW_OK; %GST_FLOW_FLUSHING if the sink stops;
 *   %GST_FLOW_CUSTOM_SUCCESS if the preroll lock is wanted; %GST_FLOW_ERROR was
 *   posted
 */
GstFlowReturn
gst_datahub_publication_create (GstDatahubPublication *publication,
    DatahubProducerOptions *options, gboolean in_render)
{
  Creation creation = { publication, in_render };
  DatahubError error = { 0 };
  GstDatahubProducer *block = NULL;
  options->may_go_on = is_going_on;
  options->may_go_on_data = &creation;
  if (make_secret (publication, options, &error))
    block = gst_datahub_producer_new (publication->client->channel, options,
        &error);
  if (!block && error.code == DATAHUB_INTERRUPTED)
    return look_at_creation (&creation) == GST_FLOW_FLUSHING
        ? GST_FLOW_FLUSHING
        : GST_FLOW_CUSTOM_SUCCESS;
  if (!block) {
    gst_datahub_client_post_error (publication->element, &error,
        "creating the block");
    return GST_FLOW_ERROR;
  }
  install_block (publication, block);
  gst_datahub_notes_write_early (&publication->notes, block);
  tell_page_size (publication, options);
  return GST_FLOW_OK;
}

static const gchar *
uuid_of (GstDatahubPublication *publication)
{
  return datahub_producer_get_uuid (
      gst_datahub_writer_get_producer (publication->writer));
}

static void
leave_hub (GstDatahubPublication *publication)
{
  if (publication->client->hub && publication->writer)
    datahub_hub_unregister_block (publication->client->hub,
        publication->client->channel, uuid_of (publication));
}

/* Writes what describes the stream to a block that follows another, and gives it
 * the name. Returns: whether it has the name */
static gboolean
take_name (GstDatahubPublication *publication, GstDatahubWriter *writer,
    GstDatahubDescribe describe, gpointer data, DatahubError *error)
{
  GstFlowReturn flow = describe (writer, data);
  if (flow != GST_FLOW_OK) {
    error->code = DATAHUB_INTERRUPTED;
    return FALSE;
  }
  return datahub_producer_succeed (
             gst_datahub_writer_get_producer (publication->writer),
             gst_datahub_writer_get_producer (writer), error)
      == DATAHUB_OK;
}

/* The service thread closes the former block, which has the name no longer. */
static void
go_over (GstDatahubPublication *publication, GstDatahubProducer *block,
    GstDatahubWriter *writer)
{
  GstDatahubProducer *former = publication->block;
  GstDatahubWriter *former_writer = publication->writer;
  gboolean unlocked;
  leave_hub (publication);
  GST_OBJECT_LOCK (publication->element);
  publication->block = block;
  publication->writer = writer;
  publication->renewals++;
  unlocked = publication->unlocked;
  GST_OBJECT_UNLOCK (publication->element);
  if (unlocked) /* as in install_block() */
    gst_datahub_producer_set_interrupted (block, GST_DATAHUB_PRODUCER_UNLOCKED,
        TRUE);
  gst_datahub_relay_set_target (publication->relay,
      gst_datahub_writer_get_allocator (writer));
  gst_datahub_consumer_watch_follow (&publication->watch, block, writer, former,
      former_writer);
}

typedef struct
{
  gboolean has_secret;
  guint8 secret[DATAHUB_SECRET_SIZE];
} Secret;

/* The block is the one before. */
static void
give_up (GstDatahubPublication *publication, const Secret *before,
    GstDatahubProducer *block, GstDatahubWriter *writer)
{
  memcpy (publication->secret, before->secret, sizeof before->secret);
  publication->has_secret = before->has_secret;
  gst_datahub_writer_free (writer);
  g_clear_pointer (&block, gst_datahub_producer_unref);
}

/**
 * gst_datahub_publication_renew:
 * @publication: one with a published block that lost its names
 * @options: of the block that is to follow
 * @describe: writes what describes the stream
 * @data: passed to @describe
 * @error: (out): why it failed; %DATAHUB_INTERRUPTED: it may be tried again
 *
 * Goes over to another block under the same name. It is to be registered then. After
 * a failure the block is the same as before.
 *
 * Returns: whether it did
 */
gboolean
gst_datahub_publication_renew (GstDatahubPublication *publication,
    DatahubProducerOptions *options, GstDatahubDescribe describe, gpointer data,
    DatahubError *error)
{
  Creation creation = { publication, TRUE };
  Secret before = { publication->has_secret };
  GstDatahubProducer *block = NULL;
  GstDatahubWriter *writer = NULL;
  gboolean done;
  error->code = DATAHUB_INTERRUPTED;
  if (gst_datahub_consumer_watch_is_following (&publication->watch))
    return FALSE;
  memcpy (before.secret, publication->secret, sizeof before.secret);
  options->may_go_on = is_going_on;
  options->may_go_on_data = &creation;
  if (make_secret (publication, options, error))
    block =
        gst_datahub_producer_new (publication->client->channel, options, error);
  if (block)
    writer = gst_datahub_writer_new (block, publication->element);
  done = writer && take_name (publication, writer, describe, data, error);
  if (done)
    go_over (publication, block, writer);
  else
    give_up (publication, &before, block, writer);
  explicit_bzero (&before, sizeof before);
  return done;
}

/**
 * gst_datahub_publication_publish:
 * @publication: one with a block
 *
 * Makes the block visible to other processes.
 *
 * Returns: %GST_FLOW_OK; %GST_FLOW_ERROR was posted
 */
GstFlowReturn
gst_datahub_publication_publish (GstDatahubPublication *publication)
{
  DatahubError error = { 0 };
  g_autoptr (GError) refusal = NULL;
  if (datahub_producer_publish (
          gst_datahub_writer_get_producer (publication->writer), &error)
      != DATAHUB_OK) {
    gst_datahub_client_post_error (publication->element, &error,
        "publishing the block");
    return GST_FLOW_ERROR;
  }
  if (gst_datahub_consumer_watch_start (&publication->watch, publication->block,
          publication->writer, &refusal))
    return GST_FLOW_OK;
  GST_ELEMENT_ERROR (publication->element, RESOURCE, FAILED,
      ("The system refuses the thread that serves the consumers: %s",
          refusal->message),
      ("see ulimit -u (RLIMIT_NPROC), ulimit -v (RLIMIT_AS) and the limit of "
       "tasks of the control group"));
  return GST_FLOW_ERROR;
}

/**
 * gst_datahub_publication_register:
 * @publication: one with a published block
 * @caps: (nullable): its caps
 *
 * Registers the block with the broker, if there is one. Must be called again
 * when the caps change.
 */
void
gst_datahub_publication_register (GstDatahubPublication *publication,
    GstCaps *caps)
{
  g_autofree gchar *text = NULL;
  if (!publication->client->hub)
    return;
  text = caps ? gst_caps_serialize (caps, GST_SERIALIZE_FLAG_NONE) : NULL;
  datahub_hub_register_block (publication->client->hub,
      publication->client->channel, uuid_of (publication), text,
      publication->has_secret ? publication->secret : NULL,
      publication->has_secret ? DATAHUB_REGISTER_STRICT
                              : DATAHUB_REGISTER_DEFAULT);
}

/* Sends a notification of new data through the broker, if a consumer wants it. */
void
gst_datahub_publication_notify (GstDatahubPublication *publication)
{
  DatahubProducerStats stats;
  g_autofree gchar *json = NULL;
  if (!publication->client->hub
      || !gst_datahub_consumer_watch_is_notify_wanted (&publication->watch))
    return;
  datahub_producer_get_stats (
      gst_datahub_writer_get_producer (publication->writer), &stats);
  json = g_strdup_printf ("{\"sequence\":%" G_GUINT64_FORMAT "}",
      stats.records - 1);
  datahub_hub_send_notification (publication->client->hub,
      publication->client->channel, "data-ready", json);
}

/* The wait ended early: for a pause, or because the wanted number changed. */
static GstFlowReturn
resume_wait (GstDatahubPublication *publication)
{
  gboolean unlocked;
  gst_datahub_publication_interrupt (publication,
      GST_DATAHUB_PRODUCER_RECONSIDER, FALSE);
  GST_OBJECT_LOCK (publication->element);
  unlocked = publication->unlocked;
  GST_OBJECT_UNLOCK (publication->element);
  return unlocked
      ? gst_base_sink_wait_preroll (GST_BASE_SINK (publication->element))
      : GST_FLOW_OK;
}

/**
 * gst_datahub_publication_wait_consumers:
 * @publication: one with a published block
 *
 * Waits until as many consumers are attached as the settings want, which may change
 * meanwhile.
 *
 * Returns: %GST_FLOW_OK; %GST_FLOW_CUSTOM_SUCCESS if the block lost its names;
 *   another flow if the wait was interrupted
 */
GstFlowReturn
gst_datahub_publication_wait_consumers (GstDatahubPublication *publication)
{
  DatahubProducer *producer =
      gst_datahub_writer_get_producer (publication->writer);
  GstFlowReturn flow = GST_FLOW_OK;
  guint wanted;
  do {
    wanted = wanted_consumers (publication);
    if (wanted)
      GST_INFO_OBJECT (publication->element, "waiting for %u consumers",
          wanted);
    if (datahub_producer_wait_consumers (producer, wanted, DATAHUB_FOREVER)
        != DATAHUB_INTERRUPTED)
      break;
    flow = resume_wait (publication);
    if (flow == GST_FLOW_OK
        && gst_datahub_names_are_lost (&publication->watch.names, producer))
      flow = GST_FLOW_CUSTOM_SUCCESS;
  } while (flow == GST_FLOW_OK);
  if (flow == GST_FLOW_OK)
    gst_datahub_ending_ignore (&publication->eos);
  return flow;
}

/* Upstream flushed: live consumers skip all unread records. */
void
gst_datahub_publication_flush (GstDatahubPublication *publication)
{
  if (publication->writer)
    datahub_producer_flush (gst_datahub_writer_get_producer (publication
                                                                 ->writer));
}

static void
wipe_secret (GstDatahubPublication *publication)
{
  explicit_bzero (publication->secret, sizeof publication->secret);
  publication->has_secret = FALSE;
}

/* The streaming thread has ended. */
void
gst_datahub_publication_close (GstDatahubPublication *publication)
{
  GstDatahubWriter *writer;
  GstDatahubProducer *block;
  gst_datahub_ending_ignore (&publication->eos);
  gst_datahub_relay_set_target (publication->relay, NULL);
  gst_datahub_consumer_watch_stop (&publication->watch);
  leave_hub (publication);
  GST_OBJECT_LOCK (publication->element);
  writer = g_steal_pointer (&publication->writer);
  block = g_steal_pointer (&publication->block);
  GST_OBJECT_UNLOCK (publication->element);
  gst_datahub_writer_free (writer);
  wipe_secret (publication);
  if (!block)
    return;
  gst_datahub_producer_close (block);
  gst_datahub_producer_unref (block);
  gst_datahub_consumer_watch_reset (&publication->watch);
}

/* Returns: (transfer full): the statistics of the base class, and the counters of the
 * block and of its writer. Any thread. */
GstStructure *
gst_datahub_publication_get_stats (GstDatahubPublication *publication)
{
  GstStructure *stats =
      gst_base_sink_get_stats (GST_BASE_SINK (publication->element));
  DatahubProducerStats block = { 0 };
  GstDatahubWriterStats writer = { 0 };
  GstDatahubUplinkStats uplink;
  GST_OBJECT_LOCK (publication->element);
  if (publication->writer) {
    datahub_producer_get_stats (
        gst_datahub_writer_get_producer (publication->writer), &block);
    gst_datahub_writer_get_stats (publication->writer, &writer);
  }
  uplink = publication->watch.uplink.stats;
  gst_structure_set (stats, "num-consumers", G_TYPE_UINT,
      publication->watch.num_consumers, "renegotiations", G_TYPE_UINT64,
      publication->watch.limits.renegotiations, "limits-left", G_TYPE_UINT64,
      publication->watch.limits.n_left, "renewals", G_TYPE_UINT64,
      publication->renewals, NULL);
  GST_OBJECT_UNLOCK (publication->element);
  gst_structure_set (stats, "buffers", G_TYPE_UINT64, block.commits, "bytes",
      G_TYPE_UINT64, block.bytes, "zero-copy", G_TYPE_UINT64, writer.zero_copy,
      "copied", G_TYPE_UINT64, writer.copied, "copied-bytes", G_TYPE_UINT64,
      writer.copied_bytes, "no-room", G_TYPE_UINT64, writer.dropped,
      "metas-left", G_TYPE_UINT64, writer.metas_left, "left-out", G_TYPE_UINT64,
      writer.left_out, "evictions", G_TYPE_UINT64, block.evictions, "reaped",
      G_TYPE_UINT64, block.reaped, "waits", G_TYPE_UINT64, block.waits, "wakes",
      G_TYPE_UINT64, block.wakes, "growths", G_TYPE_UINT64, block.growths,
      "given-up", G_TYPE_UINT64, block.given_up, "bytes-used", G_TYPE_UINT64,
      block.bytes_used, "max-bytes", G_TYPE_UINT64, block.max_bytes,
      "slot-size", G_TYPE_UINT64, block.slot_size, "slots", G_TYPE_UINT,
      block.slots, "free-slots", G_TYPE_UINT, block.free_slots, "ring-size",
      G_TYPE_UINT, block.ring_size, "adopted", G_TYPE_BOOLEAN, block.adopted,
      "incarnation", G_TYPE_UINT64, block.incarnation, "page-size",
      G_TYPE_UINT64, block.page_size, "events-pushed", G_TYPE_UINT64,
      uplink.pushed, "events-merged", G_TYPE_UINT64, uplink.merged,
      "events-refused", G_TYPE_UINT64, uplink.refused, "events-damaged",
      G_TYPE_UINT64, uplink.damaged, NULL);
  return stats;
}

/* Object lock. Returns: (transfer full) (nullable): the block */
static GstDatahubProducer *
ref_block (GstDatahubPublication *publication)
{
  return publication->block ? gst_datahub_producer_ref (publication->block)
                            : NULL;
}

/* Notes what the sink posts in the block. Any thread. */
void
gst_datahub_publication_note (GstDatahubPublication *publication,
    GstMessage *message)
{
  GstDatahubProducer *block;
  GST_OBJECT_LOCK (publication->element);
  block = ref_block (publication);
  GST_OBJECT_UNLOCK (publication->element);
  gst_datahub_notes_take (&publication->notes, block, message);
  g_clear_pointer (&block, gst_datahub_producer_unref);
}

/* Interrupts the waits of all users of the block, or allows them again. Any
 * thread. */
void
gst_datahub_publication_interrupt (GstDatahubPublication *publication,
    GstDatahubProducerInterrupt why, gboolean interrupted)
{
  GstDatahubProducer *block;
  GST_OBJECT_LOCK (publication->element);
  if (why == GST_DATAHUB_PRODUCER_UNLOCKED)
    publication->unlocked = interrupted;
  block = ref_block (publication);
  GST_OBJECT_UNLOCK (publication->element);
  if (!block)
    return;
  gst_datahub_producer_set_interrupted (block, why, interrupted);
  gst_datahub_producer_unref (block);
}
