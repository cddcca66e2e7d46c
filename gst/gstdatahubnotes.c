/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bus is read by one program, if at all; the block can be inspected by all. So each
 * warning and error of the sink is noted in the block, too. Messages that come before
 * the block exists wait for it, a small number of them.
 * Tests: gst-left-out */
#include "gstdatahubnotes.h"

void
gst_datahub_notes_init (GstDatahubNotes *notes, GstElement *element)
{
  *notes = (GstDatahubNotes){ .element = element,
    .early =
        g_ptr_array_new_with_free_func ((GDestroyNotify) gst_message_unref) };
}

/* Returns: (transfer full): what waits */
static GPtrArray *
steal_early (GstDatahubNotes *notes)
{
  GPtrArray *early,
      *none =
          g_ptr_array_new_with_free_func ((GDestroyNotify) gst_message_unref);
  GST_OBJECT_LOCK (notes->element);
  early = notes->early;
  notes->early = none;
  GST_OBJECT_UNLOCK (notes->element);
  return early;
}

/* The element starts: what waits belongs to no later block. */
void
gst_datahub_notes_clear (GstDatahubNotes *notes)
{
  g_ptr_array_unref (steal_early (notes));
}

/* With its owner. */
void
gst_datahub_notes_free_contents (GstDatahubNotes *notes)
{
  g_clear_pointer (&notes->early, g_ptr_array_unref);
}

static DatahubResult
resource_code (gint code)
{
  switch (code) {
    case GST_RESOURCE_ERROR_NO_SPACE_LEFT:
      return DATAHUB_ERROR_NO_SPACE;
    case GST_RESOURCE_ERROR_BUSY:
      return DATAHUB_ERROR_BUSY;
    case GST_RESOURCE_ERROR_NOT_FOUND:
      return DATAHUB_ERROR_NOT_FOUND;
    case GST_RESOURCE_ERROR_NOT_AUTHORIZED:
      return DATAHUB_ERROR_DENIED;
    case GST_RESOURCE_ERROR_SETTINGS:
      return DATAHUB_ERROR_INVALID;
    default:
      return DATAHUB_ERROR_SYSTEM;
  }
}

static void
write_note (DatahubProducer *producer, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  datahub_producer_note_error (producer,
      error->domain == GST_RESOURCE_ERROR ? resource_code (error->code)
                                          : DATAHUB_ERROR_INVALID,
      error->message);
}

static void
keep (GstDatahubNotes *notes, GstMessage *message)
{
  GST_OBJECT_LOCK (notes->element);
  if (notes->early->len < GST_DATAHUB_NOTES_EARLY_MAX)
    g_ptr_array_add (notes->early, gst_message_ref (message));
  GST_OBJECT_UNLOCK (notes->element);
}

/**
 * gst_datahub_notes_take:
 * @notes: the notes of a sink
 * @block: (nullable): its block
 * @message: any message that the sink posts
 *
 * Notes it, if it is a warning or an error of the sink itself.
 */
void
gst_datahub_notes_take (GstDatahubNotes *notes, GstDatahubProducer *block,
    GstMessage *message)
{
  DatahubProducer *producer;
  if (!(GST_MESSAGE_TYPE (message) & (GST_MESSAGE_WARNING | GST_MESSAGE_ERROR))
      || GST_MESSAGE_SRC (message) != GST_OBJECT_CAST (notes->element))
    return;
  if (!block) {
    keep (notes, message);
    return;
  }
  producer = gst_datahub_producer_enter (block);
  if (producer) {
    write_note (producer, message);
    gst_datahub_producer_leave (block);
  }
}

/**
 * gst_datahub_notes_write_early:
 * @notes: the notes of a sink
 * @block: its new block
 *
 * Notes what was posted before.
 */
void
gst_datahub_notes_write_early (GstDatahubNotes *notes,
    GstDatahubProducer *block)
{
  g_autoptr (GPtrArray) early = steal_early (notes);
  DatahubProducer *producer = gst_datahub_producer_enter (block);
  for (guint i = 0; i < early->len && producer; i++)
    write_note (producer, g_ptr_array_index (early, i));
  if (producer)
    gst_datahub_producer_leave (block);
}
