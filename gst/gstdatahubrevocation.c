/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a strict block cannot be taken back from a consumer. If the allow-list of
 * the broker takes the right from a key that was introduced, the sink goes on in another
 * block, with another secret: consumers that may read it go over with new tickets.
 *
 * The signal comes in the hub's thread, also while the sink stops.
 * Tests: gst-revocation */
#include "gstdatahubrevocation.h"

typedef struct
{
  GWeakRef element;
  GstDatahubRevoked revoked;
  gpointer data; /* part of the element */
} Ear;

static void
ear_free (gpointer data, GClosure *closure)
{
  Ear *ear = data;
  g_weak_ref_clear (&ear->element);
  g_free (ear);
}

static void
on_revoked (DatahubHub *hub, const gchar *name, const gchar *uuid,
    const gchar *key, gpointer user_data)
{
  Ear *ear = user_data;
  g_autoptr (GstElement) element = g_weak_ref_get (&ear->element);
  if (element)
    ear->revoked (element, ear->data, uuid);
}

/**
 * gst_datahub_revocation_start:
 * @revocation: one that is stopped, or zeros
 * @element: the sink
 * @hub: (nullable): a hub with signals in its own thread
 * @channel: the name of the block
 * @revoked: called for each key
 * @data: passed to @revoked; lives as long as @element
 */
void
gst_datahub_revocation_start (GstDatahubRevocation *revocation,
    GstElement *element, DatahubHub *hub, const gchar *channel,
    GstDatahubRevoked revoked, gpointer data)
{
  g_autofree gchar *signal = g_strconcat ("consumer-revoked::", channel, NULL);
  Ear *ear;
  if (!hub)
    return;
  ear = g_new0 (Ear, 1);
  g_weak_ref_init (&ear->element, element);
  ear->revoked = revoked;
  ear->data = data;
  revocation->hub = g_object_ref (hub);
  revocation->handler = g_signal_connect_data (hub, signal,
      G_CALLBACK (on_revoked), ear, ear_free, (GConnectFlags) 0);
}

/* A handler that runs meanwhile finishes. */
void
gst_datahub_revocation_stop (GstDatahubRevocation *revocation)
{
  if (!revocation->hub)
    return;
  g_signal_handler_disconnect (revocation->hub, revocation->handler);
  g_clear_object (&revocation->hub);
}
