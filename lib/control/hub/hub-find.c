/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queries that take more than one request: find (repeated when the block
 * appears), list (page by page), and waiting for the connection.
 * Tests: hub-questions */
#include "control/wire/control-log-private.h"
#include "hub-private.h"

#include <sodium.h>
#include <string.h>

/* A question with a timeout of 0 is asked once; the answer may take this. */
#define ONCE_US G_USEC_PER_SEC
#define MAX_PAGES 256

static gint64
timeout_us (gint64 timeout_ns)
{
  return timeout_ns < 0 ? -1 : timeout_ns / 1000;
}

/* --- find --- */

typedef struct
{
  HubWait wait; /* first */
  GTask *task; /* owned until it is answered */
  char *name; /* owned */
  gboolean once, asking, again;
  GError *error; /* the last answer; owned */
} Find;

static void
find_free (gpointer data)
{
  Find *find = data;

  g_free (find->name);
  g_clear_error (&find->error);
  g_free (find);
}

static void
end_find (Find *find, DatahubHubBlock *block, GError *error)
{
  HubCore *core = find->wait.core;

  if (!hub_wait_end (&find->wait)) {
    g_clear_pointer (&block, datahub_hub_block_unref);
    g_clear_error (&error);
    return;
  }
  core->finds = g_list_remove (core->finds, find);
  hub_task_return (find->task, block, (GDestroyNotify) datahub_hub_block_unref,
      error);
  hub_wait_unref (find);
}

/* Timed out: the last answer is a better error than that. */
static void
cut_find (HubWait *wait, GError *reason)
{
  Find *find = (Find *) wait;
  HubCore *core = wait->core;

  if (g_error_matches (reason, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_TIMEOUT)) {
    if (find->error || core->error) {
      g_error_free (reason);
      reason = g_error_copy (find->error ? find->error : core->error);
    }
  }
  end_find (find, NULL, reason);
}

static DatahubHubBlock *
read_found (Find *find, json_t *reply, GError **error)
{
  guint8 secret[DATAHUB_SECRET_SIZE], ticket[DATAHUB_TICKET_SIZE];
  gboolean present;
  const char *state = message_string (reply, "state", 32, TRUE, error);

  if (!state)
    return NULL;
  if (strcmp (state, "pending") == 0) {
    g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PENDING,
        "block %s is announced, but cannot be attached yet", find->name);
    return NULL;
  }
  if (strcmp (state, "ready") != 0) {
    g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_NOT_FOUND,
        "no block has the name %s", find->name);
    return NULL;
  }
  DatahubHubBlock *block =
      hub_block_from_json (json_object_get (reply, "block"), error);
  if (block && message_secret (reply, secret, &present, NULL) && present)
    hub_block_set_secret (block, secret);
  if (block && message_ticket (reply, ticket, &present, NULL) && present)
    hub_block_set_ticket (block, ticket);
  sodium_memzero (secret, sizeof secret);
  return block;
}

static void ask (Find *find);

static gboolean
is_final (const GError *error)
{
  return !g_error_matches (error, DATAHUB_HUB_ERROR,
             DATAHUB_HUB_ERROR_NOT_FOUND)
      && !g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PENDING)
      && !g_error_matches (error, DATAHUB_HUB_ERROR,
          DATAHUB_HUB_ERROR_DISCONNECTED)
      && !g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_TIMEOUT);
}

static void
answered (json_t *reply, const GError *refusal, gpointer user_data)
{
  Find *find = user_data;
  GError *error = NULL;
  DatahubHubBlock *block = NULL;

  find->asking = FALSE;
  if (reply)
    block = read_found (find, reply, &error);
  else
    error = g_error_copy (refusal);
  if (block || find->once || is_final (error)) {
    end_find (find, block, error);
  } else {
    g_clear_error (&find->error);
    find->error = error;
    if (find->again)
      ask (find);
  }
  hub_wait_unref (find);
}

static void
ask (Find *find)
{
  if (find->wait.ended)
    return;
  find->again = find->asking;
  if (find->asking)
    return;
  find->asking = TRUE;
  hub_wait_ref (&find->wait);
  hub_call (find->wait.core,
      json_pack ("{s:s, s:s}", "type", "find", "name", find->name), 2 * ONCE_US,
      NULL, answered, find);
}

/* Finds @name for @task (taken), waiting until it is there. */
void
hub_find_begin (HubCore *core, GTask *task, const char *name, gint64 timeout_ns)
{
  Find *find = g_new0 (Find, 1);
  GCancellable *cancellable = g_task_get_cancellable (task);

  find->task = task;
  find->name = g_strdup (name);
  find->once = timeout_ns == 0;
  find->wait.cut = cut_find;
  find->wait.free_func = find_free;
  core->finds = g_list_prepend (core->finds, find);
  hub_wait_begin (&find->wait, core,
      find->once ? ONCE_US : timeout_us (timeout_ns), cancellable);
  if (core->state == HUB_CONNECTED || find->once)
    ask (find);
}

