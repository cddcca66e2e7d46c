/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queries of a program to its hub. Each has an asynchronous and a blocking
 * form.
 * Tests: hub-questions */
#include "control/wire/control-log-private.h"
#include "hub-calls-private.h"
#include "hub-connect-private.h"
#include "hub-find-private.h"
#include "hub-private.h"
#include "control/wire/resources-private.h"
#include <datahub/block.h>

#include <string.h>

typedef struct
{
  HubCore *core;
  GTask *task; /* passed to the function that answers it */
  char *text;
  json_t *message;
  gint64 timeout_ns;
} Question;

static void
question_free (gpointer data)
{
  Question *question = data;

  if (question->task && !question->core->context)
    g_task_return_new_error (question->task, DATAHUB_HUB_ERROR,
        DATAHUB_HUB_ERROR_LIMIT, "the system refused the hub's thread");
  g_clear_object (&question->task);
  if (question->message)
    json_decref (question->message);
  g_free (question->text);
  hub_core_unref (question->core);
  g_free (question);
}

static Question *
question_new (DatahubHub *hub, gpointer tag, gint64 timeout_ns,
    GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  Question *question = g_new0 (Question, 1);

  question->core = hub_core_ref (hub->core);
  question->task = g_task_new (hub, cancellable, callback, user_data);
  g_task_set_source_tag (question->task, tag);
  question->timeout_ns = timeout_ns;
  return question;
}

/* A waiting call as the asynchronous one, in a context of its own. */
typedef struct
{
  GMainContext *context;
  GAsyncResult *result;
} Sync;

static void
sync_done (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ((Sync *) user_data)->result = g_object_ref (result);
}

/* The hub's thread would wait for itself. */
static gboolean
sync_begin (DatahubHub *hub, Sync *sync, GError **error)
{
  if (hub->refused) {
    g_propagate_error (error, g_error_copy (hub->refused));
    return FALSE;
  }
  if (g_main_context_is_owner (hub->core->context)) {
    g_set_error_literal (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS,
        "this call blocks and must not be used in handlers that run in the "
        "hub's own thread");
    return FALSE;
  }
  if (!wire_try_resources ("the question to the broker", 1, 0, error))
    return FALSE;
  sync->context = g_main_context_new ();
  g_main_context_push_thread_default (sync->context);
  return TRUE;
}

static GAsyncResult *
sync_wait (Sync *sync)
{
  while (!sync->result)
    g_main_context_iteration (sync->context, TRUE);
  g_main_context_pop_thread_default (sync->context);
  g_main_context_unref (sync->context);
  return sync->result;
}

static gboolean
start_find (gpointer data)
{
  Question *question = data;

  hub_find_begin (question->core, g_steal_pointer (&question->task),
      question->text, question->timeout_ns);
  return G_SOURCE_REMOVE;
}

/**
 * datahub_hub_find_async:
 * @hub: a hub
 * @name: a block's name
 * @timeout_ns: how long to wait for it; 0: asks once; negative: waits for ever
 * @cancellable: (nullable): ends it early
 * @callback: called in the thread-default context of the caller
 * @user_data: for @callback
 *
 * Finds a block. Waits while the block or the broker is missing. There is no
 * polling: the broker notifies the hub when the block appears.
 */
void
datahub_hub_find_async (DatahubHub *hub, const char *name, gint64 timeout_ns,
    GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  DatahubError reason;

  g_return_if_fail (DATAHUB_IS_HUB (hub) && name);
  Question *question = question_new (hub, datahub_hub_find_async, timeout_ns,
      cancellable, callback, user_data);
  question->text = g_strdup (name);
  if (!datahub_channel_is_valid (name, &reason)) {
    g_task_return_new_error (question->task, DATAHUB_HUB_ERROR,
        DATAHUB_HUB_ERROR_SETTINGS, "%s", reason.message);
    g_clear_object (&question->task);
    question_free (question);
    return;
  }
  hub_core_post (hub->core, start_find, question, question_free);
}

DatahubHubBlock *
datahub_hub_find_finish (DatahubHub *hub, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, hub), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

DatahubHubBlock *
datahub_hub_find (DatahubHub *hub, const char *name, gint64 timeout_ns,
    GCancellable *cancellable, GError **error)
{
  Sync sync = { 0 };

  g_return_val_if_fail (DATAHUB_IS_HUB (hub) && name, NULL);
  if (!sync_begin (hub, &sync, error))
    return NULL;
  datahub_hub_find_async (hub, name, timeout_ns, cancellable, sync_done, &sync);
  g_autoptr (GAsyncResult) result = sync_wait (&sync);
  return datahub_hub_find_finish (hub, result, error);
}

static gboolean
start_list (gpointer data)
{
  Question *question = data;

  hub_list_begin (question->core, g_steal_pointer (&question->task),
      question->timeout_ns);
  return G_SOURCE_REMOVE;
}

void
datahub_hub_list_async (DatahubHub *hub, gint64 timeout_ns,
    GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (DATAHUB_IS_HUB (hub));
  hub_core_post (hub->core, start_list,
      question_new (hub, datahub_hub_list_async, timeout_ns, cancellable,
          callback, user_data),
      question_free);
}

