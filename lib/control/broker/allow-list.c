/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of an allow-list. A process that can write to it can admit any client, so it
 * is opened once, and what is checked is what is read. A mistake is reported with the
 * line, the client and the word: the parser of JSON knows no lines of what it has
 * parsed, so they are looked up in the text.
 * Tests: broker-lists */
#include "control/wire/control-log-private.h"
#include "allow-list-private.h"
#include "control/wire/control-error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES (1024 * 1024)
/* Of what a message repeats from the file. */
#define WORD_MAX 40
/* Objects and lists around the words of a client: root, "clients", the client. */
#define DEPTH_OF_CLIENT 3

static gboolean
refuse_file (GError **error, const char *file, const char *text)
{
  return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS, "%s: %s", file,
      text);
}

static gboolean
check_owner (const struct stat *st, const char *file, GError **error)
{
  if (st->st_uid != geteuid () && st->st_uid != 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "%s: the allow-list belongs to user %u, which could admit any client; "
        "copy it into a file of your own (user %u)",
        file, (unsigned) st->st_uid, (unsigned) geteuid ());
  if (st->st_mode & 0022)
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "%s: others can change the allow-list; fix it with: chmod go-w %s",
        file, file);
  return TRUE;
}

static gboolean
check_open (int fd, const char *file, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) != 0)
    return refuse_file (error, file, g_strerror (errno));
  if (S_ISDIR (st.st_mode))
    return refuse_file (error, file,
        "is a directory; --config takes the allow-list, a JSON file");
  if (!S_ISREG (st.st_mode) || st.st_size > MAX_BYTES)
    return refuse_file (error, file, "is not a regular file of at most 1 MiB");
  return check_owner (&st, file, error);
}

/* The file can grow while it is read. */
static gboolean
read_text (AllowList *list, int fd, GError **error)
{
  list->text = g_malloc (MAX_BYTES + 2);
  while (list->size <= MAX_BYTES) {
    ssize_t n = read (fd, list->text + list->size, MAX_BYTES + 1 - list->size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return refuse_file (error, list->file, g_strerror (errno));
    if (n == 0)
      break;
    list->size += (gsize) n;
  }
  list->text[list->size] = '\0';
  return list->size <= MAX_BYTES
      || refuse_file (error, list->file,
          "is not a regular file of at most 1 MiB");
}

static gboolean
parse (AllowList *list, GError **error)
{
  json_error_t json_error;

  list->root =
      json_loadb (list->text, list->size, JSON_REJECT_DUPLICATES, &json_error);
  return list->root
      || message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS, "%s:%d: %s",
          list->file, json_error.line, json_error.text);
}

/* Reads @file, which must stay valid as long as @list is used. */
gboolean
allow_list_read (AllowList *list, const char *file, GError **error)
{
  /* a fifo must not stop the broker */
  int fd = open (file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

  *list = (AllowList){ .file = file };
  if (fd < 0)
    return refuse_file (error, file,
        errno == ENOENT ? "there is no such file; write an allow-list, as in "
                          "docs/protocol.md, or start without --config"
                        : g_strerror (errno));
  gboolean done = check_open (fd, file, error) && read_text (list, fd, error)
      && parse (list, error);
  close (fd);
  return done;
}

void
allow_list_clear (AllowList *list)
{
  g_clear_pointer (&list->text, g_free);
  g_clear_pointer (&list->root, json_decref);
}

/* ---- the place of a mistake ---- */

/* A position in a text that is valid JSON. */
typedef struct
{
  const char *at;
  int line, depth;
  gssize client; /* -1: none has begun */
  gboolean begun; /* in the list: the next one begins after a comma */
} Place;

/* The end of the string that begins at @at. */
static const char *
end_of_string (const char *at)
{
  for (at++; *at && *at != '"'; at++)
    if (*at == '\\' && at[1])
      at++;
  return at;
}

static gboolean
is_word (const char *at, const char *word)
{
  gsize size = strlen (word);
  const char *end = end_of_string (at);

  if ((gsize) (end - at) != size + 1 || strncmp (at + 1, word, size) != 0)
    return FALSE;
  do
    end++;
  while (g_ascii_isspace (*end));
  return *end == ':';
}

/* A client may be no object. */
static void
note_client (Place *place)
{
  if (place->depth != DEPTH_OF_CLIENT - 1)
    place->begun &= place->depth >= DEPTH_OF_CLIENT;
  else if (*place->at == ',')
    place->begun = FALSE;
  else if (!place->begun && *place->at != ']'
      && !g_ascii_isspace (*place->at)) {
    place->begun = TRUE;
    place->client++;
  }
}

static void
step (Place *place)
{
  note_client (place);
  if (*place->at == '"') {
    place->at = end_of_string (place->at);
  } else if (*place->at == '{' || *place->at == '[') {
    place->depth++;
  } else if (*place->at == '}' || *place->at == ']') {
    place->depth--;
  } else if (*place->at == '\n') {
    place->line++;
  }
  if (*place->at)
    place->at++;
}

/* The line of @word of a client; that of the client if it is not found; 1 if there is
 * no such client. */
static int
line_of (const AllowList *list, gssize client, const char *word)
{
  Place place = { list->text, 1, 0, -1, FALSE };
  int line = 1;

  while (client >= 0 && *place.at && place.client <= client) {
    gboolean before = place.client < client;
    if (word && !before && place.depth == DEPTH_OF_CLIENT && *place.at == '"'
        && is_word (place.at, word))
      return place.line;
    step (&place);
    if (before && place.client == client)
      line = place.line;
  }
  return line;
}

static char *
describe (const AllowList *list, gssize client)
{
  json_t *clients = json_object_get (list->root, "clients");
  json_t *one = json_array_get (clients, (gsize) client);
  const char *name = json_string_value (json_object_get (one, "name"));
  g_autofree char *clean = g_strescape (name ? name : "", NULL);

  return name ? g_strdup_printf ("client %d (\"%.*s\")", (int) client + 1,
             WORD_MAX, clean)
              : g_strdup_printf ("client %d", (int) client + 1);
}

/* Fills in @error and is FALSE. @client is the index in the list, -1: none; @word is its
 * word, or NULL. */
gboolean
allow_list_refuse (const AllowList *list, gssize client, const char *word,
    GError **error, const char *format, ...)
{
  g_autofree char *who = client >= 0 ? describe (list, client) : NULL;
  g_autofree char *clean = word ? g_strescape (word, NULL) : NULL;
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  if (!who)
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS, "%s: %s",
        list->file, text);
  if (!word)
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS, "%s:%d: %s: %s",
        list->file, line_of (list, client, NULL), who, text);
  return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
      "%s:%d: %s, \"%.*s\": %s", list->file, line_of (list, client, word), who,
      WORD_MAX, clean, text);
}
