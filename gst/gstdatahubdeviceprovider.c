/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests: gst-devices, gst-devices-follow, gst-devices-hostile */
/**
 * SECTION:provider-datahubdeviceprovider
 * @title: datahubdeviceprovider
 * @short_description: lists the streams that other processes share
 *
 * Each block with a living producer is a device, with a broker or without one. An
 * application that follows devices sees blocks come, change and go.
 *
 * ## Example launch line
 * |[
 * gst-device-monitor-1.0 --follow Source/DataHub
 * ]| Shows the blocks, and what becomes of them.
 */
#include "gstdatahubdeviceprovider.h"
#include "gstdatahubdevice.h"
#include "gstdatahubdirectory.h"

enum
{
  PROP_BROKER = 1
};

struct _GstDatahubDeviceProvider
{
  GstDeviceProvider parent;

  gchar *broker; /* object lock; NULL: the default */

  /* Between start and stop. The caller of start, then the directory's thread, until
   * it has ended. */
  GstDatahubDirectory *directory;
  gchar *used_broker;
  GHashTable *devices; /* owned references, by the name of the block */
};

G_DEFINE_FINAL_TYPE (GstDatahubDeviceProvider, gst_datahub_device_provider,
    GST_TYPE_DEVICE_PROVIDER)
GST_DEVICE_PROVIDER_REGISTER_DEFINE (datahubdeviceprovider,
    "datahubdeviceprovider", GST_RANK_PRIMARY, GST_TYPE_DATAHUB_DEVICE_PROVIDER)

static gchar *
dup_broker (GstDatahubDeviceProvider *self)
{
  gchar *broker;
  GST_OBJECT_LOCK (self);
  broker = g_strdup (self->broker);
  GST_OBJECT_UNLOCK (self);
  return broker;
}

/* ---- following ---- */

static void
add (GstDatahubDeviceProvider *self, const gchar *name, GstDevice *device)
{
  gst_device_provider_device_add (GST_DEVICE_PROVIDER_CAST (self), device);
  g_hash_table_replace (self->devices, g_strdup (name),
      gst_object_ref (device));
}

/* A filter by class is compared with the new device alone, so an application with one
 * would not see that a device left its class. */
static gboolean
is_of_class (GstDevice *device, GstDevice *other)
{
  g_autofree gchar *class = gst_device_get_device_class (device);
  g_autofree gchar *other_class = gst_device_get_device_class (other);
  return g_strcmp0 (class, other_class) == 0;
}

static void
change (GstDatahubDeviceProvider *self, const gchar *name, GstDevice *before,
    GstDevice *device)
{
  GstDeviceProvider *provider = GST_DEVICE_PROVIDER_CAST (self);
  if (!is_of_class (before, device)) {
    gst_device_provider_device_remove (provider, before);
    add (self, name, device);
    return;
  }
  gst_device_provider_device_changed (provider, device, before);
  g_hash_table_replace (self->devices, g_strdup (name),
      gst_object_ref (device));
}

static void
on_event (gpointer user_data, GstDatahubDirectoryEvent event,
    const GstDatahubFacts *facts)
{
  GstDatahubDeviceProvider *self = user_data;
  GstDevice *before = g_hash_table_lookup (self->devices, facts->name);
  g_autoptr (GstDevice) device = NULL;
  if (event == GST_DATAHUB_DIRECTORY_LOST) {
    gst_device_provider_device_remove (GST_DEVICE_PROVIDER_CAST (self), before);
    g_hash_table_remove (self->devices, facts->name);
    return;
  }
  device =
      gst_object_ref_sink (gst_datahub_device_new (facts, self->used_broker));
  if (before)
    change (self, facts->name, before, device);
  else
    add (self, facts->name, device);
}

/* A start that fails would end the monitor of all providers, so there is none: without
 * a broker the names remain. */
