/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mailbox holds one event, and the service thread of the sink empties it within
 * a fraction of a millisecond. So a sender waits for that, but not long, and only
 * once if the producer stands still. A key unit at a time is kept then and sent with
 * the next buffers, because a recorder asks once for each file; one that is wanted
 * now sets a bit that is never full. Other events are refused.
 * Tests: gst-upstream */
#include "gstdatahubpostbox.h"
#include "gstdatahubupstream.h"
#include "gstdatahubwanted.h"

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_src_debug);
#define GST_CAT_DEFAULT gst_datahub_src_debug

#define LOOKS 100 /* at the mailbox, 20 ms altogether */
#define LOOK_US 200
#define KEPT_MAX 8

void
gst_datahub_postbox_init (GstDatahubPostbox *postbox,
    GstDatahubAttachment *attachment)
{
  *postbox = (GstDatahubPostbox){ .attachment = attachment,
    .distance = GST_DATAHUB_NO_INSTANT };
  g_queue_init (&postbox->kept);
}

void
gst_datahub_postbox_clear (GstDatahubPostbox *postbox)
{
  g_queue_clear_full (&postbox->kept, (GDestroyNotify) g_bytes_unref);
  g_atomic_int_set (&postbox->n_kept, 0);
}

/* The lock of the interrupt must be held. */
void
gst_datahub_postbox_start (GstDatahubPostbox *postbox)
{
  gst_datahub_postbox_clear (postbox);
  postbox->distance = GST_DATAHUB_NO_INSTANT;
  postbox->wanted = GST_DATAHUB_EVENTS_UPSTREAM;
  postbox->stuck = postbox->told_late = FALSE;
  postbox->stats = (GstDatahubPostboxStats){ 0 };
}

static void
lock (GstDatahubPostbox *postbox)
{
  g_mutex_lock (&postbox->attachment->interrupt->lock);
}

static void
unlock (GstDatahubPostbox *postbox)
{
  g_mutex_unlock (&postbox->attachment->interrupt->lock);
}

/* The lock must be held. */
static DatahubResult
post_locked (GstDatahubPostbox *postbox, GBytes *bytes)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);
  DatahubConsumer *consumer = postbox->attachment->consumer;
  return consumer ? datahub_consumer_post_event (consumer, data, size, NULL)
                  : DATAHUB_ERROR_NOT_FOUND;
}

static DatahubResult
post (GstDatahubPostbox *postbox, GBytes *bytes, gboolean patient)
{
  DatahubResult result;
  lock (postbox);
  result = post_locked (postbox, bytes);
  for (guint i = 0;
       i < LOOKS && result == DATAHUB_ERROR_FULL && patient && !postbox->stuck;
       i++) {
    unlock (postbox);
    g_usleep (LOOK_US);
    lock (postbox);
    result = post_locked (postbox, bytes);
  }
  if (patient || result == DATAHUB_OK)
    postbox->stuck = result == DATAHUB_ERROR_FULL;
  unlock (postbox);
  return result;
}

static gboolean
keep (GstDatahubPostbox *postbox, GBytes *bytes)
{
  gboolean room, known;
  lock (postbox);
  known = g_queue_find_custom (&postbox->kept, bytes,
              (GCompareFunc) g_bytes_compare)
      != NULL;
  room = postbox->kept.length < KEPT_MAX;
  if (room && !known) {
    g_queue_push_tail (&postbox->kept, g_bytes_ref (bytes));
    g_atomic_int_inc (&postbox->n_kept);
  }
  unlock (postbox);
  return room || known;
}

/**
 * gst_datahub_postbox_retry:
 * @postbox: a postbox
 *
 * Sends what was kept, if the mailbox has become free. Called with each buffer while
 * `n_kept` is not 0.
 */
void
gst_datahub_postbox_retry (GstDatahubPostbox *postbox)
{
  lock (postbox);
  if (!g_queue_is_empty (&postbox->kept)
      && post_locked (postbox, g_queue_peek_head (&postbox->kept))
          != DATAHUB_ERROR_FULL) {
    g_bytes_unref (g_queue_pop_head (&postbox->kept));
    g_atomic_int_add (&postbox->n_kept, -1);
  }
  unlock (postbox);
}

