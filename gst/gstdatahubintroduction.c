/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source without data waits for one of several: a producer, shared memory that has
 * the producer's block, a broker that knows the producer, a broker that answers, a
 * producer that answers. The one that is missing decides what to do, so a message names
 * it, and the process that stands still.
 * Tests: gst-introduction, gst-strict */
#include "gstdatahubintroduction.h"
#include "gstdatahubprocess.h"
#include "gstdatahubtime.h"

/* How long one attempt waits before the name is looked at again. */
#define ATTEMPT_NS (G_GINT64_CONSTANT (1) * GST_SECOND)
/* Between two attempts at a producer that did not answer the first. */
#define AGAIN_NS (G_GINT64_CONSTANT (50) * GST_MSECOND)
#define SHORTEST_NS (G_GINT64_CONSTANT (100) * GST_MSECOND)
/* A producer that has just started is registered by then, and another process hosts the
 * broker of one that ended. */
#define WARN_NS (G_GINT64_CONSTANT (19) * GST_SECOND / 10)

void
gst_datahub_introduction_init (GstDatahubIntroduction *introduction,
    GstElement *element, const GstDatahubClient *client,
    GstDatahubInterrupt *interrupt)
{
  *introduction = (GstDatahubIntroduction){ .element = element,
    .client = client,
    .interrupt = interrupt };
}

/* Another wait begins. */
void
gst_datahub_introduction_clear (GstDatahubIntroduction *introduction)
{
  gst_datahub_introduction_init (introduction, introduction->element,
      introduction->client, introduction->interrupt);
}

/* An attempt begins, in a wait that may last for @patience. Returns: how long the
 * attempt may take. */
gint64
gst_datahub_introduction_begin (GstDatahubIntroduction *introduction,
    gint64 patience)
{
  introduction->obstacle = GST_DATAHUB_OBSTACLE_NONE;
  introduction->limit = patience == DATAHUB_FOREVER
      ? ATTEMPT_NS
      : CLAMP (patience, SHORTEST_NS, ATTEMPT_NS);
  return introduction->limit;
}

static DatahubResult
refuse (GstDatahubIntroduction *introduction, const GError *why,
    DatahubError *error)
{
  if (g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return DATAHUB_INTERRUPTED;
  if (g_error_matches (why, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_NOT_FOUND)
      || g_error_matches (why, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PENDING))
    introduction->obstacle = GST_DATAHUB_OBSTACLE_UNKNOWN;
  else if (g_error_matches (why, DATAHUB_HUB_ERROR,
               DATAHUB_HUB_ERROR_DISCONNECTED)
      || g_error_matches (why, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_TIMEOUT))
    introduction->obstacle = GST_DATAHUB_OBSTACLE_BROKER;
  if (introduction->obstacle != GST_DATAHUB_OBSTACLE_NONE)
    return DATAHUB_ERROR_NOT_FOUND; /* not yet; @error stays */
  g_strlcpy (error->message, why->message, sizeof error->message);
  return error->sys_errno = 0, error->code = DATAHUB_ERROR_DENIED;
}

/**
 * gst_datahub_introduction_attach:
 * @introduction: an attempt that has begun
 * @glance: the strict block
 * @options: of the consumer
 * @consumer: (out): the consumer
 * @error: (out): what failed
 *
 * Asks the broker for a ticket, and attaches with it. The only wait of the streaming
 * thread for a broker; it can be interrupted.
 *
 * Returns: %DATAHUB_ERROR_NOT_FOUND to try again later; a result
 */
DatahubResult
gst_datahub_introduction_attach (GstDatahubIntroduction *introduction,
    const DatahubBlockGlance *glance, DatahubConsumerOptions *options,
    DatahubConsumer **consumer, DatahubError *error)
{
  const GstDatahubClient *client = introduction->client;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DatahubHubBlock) block = NULL;
  g_autoptr (GError) why = NULL;
  gst_datahub_interrupt_set_introduction (introduction->interrupt, cancellable);
  block = datahub_hub_find (client->hub, client->channel, introduction->limit,
      cancellable, &why);
  gst_datahub_interrupt_set_introduction (introduction->interrupt, NULL);
  if (!block)
    return refuse (introduction, why, error);
  if (!g_str_equal (datahub_hub_block_get_uuid (block), glance->uuid)) {
    introduction->obstacle = GST_DATAHUB_OBSTACLE_UNKNOWN;
    return DATAHUB_ERROR_NOT_FOUND; /* one of the two is out of date */
  }
  options->ticket = datahub_hub_block_get_ticket (block);
  if (!options->ticket) {
    g_snprintf (error->message, sizeof error->message,
        "The broker does not let this key read the DataBlock \"%s\". Give the "
        "key the right to consume it in the broker's allow-list.",
        client->channel);
    return error->sys_errno = 0, error->code = DATAHUB_ERROR_DENIED;
  }
  return datahub_consumer_attach (client->channel, options, consumer, error);
}

