/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reader that comes late begins with the first buffer of a unit that needs no other
 * one. Where a unit is one buffer, its DELTA_UNIT flag is enough. With
 * `alignment=nal` and the like, parsers mark only the slices of a key frame as such.
 * What stands in front of them in the same unit, as a delimiter, parameter sets and
 * messages, has DELTA_UNIT, and often the only timestamp. Whether these buffers
 * belong to a key frame is known with the first slice. So they are held until it
 * comes, which parsers push at once, and the first of all is marked as the place to
 * begin. The first bytes of each buffer are read, and only with such caps.
 *
 * In some streams each buffer stands alone, whatever the flags of encoders that mark
 * no key frame.
 * Tests: gst-units */
#include "gstdatahubunits.h"

#include <string.h>

/* More are no head of a picture. */
#define HEAD_MAX 32

typedef enum
{
  PART_NO_PICTURE = 't', /* of the unit before it, or of none */
  PART_HEAD = 'h', /* in front of a picture */
  PART_PARAMETERS =
      'P', /* the same, of a picture that readers can begin with */
  PART_SLICE = 's', /* its first bit: the first one of a picture */
  PART_FIRST = 'f', /* a first slice */
  PART_MORE = 'm' /* a slice; the first one if its unit has none yet */
} Part;

struct _GstDatahubUnitSyntax
{
  const gchar *caps;
  const gchar *alignments[2];
  guint header_size;
  guint type_byte, type_shift, type_mask;
  const gchar *parts; /* by the type; NULL: all of it is picture */
  guint codec_data_length; /* where the size of lengths is in codec_data */
  gboolean is_obu; /* there is no start code or length in front */
};

static const GstDatahubUnitSyntax syntaxes[] = {
  { "video/x-h264", { "nal" }, 1, 0, 0, 0x1f, "tssmmshPhhttthhPhhhmmm", 4,
      FALSE },
  { "video/x-h265", { "nal" }, 2, 0, 1, 0x3f,
      "ssssssssssssssssssssssssssssssssPPhhttththhhh", 21, FALSE },
  { "video/x-h266", { "nal" }, 2, 1, 3, 0x1f, "sssssssssssshPPPhhthhtth", 0,
      FALSE },
  { "video/x-av1", { "obu", "tile" }, 1, 0, 3, 0x0f, "tPhmmhmmm", 0, TRUE },
  { "image/x-jpc-striped", { "stripe" }, 0, 0, 0, 0, NULL, 0, FALSE },
};

/* Each buffer of these can be decoded alone. */
static const gchar *const intra[] = { "video/x-raw", "video/x-bayer",
  "video/x-dv", "video/x-prores", "video/x-cineform", "audio/x-raw",
  "audio/x-alaw", "audio/x-mulaw", "audio/x-opus", "audio/x-vorbis",
  "audio/x-flac", "audio/x-speex", "audio/x-ac3", "audio/x-eac3", "audio/x-dts",
  "audio/x-sbc", "audio/AMR", "audio/AMR-WB", "image/png", "image/jpeg",
  "image/bmp", "image/webp", "image/tiff", "image/x-j2c", "image/x-jpc",
  "image/jp2", "image/x-portable-pixmap", "image/x-portable-graymap" };

static gboolean
is_intra (const GstStructure *structure)
{
  for (guint i = 0; i < G_N_ELEMENTS (intra); i++)
    if (gst_structure_has_name (structure, intra[i]))
      return TRUE;
  return FALSE;
}

static gboolean
is_described_by (const GstDatahubUnitSyntax *syntax,
    const GstStructure *structure)
{
  const gchar *alignment = gst_structure_get_string (structure, "alignment");
  return gst_structure_has_name (structure, syntax->caps) && alignment
      && (g_str_equal (alignment, syntax->alignments[0])
          || g_strcmp0 (alignment, syntax->alignments[1]) == 0);
}

static const GstDatahubUnitSyntax *
syntax_of (const GstStructure *structure)
{
  for (guint i = 0; i < G_N_ELEMENTS (syntaxes); i++)
    if (is_described_by (&syntaxes[i], structure))
      return &syntaxes[i];
  return NULL;
}

/* How many bytes the length of a NAL unit has. */
static guint
read_length_size (const GstDatahubUnitSyntax *syntax,
    const GstStructure *structure)
{
  const gchar *format = gst_structure_get_string (structure, "stream-format");
  const GValue *value = gst_structure_get_value (structure, "codec_data");
  GstBuffer *data = value && GST_VALUE_HOLDS_BUFFER (value)
      ? gst_value_get_buffer (value)
      : NULL;
  guint8 byte = 3;
  if (!syntax->codec_data_length || !format
      || g_str_equal (format, "byte-stream"))
    return 0;
  if (data)
    gst_buffer_extract (data, syntax->codec_data_length, &byte, 1);
  return (byte & 3) + 1;
}

static void
begin_unit (GstDatahubUnits *units)
{
  units->pts = GST_CLOCK_TIME_NONE;
  units->has_parameters = units->has_picture = FALSE;
  units->was_delta = units->ended = FALSE;
  units->mark = GST_DATAHUB_UNIT_MARK_NONE;
}

/* What is held is forgotten, and what follows begins a unit. */
void
gst_datahub_units_clear (GstDatahubUnits *units)
{
  g_queue_clear_full (&units->head, (GDestroyNotify) gst_buffer_unref);
  begin_unit (units);
}

