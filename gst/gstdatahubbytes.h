/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Little-endian numbers to and from bytes. The bytes were written by another
 * process, so every read is bounded. */
#ifndef GST_DATAHUB_BYTES_H
#define GST_DATAHUB_BYTES_H

#include <gst/gst.h>
#include <math.h>
#include <string.h>

/* The bytes left to read. */
typedef struct
{
  const guint8 *data;
  gsize size;
} GstDatahubBytes;

static inline gboolean
gst_datahub_get (GstDatahubBytes *in, gpointer to, gsize size)
{
  if (in->size < size)
    return FALSE;
  memcpy (to, in->data, size);
  in->data += size;
  in->size -= size;
  return TRUE;
}

static inline gboolean
gst_datahub_get_u32 (GstDatahubBytes *in, guint32 *value)
{
  if (!gst_datahub_get (in, value, sizeof *value))
    return FALSE;
  *value = GUINT32_FROM_LE (*value);
  return TRUE;
}

static inline gboolean
gst_datahub_get_u64 (GstDatahubBytes *in, guint64 *value)
{
  if (!gst_datahub_get (in, value, sizeof *value))
    return FALSE;
  *value = GUINT64_FROM_LE (*value);
  return TRUE;
}

/* A value of the enumeration @type. Functions of GStreamer that take one do not
 * check it, or call it a programming error, and which they do differs by version. */
static inline gboolean
gst_datahub_get_enum (GstDatahubBytes *in, GType type, gint *value)
{
  guint32 number;
  GEnumClass *klass;
  gboolean known;
  if (!gst_datahub_get_u32 (in, &number))
    return FALSE;
  *value = (gint) number;
  klass = (GEnumClass *) g_type_class_ref (type);
  known = g_enum_get_value (klass, *value) != NULL;
  g_type_class_unref (klass);
  return known;
}

static inline gboolean
gst_datahub_get_double (GstDatahubBytes *in, gdouble *value)
{
  guint64 bits;
  if (!gst_datahub_get_u64 (in, &bits))
    return FALSE;
  memcpy (value, &bits, sizeof *value);
  return TRUE;
}

/* Refuses what is no number, or infinite. */
static inline gboolean
gst_datahub_get_float (GstDatahubBytes *in, gfloat *value)
{
  guint32 bits;
  if (!gst_datahub_get_u32 (in, &bits))
    return FALSE;
  memcpy (value, &bits, sizeof *value);
  return isfinite (*value);
}

/* The next @size bytes. They can still change: they must be copied before a
 * check. */
static inline gboolean
gst_datahub_take (GstDatahubBytes *in, const guint8 **bytes, gsize size)
{
  if (in->size < size)
    return FALSE;
  *bytes = in->data;
  in->data += size;
  in->size -= size;
  return TRUE;
}

static inline void
gst_datahub_put (GByteArray *out, gconstpointer bytes, gsize size)
{
  g_byte_array_append (out, bytes, (guint) size);
}

static inline void
gst_datahub_put_u32 (GByteArray *out, guint32 value)
{
  value = GUINT32_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static inline void
gst_datahub_put_u64 (GByteArray *out, guint64 value)
{
  value = GUINT64_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static inline void
gst_datahub_put_double (GByteArray *out, gdouble value)
{
  guint64 bits;
  memcpy (&bits, &value, sizeof bits);
  gst_datahub_put_u64 (out, bits);
}

static inline void
gst_datahub_put_float (GByteArray *out, gfloat value)
{
  guint32 bits;
  memcpy (&bits, &value, sizeof bits);
  gst_datahub_put_u32 (out, bits);
}

#endif /* GST_DATAHUB_BYTES_H */
