/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block is created, described, published and registered in this order, and
 * removed in the opposite order. All other users of the block get it from here.
 */
#include "gstdatahubshare.h"

#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

/* There is no block yet. */
void
gst_datahub_share_init (GstDatahubShare *share, GstElement *element,
    const GstDatahubClient *client)
{
  *share = (GstDatahubShare){ .element = element, .client = client };
}

/* Whether no living producer has the name; if one has, that was posted. */
gboolean
gst_datahub_share_is_name_free (const GstDatahubShare *share)
{
  DatahubBlockGlance glance;
  DatahubError error = { 0 };
  gboolean taken =
      datahub_block_glance (share->client->channel, &glance, &error)
          == DATAHUB_OK
      && glance.producer_alive;
  if (taken) {
    error.code = DATAHUB_ERROR_BUSY;
    g_snprintf (error.message, sizeof error.message,
        "Another producer, process %d, has the DataBlock \"%s\". Stop it, or "
        "choose another name with datablock=NAME.",
        glance.producer_pid, share->client->channel);
    gst_datahub_client_post_error (share->element, &error,
        "looking for the name");
  }
  return !taken;
}

/* A strict block that a broker knows takes tickets, which only the broker makes:
 * so who may read it is what the broker says. */
static gboolean
make_secret (GstDatahubShare *share, DatahubProducerOptions *options,
    DatahubError *error)
{
  if (!options->strict || !share->client->hub)
    return TRUE;
  error->code = datahub_secret_generate (share->secret, error);
  share->has_secret = error->code == DATAHUB_OK;
  options->secret = share->secret;
  return share->has_secret;
}

static void
tell_page_size (GstDatahubShare *share, const DatahubProducerOptions *options)
{
  DatahubProducerStats stats;
  guint64 wanted = options->hugepages == DATAHUB_HUGEPAGES_2M ? 1 << 21
      : options->hugepages == DATAHUB_HUGEPAGES_1G            ? 1 << 30
                                                              : 0;
  datahub_producer_get_stats (gst_datahub_writer_get_producer (share->writer),
      &stats);
  if (stats.page_size >= wanted)
    return;
  GST_ELEMENT_WARNING (share->element, RESOURCE, SETTINGS,
      ("There are no huge pages of %" G_GUINT64_FORMAT
       " KiB for this block; it uses pages of %" G_GUINT64_FORMAT " KiB. %s",
          wanted / 1024, stats.page_size / 1024,
          options->strict ? "Reserve huge pages in /sys/kernel/mm/hugepages "
                            "before the sink starts."
                          : "Only a block with strict=true can use them."),
      (NULL));
}

static void
install_block (GstDatahubShare *share, GstDatahubProducer *block,
    GstDatahubResumeFunc resume)
{
  GstDatahubWriter *writer =
      gst_datahub_writer_new (block, share->element, resume);
  gboolean unlocked;
  GST_OBJECT_LOCK (share->element);
  share->block = block;
  share->writer = writer;
  unlocked = share->unlocked;
  GST_OBJECT_UNLOCK (share->element);
  /* A new block's waits are not ended, and who unlocks after the look above ends
   * them itself: that must not be taken back. */
  if (unlocked)
    gst_datahub_producer_set_interrupted (block, GST_DATAHUB_PRODUCER_UNLOCKED,
        TRUE);
}

/**
 * gst_datahub_share_create:
 * @share: one without a block
 * @options: of the block; a secret is added to those of a strict one
 * @resume: called with the element when a wait was interrupted
 *
 * Makes a block that nobody sees yet, and its writer.
 *
 * Returns: %GST_FLOW_OK; %GST_FLOW_ERROR was posted
 */
GstFlowReturn
gst_datahub_share_create (GstDatahubShare *share,
    DatahubProducerOptions *options, GstDatahubResumeFunc resume)
{
  DatahubError error = { 0 };
  GstDatahubProducer *block = make_secret (share, options, &error)
      ? gst_datahub_producer_new (share->client->channel, options, &error)
      : NULL;
  if (!block) {
    gst_datahub_client_post_error (share->element, &error,
        "creating the block");
    return GST_FLOW_ERROR;
  }
  install_block (share, block, resume);
  tell_page_size (share, options);
  return GST_FLOW_OK;
}

/* ---- its consumers, in the service's thread ---- */

static const gchar *
uuid_of (GstDatahubShare *share)
{
  return datahub_producer_get_uuid (
      gst_datahub_writer_get_producer (share->writer));
}

/* The producer sees every consumer come and go, also one that knows no broker or
 * is killed: so it is the one who tells. */
static void
on_consumer_added (gpointer user_data, guint64 id, const gchar *name)
{
  GstDatahubShare *share = user_data;
  if (share->client->hub)
    datahub_hub_consumer_joined (share->client->hub, share->client->channel,
        uuid_of (share), id, name);
  share->funcs.consumer_added (share->user_data, id, name);
}

