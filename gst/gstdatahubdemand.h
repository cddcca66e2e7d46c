/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a sink with on-demand=true has consumers, and what follows from it. */
#ifndef GST_DATAHUB_DEMAND_H
#define GST_DATAHUB_DEMAND_H

#include "gstdatahubclient.h"
#include "gstdatahubsinksettings.h"

G_BEGIN_DECLS

typedef struct _GstDatahubDemandSwitch GstDatahubDemandSwitch;

/* What the sink does for it, while no data flows. Only `end` waits, without a lock. */
typedef struct
{
  void (*rewind) (gpointer data); /* nothing is in force any more; no wait */
  gboolean (*end) (gpointer data); /* writes EOS; FALSE: not now */
  void (*interrupt) (gpointer data, gboolean interrupted); /* `end` */
} GstDatahubDemandFuncs;

typedef enum
{
  GST_DATAHUB_REST_NONE,
  GST_DATAHUB_REST_SILENT, /* the source ended or failed: it stays off */
  GST_DATAHUB_REST_ASKED /* the same, and a consumer joined since */
} GstDatahubRest;

typedef enum
{
  GST_DATAHUB_END_NONE,
  GST_DATAHUB_END_FLOWS, /* the EOS of the pipeline comes from the sources */
  GST_DATAHUB_END_DUE, /* they are off or change: the sink makes the EOS */
  GST_DATAHUB_END_DONE
} GstDatahubEnd;

typedef struct
{
  /* Not owned: the element outlives this struct. */
  GstElement *element;
  GstDatahubClient *client;
  const GstDatahubSinkSettings *settings; /* object lock */
  const GstDatahubDemandFuncs *funcs;
  gpointer data; /* of `funcs` */

  GstDatahubDemandSwitch *group; /* owned; while on demand; set while no other
                                    thread runs */
  gboolean was_async; /* the property, before it was set to FALSE */

  gint demanded; /* atomic */
  gint rest; /* atomic: GstDatahubRest */
  gint drained; /* atomic: EOS was committed, and not all consumers read it */
  gint ending; /* atomic: GstDatahubEnd */
  gint running; /* atomic: its sources are not held */
  gint playing; /* lock of the switch: sources may change */
  gint changing; /* lock of the switch: its sources change now */

  /* The service thread's. */
  gint64 left_at; /* when the last consumer left; 0: there is one */
  gint64 drained_at; /* when `drained` was seen; 0: it was not */
} GstDatahubDemand;

void gst_datahub_demand_install_signals (GType type);
void gst_datahub_demand_init (GstDatahubDemand *demand, GstElement *element,
    GstDatahubClient *client, const GstDatahubSinkSettings *settings,
    const GstDatahubDemandFuncs *funcs, gpointer data);
GstDatahubDemand *gst_datahub_demand_of (GstElement *element);
gboolean gst_datahub_demand_is_on (const GstDatahubDemand *demand);

gboolean gst_datahub_demand_start (GstDatahubDemand *demand);
void gst_datahub_demand_before (GstDatahubDemand *demand,
    GstStateChange change);
void gst_datahub_demand_after (GstDatahubDemand *demand, GstStateChange change,
    GstStateChangeReturn result);
void gst_datahub_demand_stop (GstDatahubDemand *demand);

void gst_datahub_demand_consumer_added (GstDatahubDemand *demand);
gint64 gst_datahub_demand_look (GstDatahubDemand *demand,
    DatahubProducer *producer, const DatahubConsumerInfo *infos, guint n);
gboolean gst_datahub_demand_take_eos (GstDatahubDemand *demand);
void gst_datahub_demand_end (GstDatahubDemand *demand);

/* For the switch. */
gboolean gst_datahub_demand_wants (const GstDatahubDemand *demand);
void gst_datahub_demand_report (GstDatahubDemand *demand, gboolean started,
    const GPtrArray *names);
void gst_datahub_demand_report_failure (GstDatahubDemand *demand,
    const gchar *source);

G_END_DECLS

#endif /* GST_DATAHUB_DEMAND_H */
