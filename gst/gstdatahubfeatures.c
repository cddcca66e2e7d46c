/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block is system memory. Caps with another memory feature would not be true of
 * the buffers that a consumer gets. Features that describe the content, such as
 * meta:GstVideoOverlayComposition and format:Interlaced, stay true.
 * Tests: gst-features */
#include "gstdatahubfeatures.h"

#include <gst/video/video.h>

#define MEMORY_PREFIX "memory:"

/* Elements of GStreamer, and of NVIDIA's platforms, that convert to system memory. */
static const struct
{
  const gchar *memory, *converter;
} converters[] = {
  { "memory:GLMemory", "gldownload" },
  { "memory:VAMemory", "vapostproc" },
  { "memory:VASurface", "vaapipostproc" },
  { "memory:DMABuf", "vapostproc, or glupload ! gldownload," },
  { "memory:NVMM", "nvvideoconvert" },
  { "memory:CUDAMemory", "cudadownload" },
  { "memory:D3D11Memory", "d3d11download" },
  { "memory:D3D12Memory", "d3d12download" },
  { "memory:VulkanImage", "vulkandownload" },
  { "memory:VulkanBuffer", "vulkandownload" },
};

/* Returns: (nullable): the feature of another memory than the system's */
const gchar *
gst_datahub_features_get_memory (const GstCapsFeatures *features)
{
  guint n = features ? gst_caps_features_get_size (features) : 0;
  for (guint i = 0; i < n; i++) {
    const gchar *feature = gst_caps_features_get_nth (features, i);
    if (g_str_has_prefix (feature, MEMORY_PREFIX)
        && !g_str_equal (feature, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY))
      return feature;
  }
  return NULL;
}

/* Returns: (nullable): such a feature of any structure of @caps */
const gchar *
gst_datahub_features_find_memory (const GstCaps *caps)
{
  guint n = gst_caps_is_any (caps) ? 0 : gst_caps_get_size (caps);
  for (guint i = 0; i < n; i++) {
    const gchar *memory =
        gst_datahub_features_get_memory (gst_caps_get_features (caps, i));
    if (memory)
      return memory;
  }
  return NULL;
}

/* Returns: the elements that convert from @memory, or a description of them */
const gchar *
gst_datahub_features_get_converter (const gchar *memory)
{
  for (guint i = 0; i < G_N_ELEMENTS (converters); i++)
    if (g_str_equal (converters[i].memory, memory))
      return converters[i].converter;
  return "an element that converts to system memory";
}

/* Any features: those that are known and describe the content. */
static void
append_any (GstCaps *caps, const GstStructure *structure)
{
  static const gchar *const content[] = {
    GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION,
    GST_CAPS_FEATURE_FORMAT_INTERLACED
  };
  gst_caps_append_structure (caps, gst_structure_copy (structure));
  if (!gst_structure_has_name (structure, "video/x-raw"))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (content); i++)
    gst_caps_append_structure_full (caps, gst_structure_copy (structure),
        gst_caps_features_new (content[i], NULL));
  gst_caps_append_structure_full (caps, gst_structure_copy (structure),
      gst_caps_features_new (content[0], content[1], NULL));
}

/**
 * gst_datahub_features_keep_system:
 * @caps: any caps
 *
 * Returns: (transfer full): the part of @caps that system memory can be
 */
GstCaps *
gst_datahub_features_keep_system (const GstCaps *caps)
{
  GstCaps *kept;
  if (gst_caps_is_any (caps))
    return gst_caps_new_any ();
  kept = gst_caps_new_empty ();
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    const GstStructure *structure = gst_caps_get_structure (caps, i);
    const GstCapsFeatures *features = gst_caps_get_features (caps, i);
    if (features && gst_caps_features_is_any (features))
      append_any (kept, structure);
    else if (!gst_datahub_features_get_memory (features))
      gst_caps_append_structure_full (kept, gst_structure_copy (structure),
          features ? gst_caps_features_copy (features) : NULL);
  }
  return kept;
}
