/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consumers do not know of each other, so what several of them ask for becomes one
 * event here:
 *
 *   key units   one for each instant, give or take a frame, with all headers if one
 *               wants them; what the stream has passed is wanted now; of each
 *               consumer only so many wait for their time; none of them makes the
 *               encoder begin anew with each frame
 *   QoS         only while all live consumers are late, and by as much as the one
 *               that is least late; a reliable consumer needs every buffer
 *
 * All other events are passed on as they are.
 * Tests: gst-upstream */
#include "gstdatahubuplink.h"

#include <gst/base/gstbasesink.h>

GST_DEBUG_CATEGORY_EXTERN (gst_datahub_sink_debug);
#define GST_CAT_DEFAULT gst_datahub_sink_debug

/* A consumer that never stops sending must not keep the thread. */
#define EVENTS_MAX (2 * DATAHUB_MAX_CONSUMERS)
#define ASKED_MAX (ASKED_BY_ONE_MAX * DATAHUB_MAX_CONSUMERS)
/* Encoders keep each request until its time has come, and look through all of them
 * for each frame. */
#define ASKED_BY_ONE_MAX 16
/* A request that the stream has passed is remembered for this long. */
#define REMEMBERED_NS ((gint64) GST_SECOND)
/* A consumer that does not report again is not late any more. */
#define LATE_NS ((gint64) GST_SECOND)
/* A consumer may ask for a key unit so often, on average: key units are several
 * times as large as other pictures. */
#define KEY_UNIT_NS ((gint64) GST_SECOND / 4)
/* So many requests may come together, for now and for instants ahead. */
#define BURST_NOW 4
#define BURST_AHEAD 16
/* A request of a consumer that cannot post events has no name. */
#define NO_CONSUMER G_MAXUINT64
/* Of a frame of unknown duration. */
#define FRAME_NS (40 * (gint64) GST_MSECOND)

typedef struct
{
  gint64 instant; /* NO_INSTANT: it was wanted at once */
  gint64 when;
  gboolean all_headers;
  guint64 consumer;
} Asked;

/* When the requests of a consumer would have come one by one. */
typedef struct
{
  guint64 consumer;
  gint64 due;
} Allowance;

/* A request that came, and its consumer. */
typedef struct
{
  guint64 consumer;
  GstDatahubUpstream upstream;
} Wanted;

typedef struct
{
  guint64 consumer;
  gint64 when;
  GstDatahubUpstream qos;
} Late;

void
gst_datahub_uplink_init (GstDatahubUplink *uplink, GstElement *element,
    const GstDatahubSinkSettings *settings)
{
  *uplink = (GstDatahubUplink){ .element = element, .settings = settings };
}

/* The thread does not run yet. */
void
gst_datahub_uplink_start (GstDatahubUplink *uplink, GstDatahubWriter *writer)
{
  uplink->writer = writer;
  uplink->clock_map = (GstDatahubClockMap){ 0 };
  uplink->asked = g_array_new (FALSE, FALSE, sizeof (Asked));
  uplink->late = g_array_new (FALSE, FALSE, sizeof (Late));
  uplink->allowances = g_array_new (FALSE, FALSE, sizeof (Allowance));
  uplink->now_at = 0;
  uplink->later = FALSE;
  GST_OBJECT_LOCK (uplink->element);
  uplink->stats = (GstDatahubUplinkStats){ 0 };
  GST_OBJECT_UNLOCK (uplink->element);
}

/* The thread has ended. */
void
gst_datahub_uplink_stop (GstDatahubUplink *uplink)
{
  uplink->writer = NULL;
  g_clear_pointer (&uplink->asked, g_array_unref);
  g_clear_pointer (&uplink->late, g_array_unref);
  g_clear_pointer (&uplink->allowances, g_array_unref);
}

static void
count (GstDatahubUplink *uplink, guint64 *counter)
{
  GST_OBJECT_LOCK (uplink->element);
  *counter += 1;
  GST_OBJECT_UNLOCK (uplink->element);
}