static gboolean
gst_datahub_device_provider_start (GstDeviceProvider *provider)
{
  GstDatahubDeviceProvider *self = GST_DATAHUB_DEVICE_PROVIDER (provider);
  self->used_broker = dup_broker (self);
  self->devices =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, gst_object_unref);
  self->directory = gst_datahub_directory_new (
      &(GstDatahubDirectoryOptions){ .broker = self->used_broker }, on_event,
      self);
  gst_datahub_directory_look (self->directory);
  gst_datahub_directory_follow (self->directory);
  return TRUE;
}

static void
gst_datahub_device_provider_stop (GstDeviceProvider *provider)
{
  GstDatahubDeviceProvider *self = GST_DATAHUB_DEVICE_PROVIDER (provider);
  g_clear_pointer (&self->directory, gst_datahub_directory_free);
  g_clear_pointer (&self->devices, g_hash_table_unref);
  g_clear_pointer (&self->used_broker, g_free);
}

/* ---- looking once ---- */

typedef struct
{
  gchar *broker;
  GList *devices;
} Probe;

static void
collect (gpointer user_data, GstDatahubDirectoryEvent event,
    const GstDatahubFacts *facts)
{
  Probe *probe = user_data;
  if (event == GST_DATAHUB_DIRECTORY_FOUND)
    probe->devices = g_list_prepend (probe->devices,
        gst_object_ref_sink (gst_datahub_device_new (facts, probe->broker)));
}

static GList *
gst_datahub_device_provider_probe (GstDeviceProvider *provider)
{
  Probe probe = { .broker =
                      dup_broker (GST_DATAHUB_DEVICE_PROVIDER (provider)) };
  g_autoptr (GstDatahubDirectory) directory = gst_datahub_directory_new (
      &(GstDatahubDirectoryOptions){ .broker = probe.broker }, collect, &probe);
  gst_datahub_directory_look (directory);
  g_free (probe.broker);
  return probe.devices;
}

/* ---- the object ---- */

static void
gst_datahub_device_provider_set_property (GObject *object, guint id,
    const GValue *value, GParamSpec *spec)
{
  GstDatahubDeviceProvider *self = GST_DATAHUB_DEVICE_PROVIDER (object);
  if (id != PROP_BROKER) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    return;
  }
  GST_OBJECT_LOCK (self);
  g_free (self->broker);
  self->broker = g_value_dup_string (value);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_datahub_device_provider_get_property (GObject *object, guint id,
    GValue *value, GParamSpec *spec)
{
  if (id == PROP_BROKER)
    g_value_take_string (value,
        dup_broker (GST_DATAHUB_DEVICE_PROVIDER (object)));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
gst_datahub_device_provider_finalize (GObject *object)
{
  g_free (GST_DATAHUB_DEVICE_PROVIDER (object)->broker);
  G_OBJECT_CLASS (gst_datahub_device_provider_parent_class)->finalize (object);
}

static void
gst_datahub_device_provider_class_init (GstDatahubDeviceProviderClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstDeviceProviderClass *provider_class = GST_DEVICE_PROVIDER_CLASS (klass);
  object_class->set_property = gst_datahub_device_provider_set_property;
  object_class->get_property = gst_datahub_device_provider_get_property;
  object_class->finalize = gst_datahub_device_provider_finalize;
  provider_class->start = gst_datahub_device_provider_start;
  provider_class->stop = gst_datahub_device_provider_stop;
  provider_class->probe = gst_datahub_device_provider_probe;
  g_object_class_install_property (object_class, PROP_BROKER,
      g_param_spec_string ("broker", "Broker",
          "As the property of the elements, which get it; none = the default "
          "of the elements. Applies at the next start",
          NULL, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  gst_device_provider_class_set_static_metadata (provider_class,
      "DataHub device provider", "Audio/Video/Source/DataHub",
      "Lists the streams that processes of this machine share",
      "The DataHub developers");
}

static void
gst_datahub_device_provider_init (GstDatahubDeviceProvider *self)
{
}
