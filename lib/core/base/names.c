/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of channels and of the files of a block.
 * Tests: core-names */
#include "names-private.h"
#include "result-private.h"

#include <datahub/block.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UUID_DIGITS (DATAHUB_UUID_TEXT - 1)

void
uuid_generate (Uuid *uuid)
{
  randombytes_buf (uuid->bytes, sizeof uuid->bytes);
}

void
uuid_to_text (const Uuid *uuid, char text[DATAHUB_UUID_TEXT])
{
  sodium_bin2hex (text, DATAHUB_UUID_TEXT, uuid->bytes, sizeof uuid->bytes);
}

/* Reads exactly 32 lower-case hexadecimal digits; the rest is ignored. */
bool
uuid_from_text (const char *text, Uuid *uuid)
{
  for (size_t i = 0; i < UUID_DIGITS; i++)
    if (!strchr ("0123456789abcdef", text[i]) || !text[i])
      return false;
  return sodium_hex2bin (uuid->bytes, sizeof uuid->bytes, text, UUID_DIGITS,
             NULL, NULL, NULL)
      == 0;
}

/* The part of "<uuid>.part", or NULL where @text is not of that form. */
static const char *
part_of (const char *text, Uuid *uuid)
{
  const char *part;
  if (!uuid_from_text (text, uuid) || text[UUID_DIGITS] != '.')
    return NULL;
  part = text + UUID_DIGITS + 1;
  if (!strcmp (part, "ctl") || !strcmp (part, "con") || !strcmp (part, "lck")
      || !strcmp (part, "sck"))
    return part;
  if (part[0] == 'd' && part[1]
      && part[1 + strspn (part + 1, "0123456789")] == 0)
    return part;
  return NULL;
}

static bool
is_name_character (char c, bool first)
{
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
      || (c >= '0' && c <= '9')
      || (!first && (c == '.' || c == '_' || c == '-'));
}

/**
 * datahub_channel_is_valid:
 * @channel: (nullable): a name from the user
 * @error: (out) (optional): the reason if it is not valid
 *
 * A channel is 1 to 64 letters, digits, `.`, `_` and `-`, the first a letter or
 * digit. Names that look like the files of a block (32 hexadecimal digits, then
 * `.ctl`, `.con`, `.lck`, `.sck` or `.d` and digits) are kept for those files.
 *
 * Returns: whether @channel may be used
 */
bool
datahub_channel_is_valid (const char *channel, DatahubError *error)
{
  Uuid uuid;
  size_t length = channel ? strnlen (channel, DATAHUB_CHANNEL_MAX + 1) : 0;
  result_begin (error);
  if (length == 0) {
    result_fail (error, DATAHUB_ERROR_NAME, 0, "The DataBlock name is empty.");
    return false;
  }
  if (length > DATAHUB_CHANNEL_MAX) {
    result_fail (error, DATAHUB_ERROR_NAME, 0,
        "The DataBlock name \"%.16s...\" is longer than %d characters.",
        channel, DATAHUB_CHANNEL_MAX);
    return false;
  }
  for (size_t i = 0; i < length; i++)
    if (!is_name_character (channel[i], i == 0)) {
      result_fail (error, DATAHUB_ERROR_NAME, 0,
          "The DataBlock name \"%s\" is not allowed: letters, digits, '.', '_' "
          "and '-' only, the first a letter or digit.",
          channel);
      return false;
    }
  if (part_of (channel, &uuid)) {
    result_fail (error, DATAHUB_ERROR_NAME, 0,
        "The DataBlock name \"%s\" looks like a file of a block; such names "
        "are reserved.",
        channel);
    return false;
  }
  return true;
}

FileName
name_entry (uint32_t user, const char *channel)
{
  FileName name;
  snprintf (name.text, sizeof name.text, "datahub-%u-%s", user, channel);
  return name;
}

FileName
name_part (uint32_t user, const Uuid *uuid, const char *part)
{
  FileName name;
  char text[DATAHUB_UUID_TEXT];
  uuid_to_text (uuid, text);
  snprintf (name.text, sizeof name.text, "datahub-%u-%s.%s", user, text, part);
  return name;
}

FileName
name_pool (uint32_t user, const Uuid *uuid, uint32_t gen)
{
  char part[16];
  snprintf (part, sizeof part, "d%u", gen);
  return name_part (user, uuid, part);
}

/* Splits @file into its parts; @channel and @part point into it. */
NameKind
name_parse (uint32_t user, const char *file, const char **channel, Uuid *uuid,
    const char **part)
{
  char prefix[32];
  size_t length =
      (size_t) snprintf (prefix, sizeof prefix, "datahub-%u-", user);
  if (strncmp (file, prefix, length) != 0)
    return NAME_FOREIGN;
  *part = part_of (file + length, uuid);
  if (*part)
    return NAME_PART;
  if (!datahub_channel_is_valid (file + length, NULL))
    return NAME_FOREIGN;
  *channel = file + length;
  return NAME_ENTRY;
}