/* From running times of this pipeline to instants. */
static gint64
get_distance (GstDatahubUplink *uplink)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (uplink->element);
  GstClockTime base_time = gst_element_get_base_time (uplink->element);
  if (!clock || !GST_CLOCK_TIME_IS_VALID (base_time))
    return GST_DATAHUB_NO_INSTANT;
  return (gint64) base_time
      + gst_datahub_clock_map_offset (&uplink->clock_map, clock);
}

static void
push (GstDatahubUplink *uplink, const GstDatahubUpstream *upstream)
{
  GstEvent *event =
      gst_datahub_upstream_to_event (upstream, get_distance (uplink));
  gboolean taken;
  GST_DEBUG_OBJECT (uplink->element, "pushing %" GST_PTR_FORMAT, event);
  taken = gst_pad_push_event (GST_BASE_SINK_PAD (uplink->element), event);
  count (uplink, taken ? &uplink->stats.pushed : &uplink->stats.refused);
}

/* ---- key units ---- */

static gint64
frame_of (const GstDatahubWriterPosition *position)
{
  if (position->duration == 0 || position->duration > GST_SECOND)
    return FRAME_NS;
  return (gint64) position->duration;
}

static gboolean
is_passed (gint64 instant, const GstDatahubWriterPosition *position)
{
  return gst_datahub_instant_is_valid (position->instant)
      && gst_datahub_instant_is_valid (instant) && instant <= position->instant;
}

static gboolean
is_same (const Asked *a, const Asked *b, gint64 frame)
{
  gboolean timed = a->instant != GST_DATAHUB_NO_INSTANT;
  if (timed != (b->instant != GST_DATAHUB_NO_INSTANT))
    return FALSE;
  return timed ? ABS (a->instant - b->instant) <= frame
               : ABS (a->when - b->when) <= frame;
}

static void
forget_passed (GstDatahubUplink *uplink, gint64 now,
    const GstDatahubWriterPosition *position)
{
  for (guint i = uplink->asked->len; i > 0; i--) {
    const Asked *asked = &g_array_index (uplink->asked, Asked, i - 1);
    gboolean past = asked->instant == GST_DATAHUB_NO_INSTANT
        || is_passed (asked->instant, position);
    if (past && now - asked->when > REMEMBERED_NS)
      g_array_remove_index (uplink->asked, i - 1);
  }
  if (uplink->asked->len >= ASKED_MAX)
    g_array_remove_index (uplink->asked, 0);
}

static gboolean
is_ahead (const Asked *asked, const GstDatahubWriterPosition *position)
{
  return asked->instant != GST_DATAHUB_NO_INSTANT
      && !is_passed (asked->instant, position);
}

/* Those that have caught up are as good as new. */
static Allowance *
find_allowance (GstDatahubUplink *uplink, guint64 consumer, gint64 now)
{
  Allowance fresh = { consumer, now };
  for (guint i = uplink->allowances->len; i > 0; i--) {
    Allowance *one = &g_array_index (uplink->allowances, Allowance, i - 1);
    if (one->consumer == consumer)
      return one;
    if (one->due <= now)
      g_array_remove_index_fast (uplink->allowances, i - 1);
  }
  g_array_append_val (uplink->allowances, fresh);
  return &g_array_index (uplink->allowances, Allowance,
      uplink->allowances->len - 1);
}

/* Whether @consumer has not asked too often; counts the request if so. */
static gboolean
may_ask (GstDatahubUplink *uplink, guint64 consumer, guint burst)
{
  gint64 now = gst_datahub_monotonic_now ();
  Allowance *allowance = find_allowance (uplink, consumer, now);
  gint64 due = MAX (allowance->due, now);
  if (due - now > (gint64) (burst - 1) * KEY_UNIT_NS)
    return FALSE;
  allowance->due = due + KEY_UNIT_NS;
  return TRUE;
}

