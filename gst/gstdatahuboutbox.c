/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The streaming thread holds the stream lock and the live lock of the base class, and
 * the hub's thread serves all elements. A handler of a message or of a signal may
 * change states or ask the hub, which would wait for one of these. So both are sent
 * by a thread of GStreamer's pool, one at a time and in order.
 * Tests: gst-presence, gst-refused */
#include "gstdatahuboutbox.h"

typedef struct
{
  GstMessage *message; /* owned */
  GstDatahubOutboxEmit emit;
} Item;

void
gst_datahub_outbox_init (GstDatahubOutbox *outbox)
{
  g_mutex_init (&outbox->lock);
  g_queue_init (&outbox->queue);
  outbox->sending = FALSE;
}

/* With the element: nothing is being sent, because a sending thread refers to it. */
void
gst_datahub_outbox_clear (GstDatahubOutbox *outbox)
{
  g_mutex_clear (&outbox->lock);
}

static Item *
take (GstDatahubOutbox *outbox)
{
  Item *item;
  g_mutex_lock (&outbox->lock);
  item = g_queue_pop_head (&outbox->queue);
  outbox->sending = item != NULL;
  g_mutex_unlock (&outbox->lock);
  return item;
}

static void
send_all (GstElement *element, gpointer user_data)
{
  GstDatahubOutbox *outbox = user_data;
  Item *item;
  while ((item = take (outbox))) {
    if (item->emit)
      item->emit (element, gst_message_get_structure (item->message));
    gst_element_post_message (element, item->message);
    g_free (item);
  }
}

/**
 * gst_datahub_outbox_push:
 * @outbox: the outbox of @element
 * @element: the element
 * @message: (transfer full): to be posted
 * @emit: (nullable): emits the signal of the same meaning, before it is posted
 */
void
gst_datahub_outbox_push (GstDatahubOutbox *outbox, GstElement *element,
    GstMessage *message, GstDatahubOutboxEmit emit)
{
  Item *item = g_new (Item, 1);
  gboolean begin;
  *item = (Item){ message, emit };
  g_mutex_lock (&outbox->lock);
  g_queue_push_tail (&outbox->queue, item);
  begin = !outbox->sending;
  outbox->sending = TRUE;
  g_mutex_unlock (&outbox->lock);
  if (begin)
    gst_element_call_async (element, send_all, outbox, NULL);
}
