/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two containers can share a broker without sharing their memory. A source then finds
 * no producer by its name, although there is one. So a source that waits asks the
 * broker now and then. The broker may know a producer for a moment longer than its
 * files exist, so it takes two answers about one block.
 * Tests: gst-introduction, gst-containers */
#include "gstdatahubelsewhere.h"
#include "gstdatahubtime.h"

/* A producer that has just started is found by its name before that. With the doubt,
 * it is time for the warning. */
#define FIRST_NS (G_GINT64_CONSTANT (11) * GST_SECOND / 10)
/* Between two answers that name a block. */
#define DOUBT_NS (G_GINT64_CONSTANT (9) * GST_SECOND / 10)
#define AGAIN_NS (G_GINT64_CONSTANT (5) * GST_SECOND)
/* How long an answer may take: that of a hub that asks once, and the end of the
 * user's timeout. */
#define ANSWER_NS (G_GINT64_CONSTANT (1) * GST_SECOND)
#define LAST_ANSWER_NS (G_GINT64_CONSTANT (100) * GST_MSECOND)

static DatahubHubBlock *
ask (const GstDatahubClient *client, GstDatahubInterrupt *interrupt,
    gint64 timeout)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  DatahubHubBlock *block;
  gst_datahub_interrupt_set_introduction (interrupt, cancellable);
  block = datahub_hub_find (client->hub, client->channel, timeout, cancellable,
      NULL);
  gst_datahub_interrupt_set_introduction (interrupt, NULL);
  return block;
}

/* A producer makes the files before it registers: what the broker named and cannot be
 * seen after that was not here. */
static gboolean
is_here (const gchar *channel, const gchar *uuid)
{
  DatahubBlockGlance glance;
  return datahub_block_glance (channel, &glance, NULL) == DATAHUB_OK
      && g_str_equal (glance.uuid, uuid);
}

static gint64
first (gint64 since)
{
  return since + FIRST_NS;
}

/**
 * gst_datahub_elsewhere_look:
 * @elsewhere: what is known
 * @client: the name and the broker
 * @interrupt: ends a wait for the broker
 * @since: when the source began to wait for a producer
 * @left: of the user's timeout, nanoseconds; %DATAHUB_FOREVER: it has none
 *
 * Called when no live producer has the name here. Asks the broker if it is time. Waits
 * for the answer of a connected broker for 1 s at most, or for 0.1 s if @left is 0.
 * The wait can be interrupted.
 */
void
gst_datahub_elsewhere_look (GstDatahubElsewhere *elsewhere,
    const GstDatahubClient *client, GstDatahubInterrupt *interrupt,
    gint64 since, gint64 left)
{
  gint64 now = gst_datahub_monotonic_now ();
  g_autoptr (DatahubHubBlock) block = NULL;
  const gchar *uuid = "";
  gboolean last = left == 0 && !elsewhere->certain;
  gboolean due = now >= MAX (first (since), elsewhere->next)
      && (left == DATAHUB_FOREVER || left >= ANSWER_NS);
  if (!client->hub || !(last || due))
    return;
  elsewhere->next = now + AGAIN_NS;
  if (!datahub_hub_is_connected (client->hub))
    return;
  block = ask (client, interrupt, last ? LAST_ANSWER_NS : 0);
  if (block && !is_here (client->channel, datahub_hub_block_get_uuid (block)))
    uuid = datahub_hub_block_get_uuid (block);
  elsewhere->certain = *uuid && (last || g_str_equal (uuid, elsewhere->uuid));
  elsewhere->next = gst_datahub_monotonic_now ()
      + (*uuid && !elsewhere->certain ? DOUBT_NS : AGAIN_NS);
  g_strlcpy (elsewhere->uuid, uuid, sizeof elsewhere->uuid);
}

/* Returns: after how many nanoseconds gst_datahub_elsewhere_look() should be called */
gint64
gst_datahub_elsewhere_left (const GstDatahubElsewhere *elsewhere,
    const GstDatahubClient *client, gint64 since)
{
  if (!client->hub)
    return DATAHUB_FOREVER;
  return MAX (MAX (first (since), elsewhere->next)
          - gst_datahub_monotonic_now (),
      LAST_ANSWER_NS);
}