static guint
count_ahead (GstDatahubUplink *uplink, guint64 consumer,
    const GstDatahubWriterPosition *position)
{
  guint n = 0;
  for (guint i = 0; i < uplink->asked->len; i++) {
    const Asked *asked = &g_array_index (uplink->asked, Asked, i);
    n += asked->consumer == consumer && is_ahead (asked, position);
  }
  return n;
}

/* Whether its consumer asks too often, or so many of its requests wait. */
static gboolean
is_too_much (GstDatahubUplink *uplink, const Asked *wanted,
    const GstDatahubWriterPosition *position)
{
  return count_ahead (uplink, wanted->consumer, position) >= ASKED_BY_ONE_MAX
      || !may_ask (uplink, wanted->consumer, BURST_AHEAD);
}

static Asked *
find_asked (GstDatahubUplink *uplink, const Asked *wanted, gint64 frame)
{
  for (guint i = 0; i < uplink->asked->len; i++)
    if (is_same (&g_array_index (uplink->asked, Asked, i), wanted, frame))
      return &g_array_index (uplink->asked, Asked, i);
  return NULL;
}

/* Returns: where to count that it is not passed on; %NULL: it is. A request that was
 * made already is made again where all headers are wanted for the first time. */
static guint64 *
remember (GstDatahubUplink *uplink, const Asked *wanted,
    const GstDatahubWriterPosition *position)
{
  Asked *before = find_asked (uplink, wanted, frame_of (position));
  if (before && (before->all_headers || !wanted->all_headers))
    return &uplink->stats.merged;
  if (before) {
    before->all_headers = TRUE;
    return NULL;
  }
  if (is_ahead (wanted, position) && is_too_much (uplink, wanted, position))
    return &uplink->stats.refused;
  g_array_append_val (uplink->asked, *wanted);
  return NULL;
}

/* Returns: how long until a key unit may be wanted at once again */
static gint64
time_to_next (const GstDatahubUplink *uplink)
{
  gint64 since = gst_datahub_monotonic_now () - uplink->now_at;
  return uplink->now_at && since < KEY_UNIT_NS ? KEY_UNIT_NS - since : 0;
}

static void
push_now (GstDatahubUplink *uplink, const GstDatahubUpstream *upstream)
{
  uplink->later = FALSE;
  uplink->now_at = gst_datahub_monotonic_now ();
  push (uplink, upstream);
}

/* For the request that waits, or makes @upstream that, which @consumer has to make
 * up for. */
static void
wait_with (GstDatahubUplink *uplink, guint64 consumer,
    const GstDatahubUpstream *upstream)
{
  if (uplink->later) {
    uplink->soon.all_headers |= upstream->all_headers;
    count (uplink, &uplink->stats.merged);
    return;
  }
  uplink->soon = *upstream;
  uplink->later = TRUE;
  find_allowance (uplink, consumer, gst_datahub_monotonic_now ())->due +=
      KEY_UNIT_NS;
}

/* What is asked for too often waits, and becomes one request, with the next that
 * does not have to wait at the latest. */
static void
ask_at_once (GstDatahubUplink *uplink, guint64 consumer,
    const GstDatahubUpstream *upstream)
{
  GstDatahubUpstream one = *upstream;
  if (!may_ask (uplink, consumer, BURST_NOW)
      && (uplink->later || time_to_next (uplink) > 0)) {
    wait_with (uplink, consumer, upstream);
    return;
  }
  if (uplink->later) {
    one.all_headers |= uplink->soon.all_headers;
    count (uplink, &uplink->stats.merged);
  }
  push_now (uplink, &one);
}

/* Returns: how long until there is something to be done; FOREVER: nothing is */
static gint64
ask_what_waits (GstDatahubUplink *uplink)
{
  gint64 left = time_to_next (uplink);
  if (!uplink->later)
    return DATAHUB_FOREVER;
  if (left > 0)
    return left;
  push_now (uplink, &uplink->soon);
  return DATAHUB_FOREVER;
}

