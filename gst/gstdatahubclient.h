/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Common parts of both elements: the name, the broker, and the posting of
 * errors. */
#ifndef GST_DATAHUB_CLIENT_H
#define GST_DATAHUB_CLIENT_H

#include "gstdatahubbrokernews.h"

#include <datahub/datahub.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* Numbers of the common properties; an element's own begin after them. */
enum
{
  GST_DATAHUB_PROP_DATABLOCK = 1,
  GST_DATAHUB_PROP_BROKER,
  GST_DATAHUB_PROP_CURVE_SERVER_KEY,
  GST_DATAHUB_PROP_CURVE_KEY_FILE,
  GST_DATAHUB_PROP_LAST
};

typedef struct
{
  /* settings; guarded by the element's object lock */
  gchar *datablock;
  gchar *broker;
  gchar *curve_server_key;
  gchar *curve_key_file;
  GstStructure *security; /* of a "datahub.security" context; may be NULL */

  /* while started; set in start and stop only; a source that runs changes its
   * channel in its streaming thread */
  gchar *channel;
  DatahubHub *hub; /* NULL: no broker */
  GstDatahubBrokerNews *news; /* while there is a hub */
  gint running; /* atomic: settings that need READY are refused */
  GstDatahubOutbox outbox;
} GstDatahubClient;

void gst_datahub_client_init (GstDatahubClient *client);
void gst_datahub_client_clear (GstDatahubClient *client);
void gst_datahub_client_install_properties (GObjectClass *klass,
    GParamFlags datablock);
gboolean gst_datahub_client_may_set (GstElement *element,
    GstDatahubClient *client, const GParamSpec *spec, const GValue *value);
gboolean gst_datahub_client_set_property (GstElement *element,
    GstDatahubClient *client, guint id, const GValue *value);
gboolean gst_datahub_client_get_property (GstElement *element,
    GstDatahubClient *client, guint id, GValue *value);
void gst_datahub_client_set_context (GstElement *element,
    GstDatahubClient *client, GstContext *context);

gboolean gst_datahub_client_start (GstElement *element,
    GstDatahubClient *client);
void gst_datahub_client_stop (GstDatahubClient *client);
void gst_datahub_client_rename (GstElement *element, GstDatahubClient *client);
void gst_datahub_client_post (GstElement *element, GstMessageType type,
    const DatahubError *error, const gchar *doing);
void gst_datahub_client_post_error (GstElement *element,
    const DatahubError *error, const gchar *doing);

G_END_DECLS

#endif /* GST_DATAHUB_CLIENT_H */
