/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One block as a GstDevice, which does not change: another one replaces it.
 * Tests: gst-devices, gst-devices-follow, gst-devices-hostile */
#include "gstdatahubdevice.h"
#include "gstdatahubsrc.h"

struct _GstDatahubDevice
{
  GstDevice parent;

  gchar *datablock; /* owned */
  gchar *broker; /* owned; NULL: the default of the element */
};

G_DEFINE_FINAL_TYPE (GstDatahubDevice, gst_datahub_device, GST_TYPE_DEVICE)

static void
configure (GstDatahubDevice *self, GstElement *element)
{
  g_object_set (element, "datablock", self->datablock, NULL);
  if (self->broker)
    g_object_set (element, "broker", self->broker, NULL);
}

static GstElement *
gst_datahub_device_create_element (GstDevice *device, const gchar *name)
{
  GstElement *element = gst_element_factory_make ("datahubsrc", name);
  if (element)
    configure (GST_DATAHUB_DEVICE (device), element);
  return element;
}

/* An element that runs is refused: its consumer would see another stream without a
 * state change. */
static gboolean
gst_datahub_device_reconfigure_element (GstDevice *device, GstElement *element)
{
  GstState state, pending;
  if (!G_TYPE_CHECK_INSTANCE_TYPE (element, GST_TYPE_DATAHUB_SRC))
    return FALSE;
  GST_OBJECT_LOCK (element);
  state = GST_STATE (element);
  pending = GST_STATE_PENDING (element);
  GST_OBJECT_UNLOCK (element);
  if (state > GST_STATE_READY || pending > GST_STATE_READY)
    return FALSE;
  configure (GST_DATAHUB_DEVICE (device), element);
  return TRUE;
}

static void
gst_datahub_device_finalize (GObject *object)
{
  GstDatahubDevice *self = GST_DATAHUB_DEVICE (object);
  g_free (self->datablock);
  g_free (self->broker);
  G_OBJECT_CLASS (gst_datahub_device_parent_class)->finalize (object);
}

static void
gst_datahub_device_class_init (GstDatahubDeviceClass *klass)
{
  GstDeviceClass *device_class = GST_DEVICE_CLASS (klass);
  G_OBJECT_CLASS (klass)->finalize = gst_datahub_device_finalize;
  device_class->create_element = gst_datahub_device_create_element;
  device_class->reconfigure_element = gst_datahub_device_reconfigure_element;
}

static void
gst_datahub_device_init (GstDatahubDevice *self)
{
}

static const gchar *
class_of (const GstCaps *caps)
{
  const gchar *media = gst_caps_is_any (caps)
      ? ""
      : gst_structure_get_name (gst_caps_get_structure (caps, 0));
  if (g_str_has_prefix (media, "video/") || g_str_has_prefix (media, "image/"))
    return "Video/Source/DataHub";
  if (g_str_has_prefix (media, "audio/"))
    return "Audio/Source/DataHub";
  return "Source/DataHub";
}

static GstStructure *
properties_of (const GstDatahubFacts *facts)
{
  g_autofree gchar *group = gst_datahub_facts_group_of (facts->name);
  GstStructure *properties =
      gst_structure_new ("datahub-proplist", "device.api", G_TYPE_STRING,
          "datahub", "datahub.datablock", G_TYPE_STRING, facts->name,
          "datahub.uuid", G_TYPE_STRING, facts->uuid, "datahub.pid", G_TYPE_INT,
          facts->pid, "datahub.strict", G_TYPE_BOOLEAN, facts->strict,
          "datahub.node.remote", G_TYPE_BOOLEAN, facts->remote, NULL);
  if (facts->program)
    gst_structure_set (properties, "datahub.program", G_TYPE_STRING,
        facts->program, NULL);
  if (group)
    gst_structure_set (properties, "datahub.group", G_TYPE_STRING, group, NULL);
  return properties;
}

/**
 * gst_datahub_device_new:
 * @facts: the block
 * @broker: (nullable): for its elements
 *
 * Returns: (transfer floating): its device
 */
GstDevice *
gst_datahub_device_new (const GstDatahubFacts *facts, const gchar *broker)
{
  g_autoptr (GstStructure) properties = properties_of (facts);
  g_autofree gchar *display = facts->program && *facts->program
      ? g_strdup_printf ("%s (%s)", facts->name, facts->program)
      : g_strdup (facts->name);
  GstDatahubDevice *self = g_object_new (GST_TYPE_DATAHUB_DEVICE,
      "display-name", display, "device-class", class_of (facts->caps), "caps",
      facts->caps, "properties", properties, NULL);
  self->datablock = g_strdup (facts->name);
  self->broker = g_strdup (broker);
  return GST_DEVICE_CAST (self);
}