/**
 * gst_datahub_uplink_ask_now:
 * @uplink: a started one
 *
 * A consumer wants a key unit with all headers, at once.
 */
void
gst_datahub_uplink_ask_now (GstDatahubUplink *uplink)
{
  GstDatahubUpstream upstream = { .kind = GST_DATAHUB_UPSTREAM_KEY_UNIT,
    .instant = GST_DATAHUB_NO_INSTANT,
    .all_headers = TRUE };
  ask_at_once (uplink, NO_CONSUMER, &upstream);
}

/* What a consumer wants is not of `event-types`. */
void
gst_datahub_uplink_refuse (GstDatahubUplink *uplink)
{
  count (uplink, &uplink->stats.refused);
}

static void
ask_key_unit (GstDatahubUplink *uplink, const Wanted *one)
{
  GstDatahubWriterPosition position =
      gst_datahub_writer_get_position (uplink->writer);
  GstDatahubUpstream upstream = one->upstream;
  Asked wanted = { upstream.instant, gst_datahub_monotonic_now (),
    upstream.all_headers, one->consumer };
  guint64 *counter;
  forget_passed (uplink, wanted.when, &position);
  counter = remember (uplink, &wanted, &position);
  if (counter) {
    count (uplink, counter);
    return;
  }
  if (is_passed (upstream.instant, &position))
    upstream.instant = GST_DATAHUB_NO_INSTANT;
  if (upstream.instant == GST_DATAHUB_NO_INSTANT)
    ask_at_once (uplink, one->consumer, &upstream);
  else
    push (uplink, &upstream);
}

/* It has no structure to own. */
static void
add_key_unit (GArray *wanted, guint64 consumer,
    const GstDatahubUpstream *upstream)
{
  Wanted one = { consumer, *upstream };
  g_array_append_val (wanted, one);
}

/* Of those that came together, whichever was first has the headers of all. */
static void
ask_key_units (GstDatahubUplink *uplink, GArray *wanted)
{
  GstDatahubWriterPosition position =
      gst_datahub_writer_get_position (uplink->writer);
  gint64 frame = frame_of (&position);
  for (guint i = 0; i < wanted->len; i++) {
    Wanted *from = &g_array_index (wanted, Wanted, i);
    GstDatahubUpstream *one = &from->upstream;
    Asked asked = { .instant = one->instant };
    for (guint k = i + 1; k < wanted->len; k++) {
      const GstDatahubUpstream *other =
          &g_array_index (wanted, Wanted, k).upstream;
      Asked again = { .instant = other->instant };
      if (is_same (&asked, &again, frame))
        one->all_headers |= other->all_headers;
    }
    ask_key_unit (uplink, from);
  }
}

/* ---- QoS ---- */

static Late *
find_late (GstDatahubUplink *uplink, guint64 consumer)
{
  for (guint i = 0; i < uplink->late->len; i++)
    if (g_array_index (uplink->late, Late, i).consumer == consumer)
      return &g_array_index (uplink->late, Late, i);
  return NULL;
}

static void
note_qos (GstDatahubUplink *uplink, guint64 consumer,
    const GstDatahubUpstream *qos)
{
  Late late = { consumer, gst_datahub_monotonic_now (), *qos };
  Late *before = find_late (uplink, consumer);
  if (qos->qos_type == GST_QOS_TYPE_OVERFLOW)
    late.when = 0; /* it is in time */
  if (before)
    *before = late;
  else
    g_array_append_val (uplink->late, late);
}

static void
forget_gone (GstDatahubUplink *uplink, const DatahubConsumerInfo *infos,
    guint n)
{
  for (guint i = uplink->late->len; i > 0; i--) {
    guint64 id = g_array_index (uplink->late, Late, i - 1).consumer;
    guint k = 0;
    while (k < n && infos[k].id != id)
      k++;
    if (k == n)
      g_array_remove_index_fast (uplink->late, i - 1);
  }
}