/* The block @name, or any (NULL), may be there now. */
void
hub_finds_ask (HubCore *core, const char *name)
{
  GList *finds = g_list_copy (core->finds);

  for (GList *l = finds; l; l = l->next)
    hub_wait_ref (l->data);
  for (GList *l = finds; l; l = l->next) {
    Find *find = l->data;
    if (!name || strcmp (find->name, name) == 0)
      ask (find);
    hub_wait_unref (find);
  }
  g_list_free (finds);
}

/* --- list --- */

typedef struct
{
  HubCore *core; /* owned */
  GTask *task; /* owned until it is answered */
  GPtrArray *blocks; /* owned */
  gint64 deadline_us; /* -1: none */
  guint pages;
} List;

static void ask_page (List *list, const char *after);

static void
end_list (List *list, GError *error)
{
  if (error)
    g_clear_pointer (&list->blocks, g_ptr_array_unref);
  hub_task_return (list->task, list->blocks, (GDestroyNotify) g_ptr_array_unref,
      error);
  hub_core_unref (list->core);
  g_free (list);
}

static gboolean
read_page (List *list, json_t *reply, GError **error)
{
  size_t i;
  json_t *value;
  json_t *page = json_object_get (reply, "blocks");

  if (!json_is_array (page)) {
    g_set_error_literal (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL,
        "the broker's answer has no list of blocks");
    return FALSE;
  }
  json_array_foreach (page, i, value)
  {
    DatahubHubBlock *block = hub_block_from_json (value, error);
    if (!block)
      return FALSE;
    g_ptr_array_add (list->blocks, block);
  }
  return TRUE;
}

static void
page_came (json_t *reply, const GError *refusal, gpointer user_data)
{
  List *list = user_data;
  GError *error = NULL;
  guint before = list->blocks->len;

  if (!reply)
    error = g_error_copy (refusal);
  else if (read_page (list, reply, &error)
      && json_is_true (json_object_get (reply, "more"))
      && list->blocks->len > before && ++list->pages < MAX_PAGES) {
    DatahubHubBlock *last =
        g_ptr_array_index (list->blocks, list->blocks->len - 1);
    ask_page (list, datahub_hub_block_get_name (last));
    return;
  }
  end_list (list, error);
}

static void
ask_page (List *list, const char *after)
{
  gint64 left = -1;

  if (list->deadline_us >= 0)
    left = MAX (list->deadline_us - g_get_monotonic_time (), 0);
  hub_call (list->core,
      json_pack ("{s:s, s:s}", "type", "list", "after", after), left,
      g_task_get_cancellable (list->task), page_came, list);
}

/* Lists all blocks for @task (taken). */
void
hub_list_begin (HubCore *core, GTask *task, gint64 timeout_ns)
{
  List *list = g_new0 (List, 1);
  gint64 us = timeout_ns == 0 ? ONCE_US : timeout_us (timeout_ns);

  list->core = hub_core_ref (core);
  list->task = task;
  list->blocks =
      g_ptr_array_new_with_free_func ((GDestroyNotify) datahub_hub_block_unref);
  list->deadline_us = us < 0 ? -1 : g_get_monotonic_time () + us;
  ask_page (list, "");
}

/* --- the connection --- */

typedef struct
{
  HubWait wait; /* first */
  GTask *task; /* owned until it is answered */
} ConnectWait;

static void
connect_wait_free (gpointer data)
{
  ConnectWait *connect_wait = data;

  g_free (connect_wait);
}

static void
end_connect_wait (ConnectWait *connect_wait, GError *error)
{
  HubCore *core = connect_wait->wait.core;

  if (!hub_wait_end (&connect_wait->wait)) {
    g_clear_error (&error);
    return;
  }
  core->connect_waits = g_list_remove (core->connect_waits, connect_wait);
  hub_task_return (connect_wait->task, GINT_TO_POINTER (TRUE), NULL, error);
  hub_wait_unref (connect_wait);
}

static void
cut_connect_wait (HubWait *wait, GError *reason)
{
  if (wait->core->error
      && g_error_matches (reason, DATAHUB_HUB_ERROR,
          DATAHUB_HUB_ERROR_TIMEOUT)) {
    g_error_free (reason);
    reason = g_error_copy (wait->core->error);
  }
  end_connect_wait ((ConnectWait *) wait, reason);
}

/* Ends @task (taken) when there is a connection, or why there will be none. */
void
hub_connect_wait_begin (HubCore *core, GTask *task, gint64 timeout_ns)
{
  ConnectWait *connect_wait = g_new0 (ConnectWait, 1);

  connect_wait->task = task;
  connect_wait->wait.cut = cut_connect_wait;
  connect_wait->wait.free_func = connect_wait_free;
  core->connect_waits = g_list_prepend (core->connect_waits, connect_wait);
  hub_wait_begin (&connect_wait->wait, core, timeout_us (timeout_ns),
      g_task_get_cancellable (task));
  if (core->state == HUB_CONNECTED)
    end_connect_wait (connect_wait, NULL);
  else if (core->told)
    end_connect_wait (connect_wait, g_error_copy (core->error));
}

/* Ends all waits for the connection, well (NULL) or with @error. */
void
hub_connect_waits_end (HubCore *core, const GError *error)
{
  while (core->connect_waits)
    end_connect_wait (core->connect_waits->data,
        error ? g_error_copy (error) : NULL);
}
