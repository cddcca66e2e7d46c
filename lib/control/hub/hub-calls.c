/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and their answers. Each request ends exactly once: by its answer, an
 * error, its deadline, a cancellation, or the loss of the connection.
 * Tests: hub-questions, hub-loss, hub-hostile-broker */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"

#include <string.h>

typedef struct
{
  HubWait wait; /* first */
  gint64 id; /* 0 while it is not sent */
  json_t *message; /* owned */
  HubCallDone done;
  gpointer user_data;
} Call;

static void
call_free (gpointer data)
{
  Call *call = data;

  message_wipe_secret (call->message);
  json_decref (call->message);
  g_free (call);
}

/* The one way a call ends; drops the reference of the table or the queue. */
static void
end_call (Call *call, json_t *reply, const GError *error)
{
  HubCore *core = call->wait.core;

  if (!hub_wait_end (&call->wait))
    return;
  if (call->id)
    g_hash_table_remove (core->calls.sent, &call->id);
  else
    g_queue_remove (&core->calls.unsent, call);
  call->done (reply, error, call->user_data);
  hub_wait_unref (call);
}

static void
cut_call (HubWait *wait, GError *reason)
{
  end_call ((Call *) wait, NULL, reason);
  g_error_free (reason);
}

/* Gives @message its number, and sends it. */
static LinkSend
send_message (HubCore *core, json_t *message)
{
  json_object_set_new (message, "id", json_integer (++core->calls.next_id));
  if (*core->calls.epoch)
    json_object_set_new (message, "epoch", json_string (core->calls.epoch));
  return hub_link_send (core, message);
}

/* Returns whether the connection took @call, or @call ended because it is too
 * large. */
static gboolean
send_call (HubCore *core, Call *call)
{
  call->id = core->calls.next_id + 1;
  g_hash_table_insert (core->calls.sent, &call->id, call);
  LinkSend result = send_message (core, call->message);
  if (result == LINK_TOO_LARGE) {
    g_autoptr (GError) error =
        g_error_new (DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_LIMIT,
            "the request is larger than %d bytes, the limit of a message",
            MESSAGE_MAX);
    end_call (call, NULL, error);
  } else if (result == LINK_FULL) {
    g_hash_table_remove (core->calls.sent, &call->id);
    call->id = 0;
  }
  return result != LINK_FULL;
}

static Call *
call_new (HubCore *core, json_t *message, gint64 timeout_us,
    GCancellable *cancellable, HubCallDone done, gpointer user_data)
{
  Call *call = g_new0 (Call, 1);

  call->message = message ? message : json_object ();
  call->done = done;
  call->user_data = user_data;
  call->wait.cut = cut_call;
  call->wait.free_func = call_free;
  hub_wait_begin (&call->wait, core, timeout_us, cancellable);
  return call;
}

/* Sends @message (taken) now, or when there is a connection that takes it. Calls
 * are sent in order. @done is called once, perhaps before this returns. */
void
hub_call (HubCore *core, json_t *message, gint64 timeout_us,
    GCancellable *cancellable, HubCallDone done, gpointer user_data)
{
  Call *call =
      call_new (core, message, timeout_us, cancellable, done, user_data);

  g_queue_push_tail (&core->calls.unsent, call);
  hub_calls_send_waiting (core);
}

/* Sends @message (taken) once, without waiting for an answer: the broker
 * answers only with an error. An unused answer would wake as many threads as
 * the message. */
void
hub_send_quiet (HubCore *core, json_t *message)
{
  json_object_set_new (message, "quiet", json_true ());
  if (core->session.state == HUB_CONNECTED)
    send_message (core, message);
  json_decref (message);
}

/* "hello" is the one request before the connection counts as one. It waits for
 * no other connection. */
void
hub_call_greeting (HubCore *core, json_t *message, gint64 timeout_us,
    HubCallDone done)
{
  Call *call = call_new (core, message, timeout_us, NULL, done, core);

  if (send_call (core, call))
    return;
  g_queue_push_tail (&core->calls.unsent, call);
  g_autoptr (GError) error = g_error_new_literal (DATAHUB_HUB_ERROR,
      DATAHUB_HUB_ERROR_DISCONNECTED, "the connection to the broker was lost");
  end_call (call, NULL, error);
}

/* Sends what waits, until the connection takes no more. */
void
hub_calls_send_waiting (HubCore *core)
{
  GQueue *unsent = &core->calls.unsent;

  while (unsent->length && core->session.state == HUB_CONNECTED) {
    Call *call = g_queue_pop_head (unsent);
    if (!send_call (core, call)) {
      g_queue_push_head (unsent, call);
      return;
    }
  }
}

/* What was sent will not be answered. What is unsent waits for the next
 * connection, unless the hub is @closed. */
void
hub_calls_lost (HubCore *core, const GError *reason, gboolean closed)
{
  g_autoptr (GList) calls = g_hash_table_get_values (core->calls.sent);

  for (GList *l = calls; l; l = l->next)
    hub_wait_ref (l->data);
  for (GList *l = calls; l; l = l->next) {
    end_call (l->data, NULL, reason);
    hub_wait_unref (l->data);
  }
  while (closed && core->calls.unsent.length)
    end_call (core->calls.unsent.head->data, NULL, reason);
}

void
hub_calls_count_unmatched (HubCore *core, const char *problem)
{
  core->calls.unmatched++;
  control_log (G_LOG_LEVEL_DEBUG, "unmatched",
      "%s (%" G_GUINT64_FORMAT " so far)", problem, core->calls.unmatched);
}

/* Ends the request that @message answers. Returns whether the broker does not
 * know this connection any more, so that another must be made. */
gboolean
hub_calls_answer (HubCore *core, json_t *message, gboolean ok)
{
  gint64 id;
  Call *call = NULL;

  if (message_integer (message, "id", 0, G_MAXINT64, &id, NULL))
    call = g_hash_table_lookup (core->calls.sent, &id);
  g_autoptr (GError) error = ok ? NULL : message_to_error (message);
  gboolean forgotten = core->session.state == HUB_CONNECTED
      && g_error_matches (error, DATAHUB_HUB_ERROR,
          DATAHUB_HUB_ERROR_DISCONNECTED);
  if (call)
    end_call (call, ok ? message : NULL, error);
  else
    hub_calls_count_unmatched (core, "an answer to no open request");
  hub_calls_send_waiting (core); /* the broker reads: there may be room */
  return forgotten;
}

/* Ends the session at the broker. */
void
hub_send_bye (HubCore *core)
{
  g_autoptr (json_t) bye = json_pack ("{s:s}", "type", "bye");

  send_message (core, bye);
}

void
hub_calls_init (HubCalls *calls)
{
  calls->sent = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_queue_init (&calls->unsent);
}

void
hub_calls_clear (HubCalls *calls)
{
  g_hash_table_unref (calls->sent);
}