/* An attempt to attach to the live producer of @glance has ended with @error. */
void
gst_datahub_introduction_note (GstDatahubIntroduction *introduction,
    const DatahubBlockGlance *glance, const DatahubError *error)
{
  introduction->producer_pid = glance->producer_pid;
  g_strlcpy (introduction->producer_uuid, glance->uuid,
      sizeof introduction->producer_uuid);
  if (error->code != DATAHUB_TIMEOUT)
    return;
  introduction->obstacle = error->sys_errno ? GST_DATAHUB_OBSTACLE_SHORTAGE
                                            : GST_DATAHUB_OBSTACLE_PRODUCER;
  g_strlcpy (introduction->shortage, error->message,
      sizeof introduction->shortage);
}

/**
 * gst_datahub_introduction_look_elsewhere:
 * @introduction: an attempt in vain
 * @since: when the wait began
 * @left: of the user's timeout
 *
 * If no live producer has the name here, the broker may know one.
 */
void
gst_datahub_introduction_look_elsewhere (GstDatahubIntroduction *introduction,
    gint64 since, gint64 left)
{
  if (introduction->obstacle != GST_DATAHUB_OBSTACLE_NONE)
    return;
  gst_datahub_elsewhere_look (&introduction->elsewhere, introduction->client,
      introduction->interrupt, since, left);
  if (introduction->elsewhere.certain)
    introduction->obstacle = GST_DATAHUB_OBSTACLE_ELSEWHERE;
}

/* Returns: how long the source may wait for the name to change */
gint64
gst_datahub_introduction_left (const GstDatahubIntroduction *introduction,
    gint64 since)
{
  /* the attempt itself was a wait, and the name does not change */
  if (introduction->obstacle == GST_DATAHUB_OBSTACLE_PRODUCER
      || introduction->obstacle == GST_DATAHUB_OBSTACLE_SHORTAGE)
    return AGAIN_NS;
  return gst_datahub_elsewhere_left (&introduction->elsewhere,
      introduction->client, since);
}

/* The reason of datahub-waiting. */
const gchar *
gst_datahub_introduction_word (const GstDatahubIntroduction *introduction)
{
  switch (introduction->obstacle) {
    case GST_DATAHUB_OBSTACLE_ELSEWHERE:
      return "not-shared";
    case GST_DATAHUB_OBSTACLE_UNKNOWN:
      return "no-introduction";
    case GST_DATAHUB_OBSTACLE_BROKER:
      return "broker-silent";
    case GST_DATAHUB_OBSTACLE_PRODUCER:
      return "producer-silent";
    case GST_DATAHUB_OBSTACLE_SHORTAGE:
      return "producer-busy";
    default:
      return "no-producer";
  }
}

static gchar *
describe_broker (const GstDatahubIntroduction *introduction)
{
  g_autofree gchar *endpoint = NULL;
  gboolean stopped;
  GST_OBJECT_LOCK (introduction->element);
  endpoint = g_strdup (introduction->client->broker);
  GST_OBJECT_UNLOCK (introduction->element);
  return datahub_hub_describe_broker (endpoint, &stopped);
}

static gchar *
describe_elsewhere (const GstDatahubIntroduction *introduction)
{
  g_autofree gchar *broker = describe_broker (introduction);
  return g_strdup_printf (
      "The DataBlock \"%s\" has a producer that the broker at %s knows, but it is "
      "not in %s as this process sees it. Both must see one shared memory "
      "directory: let the containers or services share it, or set DATAHUB_SHM_DIR "
      "of both to one that they share. Memory of another machine cannot be read.",
      introduction->client->channel, broker, datahub_shm_directory ());
}

/* Returns: (transfer full): what happened, why, and what to do; %NULL: there is no
 * producer */
