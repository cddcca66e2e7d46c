/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The allow-list: the rights of each key, by patterns of names. The broker's
 * own user has all rights; a key that is not listed has none.
 * Tests: broker-access */
#include "control/wire/control-log-private.h"
#include "rights-private.h"
#include <datahub/hub.h>
#include "control/wire/keys-private.h"
#include "control/wire/message-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CONFIG_BYTES (1024 * 1024)

struct _Rights
{
  char own_key[DATAHUB_KEY_TEXT + 1];
  GHashTable *clients; /* key text -> Grant */
};

typedef struct
{
  GStrv patterns[N_RIGHTS]; /* owned */
} Grant;

static const char *const right_words[N_RIGHTS] = {
  [RIGHT_PRODUCE] = "produce",
  [RIGHT_CONSUME] = "consume",
  [RIGHT_OBSERVE] = "observe",
  [RIGHT_ADMIN] = "admin",
};

static void
grant_free (gpointer data)
{
  Grant *grant = data;

  for (guint i = 0; i < N_RIGHTS; i++)
    g_strfreev (grant->patterns[i]);
  g_free (grant);
}

static GHashTable *
client_table_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, grant_free);
}

Rights *
rights_new (const char *own_key)
{
  Rights *rights = g_new0 (Rights, 1);

  g_strlcpy (rights->own_key, own_key, sizeof rights->own_key);
  rights->clients = client_table_new ();
  return rights;
}

void
rights_free (Rights *rights)
{
  if (!rights)
    return;
  g_hash_table_unref (rights->clients);
  g_free (rights);
}

static gboolean
refuse (GError **error, const char *file, const char *text)
{
  g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS, "%s: %s",
      file, text);
  return FALSE;
}

static gboolean
read_patterns (json_t *list, GStrv *patterns)
{
  size_t i;
  json_t *value;
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);

  if (!json_is_array (list))
    return FALSE;
  json_array_foreach (list, i, value)
  {
    if (!json_is_string (value)
        || !pattern_is_valid (json_string_value (value)))
      return FALSE;
    g_ptr_array_add (found, g_strdup (json_string_value (value)));
  }
  g_ptr_array_add (found, NULL);
  *patterns = (GStrv) g_ptr_array_free (g_steal_pointer (&found), FALSE);
  return TRUE;
}

static int
right_of_word (const char *word)
{
  for (int i = 0; i < N_RIGHTS; i++)
    if (strcmp (word, right_words[i]) == 0)
      return i;
  return -1;
}

/* One client of the list: "key", an optional "name" for people, and a list of
 * name patterns per right. Every other word is a mistake. */
static gboolean
read_client (json_t *client, GHashTable *clients, const char *file,
    GError **error)
{
  const char *word;
  json_t *value;
  json_t *key = json_object_get (client, "key");

  if (!json_is_string (key) || !key_is_valid (json_string_value (key)))
    return refuse (error, file,
        "each client must have a \"key\": its public key, 40 characters of "
        "Z85");
  if (g_hash_table_contains (clients, json_string_value (key)))
    return refuse (error, file, "the same key is listed twice");

  Grant *grant = g_new0 (Grant, 1);
  g_hash_table_insert (clients, g_strdup (json_string_value (key)), grant);
  json_object_foreach (client, word, value)
  {
    int right = right_of_word (word);
    if (right >= 0 && read_patterns (value, &grant->patterns[right]))
      continue;
    if (right >= 0)
      return refuse (error, file,
          "a right must be a list of name patterns, as in \"consume\": "
          "[\"cam*\"]");
    if (strcmp (word, "key") != 0 && strcmp (word, "name") != 0)
      return refuse (error, file,
          "a client can only have key, name, produce, consume, observe and "
          "admin");
  }
  return TRUE;
}

static gboolean
read_config (json_t *root, GHashTable *clients, const char *file,
    GError **error)
{
  size_t i;
  json_t *client;
  json_t *list = json_object_get (root, "clients");

  if (!json_is_object (root) || !json_is_array (list)
      || json_object_size (root) != 1)
    return refuse (error, file,
        "the file must contain an object with one \"clients\" list");
  json_array_foreach (list, i, client) if (!json_is_object (client)
      || !read_client (client, clients, file, error)) return *error
      ? FALSE
      : refuse (error, file, "each client must be an object");
  return TRUE;
}

/* A user that can change the list can admit any client, so its mode is
 * checked. */
static gboolean
check_file (const char *file, GError **error)
{
  struct stat st;

  if (stat (file, &st) != 0)
    return refuse (error, file,
        errno == ENOENT ? "there is no such file; write an allow-list, as in "
                          "docs/protocol.md, or start without --config"
                        : g_strerror (errno));
  if (S_ISDIR (st.st_mode))
    return refuse (error, file,
        "is a directory; --config takes the allow-list, a JSON file");
  if (!S_ISREG (st.st_mode) || st.st_size > MAX_CONFIG_BYTES)
    return refuse (error, file, "is not a regular file of at most 1 MiB");
  if (st.st_uid != geteuid () && st.st_uid != 0)
    return refuse (error, file,
        "the allow-list belongs to another user, which could admit any client; "
        "copy it into a file of your own");
  if (st.st_mode & 0022) {
    g_autofree char *advice = g_strdup_printf (
        "others can change the allow-list; fix it with: chmod go-w %s", file);
    return refuse (error, file, advice);
  }
  return TRUE;
}

/* Replaces the list by that in @file, or leaves it as it was on error. */
gboolean
rights_load (Rights *rights, const char *file, GError **error)
{
  json_error_t json_error;
  g_autoptr (GError) local = NULL;
  g_autoptr (GHashTable) clients = client_table_new ();

  if (!check_file (file, error))
    return FALSE;
  g_autoptr (json_t) root =
      json_load_file (file, JSON_REJECT_DUPLICATES, &json_error);
  if (!root) {
    g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS,
        "%s:%d: %s", file, json_error.line, json_error.text);
    return FALSE;
  }
  if (!read_config (root, clients, file, &local)) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  g_hash_table_unref (rights->clients);
  rights->clients = g_steal_pointer (&clients);
  return TRUE;
}

/* Moves the list of @from, loaded apart, to @rights. */
void
rights_take (Rights *rights, Rights *from)
{
  GHashTable *clients = rights->clients;

  rights->clients = from->clients;
  from->clients = clients;
}

static gboolean
is_own_key (Rights *rights, const char *key)
{
  return *rights->own_key && strcmp (rights->own_key, key) == 0;
}

gboolean
rights_knows (Rights *rights, const char *key)
{
  return is_own_key (rights, key)
      || g_hash_table_contains (rights->clients, key);
}

static gboolean
patterns_match (GStrv patterns, const char *name)
{
  for (GStrv p = patterns; p && *p; p++)
    if (pattern_matches (*p, name))
      return TRUE;
  return FALSE;
}

/* Whether @key has @right on @name. The rights to produce and to consume a name
 * include the right to observe it. */
gboolean
rights_allow (Rights *rights, const char *key, Right right, const char *name)
{
  Grant *grant;

  if (is_own_key (rights, key))
    return TRUE;
  grant = g_hash_table_lookup (rights->clients, key);
  if (!grant)
    return FALSE;
  if (patterns_match (grant->patterns[right], name))
    return TRUE;
  return right == RIGHT_OBSERVE
      && (patterns_match (grant->patterns[RIGHT_PRODUCE], name)
          || patterns_match (grant->patterns[RIGHT_CONSUME], name));
}

const char *
right_word (Right right)
{
  return right_words[right];
}