/* Nothing is held. */
void
gst_datahub_units_set_caps (GstDatahubUnits *units, const GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  const GstDatahubUnitSyntax *syntax = syntax_of (structure);
  units->intra = is_intra (structure);
  units->length_size = syntax ? read_length_size (syntax, structure) : 0;
  if (syntax != units->syntax)
    begin_unit (units);
  units->syntax = syntax;
}

/* Returns: the size of what is in front of the header; @size if it has no end. */
static gsize
skip_start_code (const guint8 *bytes, gsize size)
{
  gsize at = 0;
  while (at < size && bytes[at] == 0)
    at++;
  return at >= 2 && at < size && bytes[at] == 1 ? at + 1 : size;
}

/* Only with `alignment=obu` it is sure that an OBU is alone in its buffer. */
static gboolean
has_more_obus (const guint8 *bytes, gsize size, gsize buffer_size)
{
  gsize at = bytes[0] & 4 ? 2 : 1, length = 0;
  if (!(bytes[0] & 2))
    return FALSE;
  for (guint shift = 0; at < size; shift += 7) {
    length |= (gsize) (bytes[at] & 0x7f) << shift;
    if (!(bytes[at++] & 0x80))
      return length < buffer_size - at;
  }
  return FALSE;
}

/* Returns: where the header is in @bytes; @size if it is not known */
static gsize
find_header (const GstDatahubUnits *units, const guint8 *bytes, gsize size)
{
  if (units->syntax->is_obu)
    return 0;
  return units->length_size ? MIN (units->length_size, size)
                            : skip_start_code (bytes, size);
}

static Part
part_of (const GstDatahubUnits *units, GstBuffer *buffer)
{
  const GstDatahubUnitSyntax *syntax = units->syntax;
  guint8 bytes[16];
  gsize size, at;
  guint type;
  Part part;
  if (!syntax->parts)
    return PART_MORE;
  size = gst_buffer_extract (buffer, 0, bytes, sizeof bytes);
  at = find_header (units, bytes, size);
  if (at + syntax->header_size > size)
    return PART_NO_PICTURE;
  if (syntax->is_obu
      && has_more_obus (bytes, size, gst_buffer_get_size (buffer)))
    return PART_FIRST;
  type =
      bytes[at + syntax->type_byte] >> syntax->type_shift & syntax->type_mask;
  part = type < strlen (syntax->parts) ? (Part) syntax->parts[type]
                                       : PART_NO_PICTURE;
  if (part != PART_SLICE)
    return part;
  at += syntax->header_size;
  return at < size && bytes[at] & 0x80 ? PART_FIRST : PART_MORE;
}

static gboolean
is_key (GstBuffer *buffer)
{
  return !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
}

/* Buffers of one unit have its time, or none. A first slice may be that of a second
 * field. */
static gboolean
begins_unit (const GstDatahubUnits *units, Part part, GstBuffer *buffer)
{
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  gboolean has_time = GST_CLOCK_TIME_IS_VALID (pts);
  gboolean is_timed = GST_CLOCK_TIME_IS_VALID (units->pts);
  if (!units->has_picture || part == PART_NO_PICTURE)
    return FALSE;
  if (part == PART_HEAD || part == PART_PARAMETERS || units->ended)
    return TRUE;
  if (units->was_delta && is_key (buffer))
    return TRUE;
  if (part == PART_MORE && units->syntax->parts)
    return has_time && is_timed && pts != units->pts;
  return !is_timed || (has_time && pts != units->pts);
}

/* Whether @buffer is kept until the picture behind it comes. */
static gboolean
keep_head (GstDatahubUnits *units, Part part, GstBuffer *buffer)
{
  if (units->mark != GST_DATAHUB_UNIT_MARK_NONE || is_key (buffer))
    return FALSE; /* where to begin is known */
  if (part == PART_NO_PICTURE && g_queue_is_empty (&units->head))
    return FALSE;
  if (g_queue_get_length (&units->head) == HEAD_MAX)
    return FALSE;
  units->has_parameters |= part == PART_PARAMETERS;
  g_queue_push_tail (&units->head, gst_buffer_ref (buffer));
  return TRUE;
}

/**
 * gst_datahub_units_hold:
 * @units: a stream with a syntax
 * @buffer: its next buffer
 *
 * Returns: whether it is kept in the head; else the head must be written now, and
 *   @buffer behind it
 */
gboolean
gst_datahub_units_hold (GstDatahubUnits *units, GstBuffer *buffer)
{
  Part part = part_of (units, buffer);
  if (begins_unit (units, part, buffer))
    begin_unit (units);
  if (!GST_CLOCK_TIME_IS_VALID (units->pts))
    units->pts = GST_BUFFER_PTS (buffer);
  if (part != PART_FIRST && part != PART_MORE
      && keep_head (units, part, buffer))
    return TRUE;
  if (part != PART_NO_PICTURE && is_key (buffer)
      && units->mark == GST_DATAHUB_UNIT_MARK_NONE)
    units->mark = GST_DATAHUB_UNIT_MARK_BEGIN;
  units->has_picture |= part == PART_FIRST || part == PART_MORE;
  units->was_delta = !is_key (buffer);
  units->ended = !units->syntax->parts
      && GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_MARKER);
  return FALSE;
}

/* The head must be written now, before its picture: an event is behind it. Parameter
 * sets are sent in front of pictures that readers can begin with. */
void
gst_datahub_units_give_up (GstDatahubUnits *units)
{
  if (units->has_parameters)
    units->mark = GST_DATAHUB_UNIT_MARK_BEGIN;
}