static void
merge_qos (GstDatahubUpstream *all, const GstDatahubUpstream *one)
{
  all->proportion = MIN (all->proportion, one->proportion);
  all->diff = MIN (all->diff, one->diff);
  if (one->qos_type == GST_QOS_TYPE_UNDERFLOW)
    all->qos_type = GST_QOS_TYPE_UNDERFLOW;
  if (one->instant != GST_DATAHUB_NO_INSTANT)
    all->instant = all->instant == GST_DATAHUB_NO_INSTANT
        ? one->instant
        : MIN (all->instant, one->instant);
}

/* Returns: whether all consumers are late, and by how much at least */
static gboolean
are_all_late (GstDatahubUplink *uplink, const DatahubConsumerInfo *infos,
    guint n, GstDatahubUpstream *all)
{
  gint64 now = gst_datahub_monotonic_now ();
  gboolean any = FALSE;
  for (guint i = 0; i < n; i++) {
    const Late *late = find_late (uplink, infos[i].id);
    if (infos[i].state != DATAHUB_CONSUMER_ACTIVE || !infos[i].alive)
      continue;
    if (infos[i].reliable || !late || now - late->when > LATE_NS)
      return FALSE;
    if (any)
      merge_qos (all, &late->qos);
    else
      *all = late->qos;
    any = TRUE;
  }
  return any;
}

/* ---- all ---- */

static void
take_qos (GstDatahubUplink *uplink, guint64 consumer,
    const GstDatahubUpstream *qos, const DatahubConsumerInfo *infos, guint n)
{
  GstDatahubUpstream all;
  note_qos (uplink, consumer, qos);
  if (are_all_late (uplink, infos, n, &all))
    push (uplink, &all);
}

static gboolean
is_wanted (GstDatahubUplink *uplink, const GstDatahubUpstream *upstream)
{
  GstDatahubEvents wanted =
      gst_datahub_sink_settings_read (uplink->element, uplink->settings).events;
  return (wanted & gst_datahub_upstream_type (upstream)) != 0;
}

/**
 * gst_datahub_uplink_take:
 * @uplink: a started one
 * @infos: (array length=n): the consumers
 * @n: how many
 *
 * Takes the events of all consumers. Events go upstream in this thread, without a
 * lock.
 *
 * Returns: in how many nanoseconds it must be called again, or %DATAHUB_FOREVER
 */
gint64
gst_datahub_uplink_take (GstDatahubUplink *uplink,
    const DatahubConsumerInfo *infos, guint n)
{
  DatahubProducer *producer = gst_datahub_writer_get_producer (uplink->writer);
  g_autoptr (GArray) key_units = g_array_new (FALSE, FALSE, sizeof (Wanted));
  guint taken;
  forget_gone (uplink, infos, n);
  for (taken = 0; taken < EVENTS_MAX; taken++) {
    g_auto (GstDatahubUpstream) upstream = { 0 };
    guint8 bytes[DATAHUB_UPSTREAM_EVENT_MAX];
    guint64 consumer = 0, size = sizeof bytes;
    DatahubResult result =
        datahub_producer_take_event (producer, &consumer, bytes, &size, NULL);
    if (result != DATAHUB_OK && result != DATAHUB_ERROR_CORRUPT)
      break;
    if (result != DATAHUB_OK
        || !gst_datahub_upstream_decode (bytes, size, &upstream))
      count (uplink, &uplink->stats.damaged);
    else if (!is_wanted (uplink, &upstream))
      count (uplink, &uplink->stats.refused);
    else if (upstream.kind == GST_DATAHUB_UPSTREAM_KEY_UNIT)
      add_key_unit (key_units, consumer, &upstream);
    else if (upstream.kind == GST_DATAHUB_UPSTREAM_QOS)
      take_qos (uplink, consumer, &upstream, infos, n);
    else
      push (uplink, &upstream);
  }
  ask_key_units (uplink, key_units);
  if (taken == EVENTS_MAX)
    return 0;
  return ask_what_waits (uplink);
}
