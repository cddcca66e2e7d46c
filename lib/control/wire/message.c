/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict decoding and encoding of messages. All input of a peer becomes a
 * checked value or an error here.
 * Tests: message-strict, fuzz-message, broker-hostile */
#include "control-log-private.h"
#include "message-private.h"
#include <datahub/block.h>
#include "control-error-private.h"

#include <sodium.h>
#include <string.h>

/* The words of errors on the wire. */
static const struct
{
  DatahubHubError code;
  const char *word;
} error_words[] = {
  { DATAHUB_HUB_ERROR_FAILED, "failed" },
  { DATAHUB_HUB_ERROR_SETTINGS, "invalid" },
  { DATAHUB_HUB_ERROR_DENIED, "denied" },
  { DATAHUB_HUB_ERROR_NOT_FOUND, "not-found" },
  { DATAHUB_HUB_ERROR_PENDING, "pending" },
  { DATAHUB_HUB_ERROR_BUSY, "busy" },
  { DATAHUB_HUB_ERROR_DISCONNECTED, "hello-required" },
  { DATAHUB_HUB_ERROR_PROTOCOL, "protocol" },
  { DATAHUB_HUB_ERROR_LIMIT, "limit" },
};

/* Nesting is counted before the parser recurses into it. Brackets in strings
 * do not count; a broken string is the parser's to refuse. */
static gboolean
depth_is_fine (const char *text, gsize size)
{
  int depth = 0;
  gboolean in_string = FALSE;

  for (gsize i = 0; i < size; i++) {
    char c = text[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = FALSE;
      continue;
    }
    if (c == '"')
      in_string = TRUE;
    else if (c == '{' || c == '[')
      depth++;
    else if (c == '}' || c == ']')
      depth--;
    if (depth > MESSAGE_DEPTH)
      return FALSE;
  }
  return TRUE;
}

/* Reads one message: a JSON object of our version, no key twice, nothing after
 * it, limited in size and depth. */
json_t *
message_parse (const void *data, gsize size, GError **error)
{
  json_error_t json_error;
  gint64 version;

  if (size > MESSAGE_MAX) {
    message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "the message has %zu bytes, the limit is %d", size, MESSAGE_MAX);
    return NULL;
  }
  if (!depth_is_fine (data, size)) {
    message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "the message is nested more than %d deep", MESSAGE_DEPTH);
    return NULL;
  }
  g_autoptr (json_t) message =
      json_loadb (data, size, JSON_REJECT_DUPLICATES, &json_error);
  if (!json_is_object (message)) {
    message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "the message is not a JSON object: %s",
        message ? "another type" : json_error.text);
    return NULL;
  }
  if (!message_integer (message, "v", 1, G_MAXINT32, &version, error))
    return NULL;
  if (version != PROTOCOL_VERSION) {
    message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "the peer uses version %d of the protocol, this program version %d; "
        "upgrade the older of the two",
        (int) version, PROTOCOL_VERSION);
    return NULL;
  }
  return g_steal_pointer (&message);
}

/* The fields "code" and "message" of an answer that refuses. */
json_t *
message_error (const GError *reason)
{
  const char *word = "failed";

  for (guint i = 0; i < G_N_ELEMENTS (error_words); i++)
    if (g_error_matches (reason, DATAHUB_HUB_ERROR, error_words[i].code))
      word = error_words[i].word;
  return json_pack ("{s:s, s:s, s:s}", "type", "error", "code", word, "message",
      reason->message);
}

/* The other way around. The text is the broker's: it goes to terminals and logs. */
GError *
message_to_error (json_t *message)
{
  const char *word = message_string (message, "code", 32, FALSE, NULL);
  const char *text = message_string (message, "message", 1024, FALSE, NULL);
  DatahubHubError code = DATAHUB_HUB_ERROR_FAILED;

  for (guint i = 0; word && i < G_N_ELEMENTS (error_words); i++)
    if (strcmp (word, error_words[i].word) == 0)
      code = error_words[i].code;
  g_autofree char *clean = text ? message_clean (text) : NULL;
  return g_error_new_literal (DATAHUB_HUB_ERROR, code,
      clean ? clean : "the broker refused without a reason");
}

/* A string of at most @max bytes; borrowed from @message. A missing optional
 * one is NULL without an error. */
const char *
message_string (json_t *message, const char *field, gsize max,
    gboolean required, GError **error)
{
  json_t *value = json_object_get (message, field);

  if (!value && !required)
    return NULL;
  if (!json_is_string (value)) {
    message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "field \"%s\" must be a string", field);
    return NULL;
  }
  if (json_string_length (value) > max) {
    message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "field \"%s\" is longer than %zu bytes", field, max);
    return NULL;
  }
  return json_string_value (value);
}

/* Returns @text, which is UTF-8, with '?' for each control character: it can neither
 * control a terminal nor begin a line of a log. */
char *
message_clean (const char *text)
{
  char *clean = g_utf8_make_valid (text, -1);

  for (char *c = clean; *c; c = g_utf8_next_char (c))
    if (g_unichar_iscntrl (g_utf8_get_char (c)))
      memset (c, '?', (gsize) (g_utf8_next_char (c) - c));
  return clean;
}

/* *@value is written only if the field is a number in this range: a caller that ignores
 * the error keeps its default. */
gboolean
message_integer (json_t *message, const char *field, gint64 min, gint64 max,
    gint64 *value, GError **error)
{
  json_t *field_value = json_object_get (message, field);
  gint64 number = json_integer_value (field_value);

  if (!json_is_integer (field_value))
    return message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "field \"%s\" must be a whole number", field);
  if (number < min || number > max)
    return message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "field \"%s\" is out of range", field);
  *value = number;
  return TRUE;
}