static void
on_consumer_removed (gpointer user_data, guint64 id, const gchar *name,
    const gchar *reason)
{
  GstDatahubShare *share = user_data;
  if (share->client->hub)
    datahub_hub_consumer_left (share->client->hub, share->client->channel,
        uuid_of (share), id, reason);
  share->funcs.consumer_removed (share->user_data, id, name, reason);
}

static void
on_requested (gpointer user_data, guint requests)
{
  GstDatahubShare *share = user_data;
  share->funcs.requested (share->user_data, requests);
}

static void
on_notify (gpointer user_data, gboolean wanted)
{
  GstDatahubShare *share = user_data;
  share->funcs.notify (share->user_data, wanted);
}

static const GstDatahubServiceFuncs share_funcs = {
  .consumer_added = on_consumer_added,
  .consumer_removed = on_consumer_removed,
  .requested = on_requested,
  .notify = on_notify,
};

/**
 * gst_datahub_share_publish:
 * @share: one with a block
 * @funcs: who hears of its consumers
 * @user_data: given to @funcs
 *
 * Others see the block from now on.
 *
 * Returns: %GST_FLOW_OK; %GST_FLOW_ERROR was posted
 */
GstFlowReturn
gst_datahub_share_publish (GstDatahubShare *share,
    const GstDatahubServiceFuncs *funcs, gpointer user_data)
{
  DatahubError error = { 0 };
  error.code =
      datahub_producer_publish (gst_datahub_writer_get_producer (share->writer),
          &error);
  if (error.code != DATAHUB_OK) {
    gst_datahub_client_post_error (share->element, &error,
        "publishing the block");
    return GST_FLOW_ERROR;
  }
  share->funcs = *funcs;
  share->user_data = user_data;
  share->service = gst_datahub_service_new (share->block, &share_funcs, share);
  return GST_FLOW_OK;
}

/**
 * gst_datahub_share_register:
 * @share: one with a published block
 * @caps: (nullable): what is in it
 *
 * Tells the broker, if there is one; again when the caps are new.
 */
void
gst_datahub_share_register (GstDatahubShare *share, GstCaps *caps)
{
  g_autofree gchar *text = NULL;
  if (!share->client->hub)
    return;
  text = caps ? gst_caps_serialize (caps, GST_SERIALIZE_FLAG_NONE) : NULL;
  (share->has_secret ? datahub_hub_register_strict_block
                     : datahub_hub_register_block) (share->client->hub,
      share->client->channel, uuid_of (share), text,
      share->has_secret ? share->secret : NULL);
}

static void
leave_hub (GstDatahubShare *share)
{
  if (share->client->hub && share->writer)
    datahub_hub_unregister_block (share->client->hub, share->client->channel,
        uuid_of (share));
}

static void
wipe_secret (GstDatahubShare *share)
{
  explicit_bzero (share->secret, sizeof share->secret);
  share->has_secret = FALSE;
}

/* The streaming thread has ended. Returns: whether there was a block. */
gboolean
gst_datahub_share_close (GstDatahubShare *share)
{
  GstDatahubWriter *writer;
  GstDatahubProducer *block;
  g_clear_pointer (&share->service, gst_datahub_service_stop);
  leave_hub (share);
  GST_OBJECT_LOCK (share->element);
  writer = g_steal_pointer (&share->writer);
  block = g_steal_pointer (&share->block);
  GST_OBJECT_UNLOCK (share->element);
  gst_datahub_writer_free (writer);
  wipe_secret (share);
  if (!block)
    return FALSE;
  gst_datahub_producer_close (block);
  gst_datahub_producer_unref (block);
  return TRUE;
}

/* Returns: (transfer full) (nullable): memory of the block. Any thread. */
GstAllocator *
gst_datahub_share_get_allocator (GstDatahubShare *share)
{
  GstAllocator *allocator = NULL;
  GST_OBJECT_LOCK (share->element);
  if (share->writer)
    allocator =
        gst_object_ref (gst_datahub_writer_get_allocator (share->writer));
  GST_OBJECT_UNLOCK (share->element);
  return allocator;
}

/* Ends the waits of all who use the block, or allows them again. Any thread. */
void
gst_datahub_share_interrupt (GstDatahubShare *share,
    GstDatahubProducerInterrupt why, gboolean interrupted)
{
  GstDatahubProducer *block;
  GST_OBJECT_LOCK (share->element);
  if (why == GST_DATAHUB_PRODUCER_UNLOCKED)
    share->unlocked = interrupted;
  block = share->block ? gst_datahub_producer_ref (share->block) : NULL;
  GST_OBJECT_UNLOCK (share->element);
  if (!block)
    return;
  gst_datahub_producer_set_interrupted (block, why, interrupted);
  gst_datahub_producer_unref (block);
}
