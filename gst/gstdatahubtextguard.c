/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GStreamer's text parser recurses for every opening bracket, so many brackets
 * overflow the stack. It finds some only when it unescapes a string, which can
 * contain strings again: escaped as octal numbers, or, in a sample's caps, as
 * base64. A value that is declared as a string, such as the text of a song, is never
 * parsed again, so what it contains does not count.
 * Tests: gst-text, gst-format, fuzz-format */
#include "gstdatahubtextguard.h"

#include <string.h>

/* All are counted, also those that close again: only the parser knows which do,
 * and valid text does not need so many. */
#define BRACKETS_MAX 1000
/* Of base64, in a sample that is no picture but a heap of brackets. */
#define FIELD_MAX 2000

typedef struct
{
  guint brackets;
  guint hidden; /* characters in octal that need not be */
  gboolean hidden_twice; /* some of which make up others */
  guint matched; /* of "ample" */
  gboolean samples;
  gboolean behind_colon;
  gsize field, longest_field; /* behind a colon */
  gsize run, longest_run; /* anywhere */
} Look;

/* The printable character that the last backslash of a row, at *@text, may come to
 * stand for, and moves *@text to its end: each unpacking takes backslashes away,
 * also from between the digits. GStreamer itself writes others alone in this
 * way. Returns 0 where there is none. */
static gchar
take_hidden (const gchar **text)
{
  const gchar *at = *text + 1;
  guint value = 0, digits = 0;
  if (*at == '\\')
    return 0;
  for (; digits < 3; at++) {
    if (*at == '\\')
      continue;
    if (*at < '0' || *at > '7')
      return 0;
    value = value * 8 + (guint) (*at - '0');
    digits++;
  }
  if (value < 0x20 || value >= 0x7f)
    return 0;
  *text = at - 1;
  return (gchar) value;
}

/* Whether the parser takes the character as part of a plain value. */
static gboolean
is_plain (gchar c)
{
  return g_ascii_isalnum (c) || strchr ("_-+/:.", c) != NULL;
}

static void
look_for_samples (Look *look, gchar c)
{
  static const gchar name[] = "ample"; /* GstSample, sample */
  if (c == name[look->matched])
    look->matched++;
  else
    look->matched = c == name[0];
  if (name[look->matched] != '\0')
    return;
  look->samples = TRUE;
  look->matched = 0;
}

static void
measure (Look *look, gchar c, gboolean goes_on)
{
  look->run = goes_on ? look->run + 1 : 0;
  look->longest_run = MAX (look->longest_run, look->run);
  if (c == ':' || !goes_on) {
    look->behind_colon = c == ':';
    look->field = 0;
  } else if (look->behind_colon) {
    look->field++;
    look->longest_field = MAX (look->longest_field, look->field);
  }
}

static void
look_at (Look *look, gchar c, gboolean goes_on)
{
  look_for_samples (look, c);
  measure (look, c, goes_on);
}

static void
look_at_hidden (Look *look, gchar c)
{
  look->hidden++;
  look->hidden_twice |= g_ascii_isdigit (c) || c == '\\';
  look_at (look, c, TRUE);
}

/* What encloses a place in the text. */
typedef struct
{
  const gchar *begin; /* of the text */
  gboolean quoted; /* in a string that may be parsed again */
  gboolean plain; /* the next string is a value of the type string */
} Place;

static gboolean
ends_string_type (const Place *place, const gchar *at)
{
  static const gchar type[] = "(string)";
  const gsize length = sizeof type - 1;
  return (gsize) (at - place->begin) >= length - 1
      && memcmp (at - (length - 1), type, length) == 0;
}

/* The elements of a list have the type that precedes the list, unless one has
 * another: that begins with a parenthesis. */
static void
move (Place *place, const gchar *at, gboolean escaped)
{
  if (*at == '"' && !escaped) {
    place->quoted = !place->quoted;
    place->plain = FALSE;
  } else if (!place->quoted && *at == ')') {
    place->plain = ends_string_type (place, at);
  } else if (!place->quoted && !escaped && strchr ("=([];}>", *at)) {
    place->plain = FALSE;
  }
}

/* Returns: (nullable): the end of the string that begins at @text, as the parser
 * finds it. */
static const gchar *
end_of_string (const gchar *text)
{
  for (text++; *text && *text != '"'; text++)
    if (*text == '\\' && *++text == '\0')
      return NULL;
  return *text ? text : NULL;
}

/**
 * gst_datahub_textguard_is_shallow:
 * @text: text of another process
 *
 * Returns: whether the parser can be trusted with it
 */
gboolean
gst_datahub_textguard_is_shallow (const gchar *text)
{
  Look look = { 0 };
  Place place = { .begin = text };
  gboolean escaped = FALSE;
  for (; *text; text++) {
    gchar hidden;
    if (place.plain && *text == '"') {
      text = end_of_string (text);
      if (!text)
        return FALSE;
      escaped = FALSE;
      continue;
    }
    move (&place, text, escaped);
    hidden = *text == '\\' ? take_hidden (&text) : 0;
    if (hidden) {
      look_at_hidden (&look, hidden);
    } else if (*text != '\\') {
      look.brackets += *text == '{' || *text == '[' || *text == '<';
      look_at (&look, *text, escaped || is_plain (*text));
    }
    escaped = !hidden && *text == '\\';
  }
  if (look.brackets + look.hidden > BRACKETS_MAX)
    return FALSE;
  if (look.hidden_twice) /* the word and the colon may be hidden as well */
    return look.longest_run <= FIELD_MAX;
  return !look.samples || look.longest_field <= FIELD_MAX;
}
