/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The allow-list: the rights of each key, by patterns of names. The broker's
 * own user has all rights; a key that is not listed has none.
 * Tests: broker-access, broker-lists */
#include "control/wire/control-log-private.h"
#include "allow-list-private.h"
#include "rights-private.h"
#include "control/wire/key-file-private.h"
#include "control/wire/message-private.h"

#include <string.h>

struct _Rights
{
  char own_key[DATAHUB_KEY_TEXT + 1];
  GHashTable *clients; /* key text -> Grant */
  gboolean listed; /* from a file */
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
read_patterns (const AllowList *list, gsize client, const char *word,
    json_t *values, GStrv *patterns, GError **error)
{
  size_t i;
  json_t *value;
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);

  if (!json_is_array (values))
    return allow_list_refuse (list, (gssize) client, word, error,
        "a right must be a list of name patterns, as in \"consume\": "
        "[\"cam*\"]");
  json_array_foreach (values, i, value)
  {
    const char *pattern = json_string_value (value);
    if (!pattern || !pattern_is_valid (pattern))
      return allow_list_refuse (list, (gssize) client, word, error,
          "pattern %u is not valid: it must be a text of the characters of "
          "names, '*' and '?'",
          (unsigned) i + 1);
    g_ptr_array_add (found, g_strdup (pattern));
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

static gboolean
read_key (const AllowList *list, gsize client, json_t *value,
    char key[DATAHUB_KEY_TEXT + 1], GError **error)
{
  const char *text = json_string_value (value);

  if (text && key_from_public_text (text, key))
    return TRUE;
  if (text && key_text_is_secret (text))
    return allow_list_refuse (list, (gssize) client, "key", error,
        "this is a secret key; the list takes the public key, which datahub "
        "keygen writes to NAME.pub. Make a new pair if others can read this "
        "file");
  return allow_list_refuse (list, (gssize) client, text ? "key" : NULL, error,
      "each client must have a \"key\": its public key, 40 characters of Z85");
}

static gboolean
read_word (const AllowList *list, gsize client, const char *word, json_t *value,
    Grant *grant, GError **error)
{
  int right = right_of_word (word);

  if (right >= 0)
    return read_patterns (list, client, word, value, &grant->patterns[right],
        error);
  if (strcmp (word, "key") == 0)
    return TRUE;
  if (strcmp (word, "name") != 0)
    return allow_list_refuse (list, (gssize) client, word, error,
        "a client can only have key, name, produce, consume, observe and "
        "admin");
  return json_is_string (value)
      || allow_list_refuse (list, (gssize) client, word, error,
          "the name must be a text");
}

/* One client of the list: "key", an optional "name" for people, and a list of
 * name patterns per right. Every other word is a mistake. */
static gboolean
read_client (const AllowList *list, gsize index, json_t *client,
    GHashTable *clients, GError **error)
{
  const char *word;
  json_t *value;
  char key[DATAHUB_KEY_TEXT + 1];

  if (!json_is_object (client))
    return allow_list_refuse (list, (gssize) index, NULL, error,
        "each client must be an object");
  if (!read_key (list, index, json_object_get (client, "key"), key, error))
    return FALSE;
  if (g_hash_table_contains (clients, key))
    return allow_list_refuse (list, (gssize) index, "key", error,
        "the same key is listed twice");

  Grant *grant = g_new0 (Grant, 1);
  g_hash_table_insert (clients, g_strdup (key), grant);
  json_object_foreach (client, word,
      value) if (!read_word (list, index, word, value, grant,
                     error)) return FALSE;
  return TRUE;
}

static gboolean
read_clients (const AllowList *list, GHashTable *clients, GError **error)
{
  size_t i;
  json_t *client;
  json_t *all = json_object_get (list->root, "clients");

  if (!json_is_object (list->root) || !json_is_array (all)
      || json_object_size (list->root) != 1)
    return allow_list_refuse (list, -1, NULL, error,
        "the file must contain an object with one \"clients\" list");
  json_array_foreach (all, i,
      client) if (!read_client (list, i, client, clients, error)) return FALSE;
  return TRUE;
}

/* Replaces the list by that in @file, or leaves it as it was on error. */
gboolean
rights_load (Rights *rights, const char *file, GError **error)
{
  g_auto (AllowList) list = { 0 };
  g_autoptr (GHashTable) clients = client_table_new ();

  if (!allow_list_read (&list, file, error)
      || !read_clients (&list, clients, error))
    return FALSE;
  g_hash_table_unref (rights->clients);
  rights->clients = g_steal_pointer (&clients);
  rights->listed = TRUE;
  return TRUE;
}

/* Moves the list of @from, loaded apart, to @rights. */
void
rights_take (Rights *rights, Rights *from)
{
  GHashTable *clients = rights->clients;

  rights->clients = from->clients;
  from->clients = clients;
  rights->listed = from->listed;
}

/* Whether there is an allow-list. */
gboolean
rights_are_listed (Rights *rights)
{
  return rights->listed;
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