GPtrArray *
datahub_hub_list_finish (DatahubHub *hub, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, hub), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

GPtrArray *
datahub_hub_list (DatahubHub *hub, gint64 timeout_ns, GCancellable *cancellable,
    GError **error)
{
  Sync sync = { 0 };

  g_return_val_if_fail (DATAHUB_IS_HUB (hub), NULL);
  if (!sync_begin (hub, &sync, error))
    return NULL;
  datahub_hub_list_async (hub, timeout_ns, cancellable, sync_done, &sync);
  g_autoptr (GAsyncResult) result = sync_wait (&sync);
  return datahub_hub_list_finish (hub, result, error);
}

static void
request_done (json_t *reply, const GError *error, gpointer user_data)
{
  char *text = reply ? json_dumps (reply, JSON_COMPACT) : NULL;

  hub_task_return (user_data, g_strdup (text), g_free,
      error ? g_error_copy (error) : NULL);
  free (text);
}

static gboolean
start_request (gpointer data)
{
  Question *question = data;
  GCancellable *cancellable = g_task_get_cancellable (question->task);
  gint64 us = question->timeout_ns < 0 ? -1 : question->timeout_ns / 1000;

  hub_call (question->core, g_steal_pointer (&question->message), us,
      cancellable, request_done, g_steal_pointer (&question->task));
  return G_SOURCE_REMOVE;
}

/**
 * datahub_hub_request_async:
 * @hub: a hub
 * @type: which request, as in docs/protocol.md
 * @json: (nullable): its fields, the text of a JSON object
 * @timeout_ns: how long it may take; negative: for ever
 * @cancellable: (nullable): ends it early
 * @callback: called in the thread-default context of the caller
 * @user_data: for @callback
 *
 * Sends any request. It ends exactly once: by its answer, an error, the timeout,
 * the cancellable, or the loss of the broker after it was sent.
 */
void
datahub_hub_request_async (DatahubHub *hub, const char *type, const char *json,
    gint64 timeout_ns, GCancellable *cancellable, GAsyncReadyCallback callback,
    gpointer user_data)
{
  g_return_if_fail (DATAHUB_IS_HUB (hub) && type);
  json_error_t problem = { .text = "it is not an object" };
  Question *question = question_new (hub, datahub_hub_request_async, timeout_ns,
      cancellable, callback, user_data);

  question->message =
      json_loads (json ? json : "{}", JSON_REJECT_DUPLICATES, &problem);
  if (!json_is_object (question->message)) {
    g_task_return_new_error (question->task, DATAHUB_HUB_ERROR,
        DATAHUB_HUB_ERROR_SETTINGS, "the fields of the request are invalid: %s",
        problem.text);
    g_clear_object (&question->task);
    question_free (question);
    return;
  }
  json_object_set_new (question->message, "type", json_string (type));
  hub_core_post (hub->core, start_request, question, question_free);
}

char *
datahub_hub_request_finish (DatahubHub *hub, GAsyncResult *result,
    GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, hub), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

char *
datahub_hub_request (DatahubHub *hub, const char *type, const char *json,
    gint64 timeout_ns, GCancellable *cancellable, GError **error)
{
  Sync sync = { 0 };

  g_return_val_if_fail (DATAHUB_IS_HUB (hub) && type, NULL);
  if (!sync_begin (hub, &sync, error))
    return NULL;
  datahub_hub_request_async (hub, type, json, timeout_ns, cancellable,
      sync_done, &sync);
  g_autoptr (GAsyncResult) result = sync_wait (&sync);
  return datahub_hub_request_finish (hub, result, error);
}

static gboolean
start_connect_wait (gpointer data)
{
  Question *question = data;

  hub_connect_wait_begin (question->core, g_steal_pointer (&question->task),
      question->timeout_ns);
  return G_SOURCE_REMOVE;
}

/**
 * datahub_hub_wait_connected:
 * @hub: a hub
 * @timeout_ns: how long to wait; negative: for ever
 * @cancellable: (nullable): ends it early
 * @error: return location for a #GError
 *
 * Waits for the broker. An error that needs an action of the user (a key that
 * is not accepted) ends the wait at once. Any thread but the hub's own.
 *
 * Returns: whether a broker answered
 */
gboolean
datahub_hub_wait_connected (DatahubHub *hub, gint64 timeout_ns,
    GCancellable *cancellable, GError **error)
{
  Sync sync = { 0 };

  g_return_val_if_fail (DATAHUB_IS_HUB (hub), FALSE);
  if (!sync_begin (hub, &sync, error))
    return FALSE;
  hub_core_post (hub->core, start_connect_wait,
      question_new (hub, datahub_hub_wait_connected, timeout_ns, cancellable,
          sync_done, &sync),
      question_free);
  g_autoptr (GAsyncResult) result = sync_wait (&sync);
  return g_task_propagate_pointer (G_TASK (result), error) != NULL;
}