/* 64 bits without a sign travel as decimal text: JSON's numbers do not. */
gboolean
message_u64 (json_t *message, const char *field, guint64 *value, GError **error)
{
  const char *text = message_string (message, field, 20, TRUE, error);

  if (!text)
    return FALSE;
  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT64, value, NULL))
    return message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "field \"%s\" must be a number as text", field);
  return TRUE;
}

/* The field "name": a channel's. */
const char *
message_name (json_t *message, GError **error)
{
  DatahubError reason;
  const char *name =
      message_string (message, "name", DATAHUB_CHANNEL_MAX, TRUE, error);

  if (!name)
    return NULL;
  if (!datahub_channel_is_valid (name, &reason)) {
    message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL, "%s", reason.message);
    return NULL;
  }
  return name;
}

static gboolean
is_hexadecimal (const char *text, gsize length)
{
  if (strlen (text) != length)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isdigit (text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
      return FALSE;
  return TRUE;
}

const char *
message_token (json_t *message, const char *field, GError **error)
{
  const char *text = message_string (message, field, TOKEN_TEXT, TRUE, error);

  if (text && !is_hexadecimal (text, TOKEN_TEXT)) {
    message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "field \"%s\" must be %d hexadecimal digits", field, TOKEN_TEXT);
    return NULL;
  }
  return text;
}

/* The field "uuid"; "" where there is none: a name announced in advance. */
const char *
message_uuid (json_t *message, GError **error)
{
  if (!json_object_get (message, "uuid"))
    return "";
  return message_token (message, "uuid", error);
}

/* The field @field of exactly @size bytes, hexadecimal text. */
static gboolean
get_bytes (json_t *message, const char *field, guint8 *bytes, gsize size,
    gboolean *present, GError **error)
{
  size_t got = 0;
  g_autoptr (GError) local = NULL;
  const char *text = message_string (message, field, 2 * size, FALSE, &local);

  *present = text != NULL;
  if (local) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  if (!text)
    return TRUE;
  if (!is_hexadecimal (text, 2 * size)
      || sodium_hex2bin (bytes, size, text, strlen (text), NULL, &got, NULL)
          != 0
      || got != size)
    return message_refuse (error, DATAHUB_HUB_ERROR_PROTOCOL,
        "field \"%s\" must be %d hexadecimal digits", field, (int) (2 * size));
  return TRUE;
}

/* The field "secret". */
gboolean
message_secret (json_t *message, guint8 secret[DATAHUB_SECRET_SIZE],
    gboolean *present, GError **error)
{
  return get_bytes (message, "secret", secret, DATAHUB_SECRET_SIZE, present,
      error);
}

/* The field "ticket". */
gboolean
message_ticket (json_t *message, guint8 ticket[DATAHUB_TICKET_SIZE],
    gboolean *present, GError **error)
{
  return get_bytes (message, "ticket", ticket, DATAHUB_TICKET_SIZE, present,
      error);
}

void
message_set_secret (json_t *message, const guint8 secret[DATAHUB_SECRET_SIZE])
{
  char text[2 * DATAHUB_SECRET_SIZE + 1];

  sodium_bin2hex (text, sizeof text, secret, DATAHUB_SECRET_SIZE);
  json_object_set_new (message, "secret", json_string (text));
  sodium_memzero (text, sizeof text);
}

void
message_set_ticket (json_t *message, const guint8 ticket[DATAHUB_TICKET_SIZE])
{
  char text[2 * DATAHUB_TICKET_SIZE + 1];

  sodium_bin2hex (text, sizeof text, ticket, DATAHUB_TICKET_SIZE);
  json_object_set_new (message, "ticket", json_string (text));
}

/* A secret or a ticket in a message lives until here and no longer. */
void
message_wipe_secret (json_t *message)
{
  static const char *const fields[] = { "secret", "ticket" };

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    json_t *value = json_object_get (message, fields[i]);
    if (json_is_string (value))
      sodium_memzero ((char *) json_string_value (value),
          json_string_length (value));
  }
}

void
message_set_u64 (json_t *message, const char *field, guint64 value)
{
  json_object_set_new (message, field,
      json_sprintf ("%" G_GUINT64_FORMAT, value));
}

/* 128 random bits, as text. */
void
token_new (Token token)
{
  guint8 bytes[TOKEN_TEXT / 2];

  randombytes_buf (bytes, sizeof bytes);
  sodium_bin2hex (token, sizeof (Token), bytes, sizeof bytes);
}

/* A pattern is made of the characters of names, '*' and '?'. */
gboolean
pattern_is_valid (const char *pattern)
{
  gsize length = strnlen (pattern, PATTERN_MAX + 1);

  if (length == 0 || length > PATTERN_MAX)
    return FALSE;
  for (const char *c = pattern; *c; c++)
    if (!g_ascii_isalnum (*c) && !strchr ("._-*?", *c))
      return FALSE;
  return TRUE;
}

/* '*' stands for any characters, '?' for one. At most length times length
 * steps, whatever the pattern. */
gboolean
pattern_matches (const char *pattern, const char *name)
{
  const char *star = NULL, *resume = NULL;

  while (*name) {
    if (*pattern == '*') {
      star = pattern++;
      resume = name;
    } else if (*pattern == '?' || *pattern == *name) {
      pattern++;
      name++;
    } else if (star) {
      pattern = star + 1;
      name = ++resume;
    } else {
      return FALSE;
    }
  }
  while (*pattern == '*')
    pattern++;
  return *pattern == '\0';
}
