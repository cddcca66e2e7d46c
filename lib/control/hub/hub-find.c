/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding one block. The request is repeated when the block appears and when a
 * broker does.
 * Tests: hub-questions, hub-false-answers */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "hub-find-private.h"

#include <sodium.h>
#include <string.h>

/* A find with a timeout of 0 is asked once; the answer may take this long. */
#define ONCE_US G_USEC_PER_SEC

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
    if (find->error || core->session.error) {
      g_error_free (reason);
      reason = g_error_copy (find->error ? find->error : core->session.error);
    }
  }
  end_find (find, NULL, reason);
}

/* What only a client with the right gets. */
static gboolean
read_secrets (DatahubHubBlock *block, json_t *reply, GError **error)
{
  guint8 secret[DATAHUB_SECRET_SIZE], ticket[DATAHUB_TICKET_SIZE];
  gboolean has_secret, has_ticket;
  gboolean valid = message_secret (reply, secret, &has_secret, error)
      && message_ticket (reply, ticket, &has_ticket, error);

  if (valid && has_secret)
    hub_block_set_secret (block, secret);
  if (valid && has_ticket)
    hub_block_set_ticket (block, ticket);
  sodium_memzero (secret, sizeof secret);
  sodium_memzero (ticket, sizeof ticket);
  return valid;
}

static DatahubHubBlock *
read_found (Find *find, json_t *reply, GError **error)
{
  const char *state = message_string (reply, "state", 32, TRUE, error);

  if (!state)
    return NULL;
  if (strcmp (state, "pending") == 0) {
    g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PENDING,
        "block %s is announced, but cannot be attached yet", find->name);
    return NULL;
  }
  if (strcmp (state, "ready") != 0 && strcmp (state, "unknown") != 0) {
    g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_NOT_FOUND,
        "no block has the name %s", find->name);
    return NULL;
  }
  g_autoptr (DatahubHubBlock) block =
      hub_block_from_json (json_object_get (reply, "block"), error);
  if (!block)
    return NULL;
  if (strcmp (datahub_hub_block_get_name (block), find->name) != 0) {
    g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL,
        "the broker was asked for block %s and answered with %s", find->name,
        datahub_hub_block_get_name (block));
    return NULL;
  }
  return read_secrets (block, reply, error) ? g_steal_pointer (&block) : NULL;
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
      find->once ? ONCE_US : hub_wait_us (timeout_ns), cancellable);
  if (core->session.state == HUB_CONNECTED || find->once)
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