static gchar *
describe (const GstDatahubIntroduction *introduction)
{
  const gchar *channel = introduction->client->channel;
  g_autofree gchar *broker = NULL, *process = NULL;
  if (introduction->obstacle == GST_DATAHUB_OBSTACLE_NONE)
    return NULL;
  if (introduction->obstacle == GST_DATAHUB_OBSTACLE_ELSEWHERE)
    return describe_elsewhere (introduction);
  if (introduction->obstacle == GST_DATAHUB_OBSTACLE_SHORTAGE)
    return g_strdup (introduction->shortage);
  process = gst_datahub_process_describe (introduction->producer_pid,
      introduction->producer_uuid);
  if (introduction->obstacle == GST_DATAHUB_OBSTACLE_PRODUCER)
    return g_strdup_printf (
        "The producer of the DataBlock \"%s\", %s, does not "
        "answer. If it is stopped, continue it (kill -CONT); "
        "otherwise start it again.",
        channel, process);
  broker = describe_broker (introduction);
  if (introduction->obstacle == GST_DATAHUB_OBSTACLE_BROKER)
    return g_strdup_printf (
        "The DataBlock \"%s\" is strict and has a producer, %s, but the "
        "broker at %s does not answer, so it introduces no consumer. Continue or "
        "end the process that hosts it, or start one: datahub broker.",
        channel, process, broker);
  return g_strdup_printf (
      "The DataBlock \"%s\" is strict and has a producer, %s, but the "
      "broker at %s does not know it, so it introduces no consumer. Start both "
      "with the same DATAHUB_RUNTIME_DIR, a directory that containers and services "
      "must share, or with the same broker=ENDPOINT.",
      channel, process, broker);
}

static gint
code_of (GstDatahubObstacle obstacle)
{
  switch (obstacle) {
    case GST_DATAHUB_OBSTACLE_ELSEWHERE:
      return GST_RESOURCE_ERROR_NOT_FOUND;
    case GST_DATAHUB_OBSTACLE_UNKNOWN:
      return GST_RESOURCE_ERROR_NOT_AUTHORIZED;
    default:
      return GST_RESOURCE_ERROR_BUSY;
  }
}

/**
 * gst_datahub_introduction_warn:
 * @introduction: an attempt in vain
 * @since: when the wait began
 *
 * Posts a warning about each obstacle once, if it is not just about to go.
 */
void
gst_datahub_introduction_warn (GstDatahubIntroduction *introduction,
    gint64 since)
{
  gint code = code_of (introduction->obstacle);
  g_autofree gchar *text = NULL;
  g_autoptr (GError) error = NULL;
  if (introduction->warned[introduction->obstacle]
      || gst_datahub_monotonic_now () - since < WARN_NS
      || !(text = describe (introduction)))
    return;
  introduction->warned[introduction->obstacle] = TRUE;
  error = g_error_new_literal (GST_RESOURCE_ERROR, code, text);
  gst_datahub_outbox_push (&((GstDatahubClient *) introduction->client)->outbox,
      introduction->element,
      gst_message_new_warning (GST_OBJECT_CAST (introduction->element), error,
          "the source waits on"),
      NULL);
}

/* In a unit that a person can read. A time that short is one in another unit. */
static gchar *
describe_timeout (GstClockTime timeout)
{
  if (timeout >= GST_MSECOND)
    return g_strdup_printf ("%g s", (gdouble) timeout / GST_SECOND);
  return g_strdup_printf ("%" G_GUINT64_FORMAT
                          " ns (timeout is in nanoseconds: 1 s is 1000000000)",
      timeout);
}

/* The time of the user is up: posts the error. */
void
gst_datahub_introduction_fail (GstDatahubIntroduction *introduction,
    GstClockTime timeout)
{
  const gchar *channel = introduction->client->channel;
  g_autofree gchar *time = describe_timeout (timeout);
  g_autofree gchar *text = describe (introduction);
  if (text) {
    gst_element_message_full (introduction->element, GST_MESSAGE_ERROR,
        GST_RESOURCE_ERROR, code_of (introduction->obstacle),
        g_strdup_printf ("No data within %s. %s", time, text),
        g_strdup_printf ("searched in %s", datahub_shm_directory ()), __FILE__,
        GST_FUNCTION, __LINE__);
    return;
  }
  GST_ELEMENT_ERROR (introduction->element, RESOURCE, NOT_FOUND,
      ("No producer of the DataBlock \"%s\" appeared within %s. Start one: "
       "gst-launch-1.0 ... ! datahubsink datablock=%s",
          channel, time, channel),
      ("searched in %s", datahub_shm_directory ()));
}