/* The producer hears of a consumer that is late, and once that it is no more. A
 * consumer that the producer waits for is not late. */
static gboolean
is_news (GstDatahubPostbox *postbox, const GstDatahubUpstream *upstream)
{
  GstDatahubSrcSettings settings =
      gst_datahub_attachment_get_settings (postbox->attachment);
  gboolean late = upstream->qos_type != GST_QOS_TYPE_OVERFLOW, news;
  if (settings.delivery == GST_DATAHUB_DELIVERY_RELIABLE)
    return FALSE;
  lock (postbox);
  news = late || postbox->told_late;
  postbox->told_late = late;
  unlock (postbox);
  return news;
}

static gboolean
send_key_unit (GstDatahubPostbox *postbox, const GstDatahubUpstream *upstream,
    GBytes *bytes)
{
  DatahubResult result = post (postbox, bytes, TRUE);
  if (result == DATAHUB_OK)
    return TRUE;
  if (result == DATAHUB_ERROR_FULL
      && upstream->instant != GST_DATAHUB_NO_INSTANT)
    return keep (postbox, bytes);
  /* also for a block of a time without mailboxes */
  return gst_datahub_attachment_request (postbox->attachment,
      DATAHUB_REQUEST_KEYFRAME);
}

static gboolean
send_upstream (GstDatahubPostbox *postbox, const GstDatahubUpstream *upstream)
{
  g_autoptr (GBytes) bytes = gst_datahub_upstream_encode (upstream);
  if (!bytes)
    return FALSE;
  switch (upstream->kind) {
    case GST_DATAHUB_UPSTREAM_KEY_UNIT:
      return send_key_unit (postbox, upstream, bytes);
    case GST_DATAHUB_UPSTREAM_QOS:
      return is_news (postbox, upstream)
          && post (postbox, bytes, FALSE) == DATAHUB_OK;
    default:
      return post (postbox, bytes, TRUE) == DATAHUB_OK;
  }
}

/* Whether send() is for an upstream event. */
gboolean
gst_datahub_postbox_carries (GstEvent *event)
{
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_QOS:
    case GST_EVENT_NAVIGATION:
    case GST_EVENT_CUSTOM_UPSTREAM:
    case GST_EVENT_CUSTOM_BOTH:
    case GST_EVENT_CUSTOM_BOTH_OOB:
      return TRUE;
    default:
      return FALSE;
  }
}

/**
 * gst_datahub_postbox_wants:
 * @postbox: a postbox
 * @type: of an upstream event
 *
 * Returns: whether the sink takes such events; if not, one is counted as refused
 */
gboolean
gst_datahub_postbox_wants (GstDatahubPostbox *postbox, GstDatahubEvents type)
{
  gboolean wanted;
  lock (postbox);
  wanted = (postbox->wanted & type) != 0;
  if (!wanted)
    postbox->stats.refused++;
  unlock (postbox);
  return wanted;
}

/**
 * gst_datahub_postbox_send:
 * @postbox: a postbox
 * @event: an upstream event
 *
 * Waits for at most 20 ms, and not for QoS.
 *
 * Returns: whether the producing pipeline will get it
 */
gboolean
gst_datahub_postbox_send (GstDatahubPostbox *postbox, GstEvent *event)
{
  g_auto (GstDatahubUpstream) upstream = { 0 };
  GstDatahubEvents wanted;
  gint64 distance;
  gboolean sent;
  lock (postbox);
  distance = postbox->distance;
  wanted = postbox->wanted;
  unlock (postbox);
  sent = gst_datahub_upstream_from_event (event, distance, &upstream)
      && (wanted & gst_datahub_upstream_type (&upstream))
      && send_upstream (postbox, &upstream);
  if (!sent)
    GST_DEBUG_OBJECT (postbox->attachment->element, "refused %" GST_PTR_FORMAT,
        event);
  lock (postbox);
  *(sent ? &postbox->stats.sent : &postbox->stats.refused) += 1;
  unlock (postbox);
  return sent;
}
