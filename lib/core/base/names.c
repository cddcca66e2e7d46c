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
#define PREFIX "datahub-"
#define USER_DIGITS 10

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

/* The text behind "datahub-<uid>-", or NULL. The number is as name_entry() writes
 * it: without a sign, and without zeros in front. */
static const char *
after_user (const char *file, uint32_t *user)
{
  const char *digits = file + strlen (PREFIX);
  size_t n;
  uint64_t number;
  if (strncmp (file, PREFIX, strlen (PREFIX)) != 0)
    return NULL;
  n = strspn (digits, "0123456789");
  if (n == 0 || n > USER_DIGITS || digits[n] != '-'
      || (n > 1 && digits[0] == '0'))
    return NULL;
  number = strtoull (digits, NULL, 10);
  if (number > UINT32_MAX)
    return NULL;
  *user = (uint32_t) number;
  return digits + n + 1;
}

/* Splits @file into its parts; @channel and @part point into it. @user is the
 * number in the name: it need not be that of the file's owner. */
NameKind
name_split (const char *file, uint32_t *user, const char **channel, Uuid *uuid,
    const char **part)
{
  const char *rest = after_user (file, user);
  if (!rest)
    return NAME_FOREIGN;
  *part = part_of (rest, uuid);
  if (*part)
    return NAME_PART;
  if (!datahub_channel_is_valid (rest, NULL))
    return NAME_FOREIGN;
  *channel = rest;
  return NAME_ENTRY;
}

/* The same of a name with the number @user; others are foreign. */
NameKind
name_parse (uint32_t user, const char *file, const char **channel, Uuid *uuid,
    const char **part)
{
  uint32_t number;
  NameKind kind = name_split (file, &number, channel, uuid, part);
  return kind == NAME_FOREIGN || number != user ? NAME_FOREIGN : kind;
}

/* Whether @file is an entry of @channel, of any number. */
bool
name_is_entry_of (const char *file, const char *channel, uint32_t *user)
{
  const char *rest = after_user (file, user);
  return rest && strcmp (rest, channel) == 0;
}
