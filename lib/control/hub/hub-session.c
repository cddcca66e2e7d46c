/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The session with the broker: connect, greet, send heartbeats, detect the
 * loss, connect again.
 * Tests: hub-loss, hub-rest, hub-silence, hub-election, hub-hostile-broker */
#include "control/wire/control-log-private.h"
#include "hub-connect-private.h"
#include "hub-core-private.h"
#include "hub-find-private.h"
#include "hub-helper-log-private.h"
#include "hub-session-private.h"
#include "control/wire/endpoint-private.h"
#include "control/broker/evidence-private.h"
#include "control/wire/process-private.h"
#include "control/wire/runtime-dir-private.h"

#include <string.h>
#include <unistd.h>

#define ATTEMPT_MS 1000 /* until "hello" is answered */
#define RETRY_MIN_MS 15
#define RETRY_MAX_MS 400
/* Attempts before the delay grows, while a helper process that this hub started comes
 * up. */
#define HELPER_RETRIES 10
/* After this time in vain a broker that was named is reported as missing. Within it
 * one that is just starting has started. */
#define UNREPORTED_US (3 * G_USEC_PER_SEC / 2)
/* A broker that lets clients in and loses them at once, again and again, gets a pause: after
 * BRIEF_FREE connections that lasted less than BRIEF_US. The brokers of processes that are
 * killed one after the other are followed without a long one. */
#define BRIEF_US (100 * G_TIME_SPAN_MILLISECOND)
#define BRIEF_FREE 5
#define BRIEF_RETRY_MAX_MS 100
#define BYE_LINGER_MS 100
/* Between looks at the process of the broker. One that was stopped for a moment is not
 * reported: it is looked at again. With both a stopped broker is noticed as late as by a
 * heartbeat of 400 ms that is not answered three times. */
#define LOOK_MS 1200
#define LOOK_AGAIN_MS 400
/* Handshakes that break without a word before the key is blamed: a broker that
 * is just going away breaks one too. */
#define BAD_HANDSHAKES 3

static const char *const state_names[] = {
  [HUB_IDLE] = "idle",
  [HUB_WAITING] = "waiting",
  [HUB_CONNECTING] = "connecting",
  [HUB_GREETING] = "greeting",
  [HUB_CONNECTED] = "connected",
  [HUB_CLOSED] = "closed",
};

static void
set_state (HubCore *core, HubState state)
{
  if (core->session.state == state)
    return;
  control_log (G_LOG_LEVEL_DEBUG, "hub-state", "hub: %s -> %s",
      state_names[core->session.state], state_names[state]);
  core->session.state = state;
  g_atomic_int_set (&core->connected, state == HUB_CONNECTED);
}

/* Another broker than the user's own was named, and there are no keys for it: what is
 * wrong with the runtime directory is not the point. */
static void
ask_for_keys (HubCore *core, GError **error)
{
  g_autofree char *runtime = runtime_dir_name ();
  const char *missing = core->target.server_key_file
      ? "the secret key of this client (curve-key-file of an element, --key of "
        "the command)"
      : core->target.key_file
      ? "the public key of the broker (curve-server-key of an element, "
        "--server-key of the command)"
      : "the public key of the broker (curve-server-key of an element, "
        "--server-key of the command) and the secret key of this client "
        "(curve-key-file, --key)";

  g_clear_error (error);
  g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_KEY,
      "endpoint %s needs the file of %s; %s has no keys of a local broker",
      core->target.endpoint, missing, runtime);
}

/* The keys of a connection: from the files that were named, else from the
 * runtime directory, which only this user can read. */
static gboolean
load_keys (HubCore *core, char server_key[DATAHUB_KEY_TEXT + 1],
    Keypair *client, GError **error)
{
  g_auto (Keypair) broker = { 0 };
  gboolean create =
      core->target.automatic && !(core->flags & DATAHUB_HUB_MONITOR);

  if (!core->target.server_key_file || !core->target.key_file)
    if (!keypair_load_broker (&broker, create, error)) {
      if (!core->target.automatic)
        ask_for_keys (core, error);
      return FALSE;
    }
  if (core->target.server_key_file) {
    if (!datahub_keys_load_public (core->target.server_key_file, server_key,
            error))
      return FALSE;
  } else {
    g_strlcpy (server_key, broker.public_key, DATAHUB_KEY_TEXT + 1);
  }
  if (core->target.key_file)
    return keypair_load (client, core->target.key_file, error);
  return keypair_derive_own_client (&broker, client, error);
}

static void
set_problem (HubCore *core, const GError *error)
{
  g_mutex_lock (&core->problem_lock);
  g_clear_error (&core->problem);
  core->problem = error ? g_error_copy (error) : NULL;
  g_mutex_unlock (&core->problem_lock);
}

/* No broker answers where one was named. Reported once. */
static void
report_missing (HubCore *core, const GError *error)
{
  gint64 now = g_get_monotonic_time ();

  if (core->session.failing_us == 0)
    core->session.failing_us = now;
  if (core->target.automatic || core->session.missing
      || now - core->session.failing_us < UNREPORTED_US)
    return;
  core->session.missing = TRUE;
  control_log (G_LOG_LEVEL_MESSAGE, "no-broker",
      "%s; the connection is tried again, and meanwhile streams work by name",
      error->message);
  set_problem (core, error);
  hub_emit (core, SIGNAL_BROKER_LOST, NULL, error);
}

/* Stores why there is no connection; takes @error. An error that needs an
 * action of the user is reported at once, and only once. */
static void
set_error (HubCore *core, GError *error)
{
  gboolean lasting = error->domain == DATAHUB_HUB_ERROR
      && error->code != DATAHUB_HUB_ERROR_DISCONNECTED
      && error->code != DATAHUB_HUB_ERROR_TIMEOUT;
  gboolean same = core->session.error && core->session.reported
      && strcmp (core->session.error->message, error->message) == 0;

  g_clear_error (&core->session.error);
  core->session.error = error;
  if (!lasting) {
    report_missing (core, error);
    return;
  }
  set_problem (core, error);
  if (!same) {
    control_log (G_LOG_LEVEL_MESSAGE, "hub-error", "%s", error->message);
    hub_emit (core, SIGNAL_BROKER_LOST, NULL, error);
  }
  core->session.reported = TRUE;
  hub_connect_waits_end (core, error);
}

static void
try_again (HubCore *core, guint ms)
{
  hub_clear_source (&core->session.attempt_source);
  if (core->session.state == HUB_CLOSED)
    return;
  set_state (core, HUB_WAITING);
  core->session.attempt_source =
      hub_core_after (core, ms, hub_session_start, core);
}

/* Longer and longer, and never in step with other processes. */
static guint
retry_delay (HubCore *core)
{
  gboolean starting =
      core->host.vain_helpers > 0 && core->session.retries < HELPER_RETRIES;
  guint limit = starting       ? RETRY_MIN_MS
      : core->session.reported ? RETRY_MAX_MS * 2
                               : RETRY_MAX_MS;
  guint ms =
      MIN ((guint) RETRY_MIN_MS << MIN (core->session.retries, 6U), limit);

  core->session.retries++;
  return ms / 2 + (guint) g_random_int_range (0, (gint) ms / 2 + 1);
}

/* The time until the next attempt after a connection. */
static guint
delay_after_loss (HubCore *core)
{
  HubSession *session = &core->session;
  gint64 lasted_us = g_get_monotonic_time () - session->connected_us;

  session->brief = lasted_us < BRIEF_US ? session->brief + 1 : 0;
  if (session->brief <= BRIEF_FREE)
    return 0;
  guint ms = (guint) RETRY_MIN_MS << MIN (session->brief - BRIEF_FREE, 6U);
  ms = MIN (ms, BRIEF_RETRY_MAX_MS);
  return ms / 2 + (guint) g_random_int_range (0, (gint) ms / 2 + 1);
}

static gboolean
attempt_expired (gpointer user_data)
{
  HubCore *core = user_data;

  hub_session_down (core, LINK_REFUSED);
  return G_SOURCE_REMOVE;
}

/* A monitor creates no directory and no keys: before the first broker of the
 * user ran, there is no broker to connect to. */
static gboolean
has_started (HubCore *core, GError **error)
{
  g_autofree char *runtime = runtime_dir_name ();
  g_autofree char *key = g_build_filename (runtime, BROKER_SECRET, NULL);

  if (!core->target.automatic || !(core->flags & DATAHUB_HUB_MONITOR)
      || g_file_test (key, G_FILE_TEST_EXISTS)
      || g_file_test (runtime, G_FILE_TEST_IS_SYMLINK))
    return TRUE;
  g_autofree char *obstacle = runtime_dir_obstacle (runtime);
  g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DISCONNECTED,
      "no broker answers at %s%s%s", runtime, obstacle ? ", " : "",
      obstacle ? obstacle : "");
  return FALSE;
}

static gboolean
open_link (HubCore *core, GError **error)
{
  char server_key[DATAHUB_KEY_TEXT + 1];
  g_auto (Keypair) client = { 0 };

  if (!has_started (core, error))
    return FALSE;
  if (core->target.automatic) {
    g_clear_pointer (&core->target.endpoint, g_free);
    core->target.endpoint =
        endpoint_runtime (!(core->flags & DATAHUB_HUB_MONITOR), error);
    if (!core->target.endpoint)
      return FALSE;
  }
  if (!load_keys (core, server_key, &client, error))
    return FALSE;
  g_strlcpy (core->session.key, client.public_key, sizeof core->session.key);
  return hub_host_try (core, error)
      && hub_link_open (core, core->target.endpoint, server_key, &client,
          error);
}

/* Another program can remove the runtime directory between two steps of the first
 * attempt. The second one makes it again. */
static gboolean
open_link_twice (HubCore *core, GError **error)
{
  g_autoptr (GError) first = NULL;

  if (open_link (core, &first))
    return TRUE;
  if (core->target.automatic && !(core->flags & DATAHUB_HUB_MONITOR)
      && !g_error_matches (first, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_LIMIT))
    return open_link (core, error);
  g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}

/* One attempt to reach, or to be, the broker. */
gboolean
hub_session_start (gpointer user_data)
{
  HubCore *core = user_data;
  GError *error = NULL;

  hub_clear_source (&core->session.attempt_source);
  if (core->session.failing_us == 0)
    core->session.failing_us = g_get_monotonic_time ();
  if (!open_link_twice (core, &error)) {
    set_error (core, error);
    try_again (core, retry_delay (core));
    return G_SOURCE_REMOVE;
  }
  set_state (core, HUB_CONNECTING);
  core->session.attempt_source =
      hub_core_after (core, ATTEMPT_MS, attempt_expired, core);
  return G_SOURCE_REMOVE;
}

/* A helper process that this hub started can be reached now. */
void
hub_session_retry_now (HubCore *core)
{
  if (core->session.state == HUB_WAITING)
    try_again (core, 0);
}

static void
pinged (json_t *reply, const GError *error, gpointer user_data)
{
  HubCore *core = user_data;

  core->session.pinging = FALSE;
  if (error && core->session.state == HUB_CONNECTED
      && g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_TIMEOUT))
    hub_session_down (core, LINK_LOST);
}

static void
ping (HubCore *core, gint64 now)
{
  core->session.pinging = TRUE;
  core->session.pinged_us = now;
  hub_call (core, json_pack ("{s:s}", "type", "ping"),
      (gint64) core->session.heartbeat_ms * core->session.heartbeats_missed
          * 1000,
      NULL, pinged, core);
}

static gboolean beat (gpointer core);

static void
set_beat (HubCore *core)
{
  HubSession *session = &core->session;

  hub_clear_source (&session->heartbeat_source);
  session->heartbeat_source = session->broker_stopped
      ? hub_core_after (core, LOOK_AGAIN_MS, beat, core)
      : session->broker_pid
      ? hub_core_evenly (core, LOOK_MS, beat, core)
      : hub_core_after (core, session->heartbeat_ms, beat, core);
}

/* Returns whether the session goes on. */
static gboolean
look_at_broker (HubCore *core)
{
  HubSession *session = &core->session;
  gboolean was_stopped = session->broker_stopped;

  session->broker_stopped =
      process_look (session->broker_pid) == PROCESS_STOPPED;
  if (session->broker_stopped && was_stopped) {
    hub_session_down (core, LINK_LOST);
    return FALSE;
  }
  if (session->broker_stopped != was_stopped)
    set_beat (core);
  return TRUE;
}

/* A broker that can be examined is asked rarely: an answer costs as many switches as a
 * dozen looks. */
static gboolean
beat (gpointer user_data)
{
  HubCore *core = user_data;
  HubSession *session = &core->session;
  gint64 now = g_get_monotonic_time ();

  hub_host_check (core);
  if (session->broker_pid && !look_at_broker (core))
    return G_SOURCE_REMOVE;
  if (!session->pinging
      && (!session->broker_pid
          || now - session->pinged_us
              >= session->heartbeat_ms * G_TIME_SPAN_MILLISECOND))
    ping (core, now);
  return G_SOURCE_CONTINUE;
}

static void
connected (HubCore *core)
{
  hub_clear_source (&core->session.attempt_source);
  g_clear_error (&core->session.error);
  core->session.reported = core->session.missing = FALSE;
  core->session.failing_us = 0;
  set_problem (core, NULL);
  hub_host_reached (core);
  core->session.retries = core->session.bad_handshakes = 0;
  core->session.connected_us = g_get_monotonic_time ();
  set_state (core, HUB_CONNECTED);
  core->session.pinged_us = g_get_monotonic_time ();
  core->session.broker_stopped = FALSE;
  set_beat (core);
  hub_emit (core, SIGNAL_BROKER_FOUND, NULL, core->target.endpoint);
  hub_offers_connected (core);
  hub_catalogue_connected (core);
  hub_calls_send_waiting (core);
  hub_finds_ask (core, NULL);
  hub_connect_waits_end (core, NULL);
}

/* A broker that examines this process has the same numbers of processes; its own can be
 * examined as well. */
static void
read_process (HubCore *core, json_t *reply)
{
  g_autofree char *own = process_space ();
  const char *pids = message_string (reply, "pids", LABEL_MAX, FALSE, NULL);
  gint64 pid = 0;

  core->session.broker_pid = 0;
  if (own && g_strcmp0 (own, pids) == 0
      && message_integer (reply, "pid", 1, G_MAXINT32, &pid, NULL)
      && pid != getpid ())
    core->session.broker_pid = (int) pid;
}

static gboolean
read_greeting (HubCore *core, json_t *reply, GError **error)
{
  gint64 ms, missed;
  const char *epoch = message_token (reply, "epoch", error);

  if (!epoch || !message_integer (reply, "heartbeat-ms", 50, 10000, &ms, error)
      || !message_integer (reply, "heartbeats-missed", 1, 100, &missed, error))
    return FALSE;
  g_strlcpy (core->calls.epoch, epoch, sizeof core->calls.epoch);
  core->session.heartbeat_ms = (guint) ms;
  core->session.heartbeats_missed = (guint) missed;
  read_process (core, reply);
  return TRUE;
}

static void
greeted (json_t *reply, const GError *refusal, gpointer user_data)
{
  HubCore *core = user_data;
  g_autoptr (GError) error = NULL;

  if (core->session.state != HUB_GREETING)
    return;
  if (!refusal && read_greeting (core, reply, &error)) {
    connected (core);
    return;
  }
  hub_clear_source (&core->session.attempt_source);
  hub_link_close (core, 0);
  set_error (core, g_error_copy (refusal ? refusal : error));
  try_again (core, retry_delay (core));
}

static char *
label (const char *text)
{
  char *valid = g_utf8_make_valid (text ? text : "?", -1);

  if (strlen (valid) > LABEL_MAX)
    *g_utf8_find_prev_char (valid, valid + LABEL_MAX) = '\0';
  return valid;
}

/* The handshake is complete: sends the identity. */
void
hub_session_up (HubCore *core)
{
  if (core->session.state != HUB_CONNECTING)
    return;
  g_autofree char *program = label (g_get_prgname ());
  g_autofree char *host = evidence_host ();
  g_autofree char *pids = process_space ();
  json_t *hello = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:i}", "type", "hello",
      "key", core->session.key, "instance", core->instance, "program", program,
      "host", host, "pid", (int) getpid ());
  if (pids)
    json_object_set_new (hello, "pids", json_string (pids));
  set_state (core, HUB_GREETING);
  core->calls.next_id = 0;
  core->calls.epoch[0] = '\0';
  hub_call_greeting (core, hello, ATTEMPT_MS * G_TIME_SPAN_MILLISECOND,
      greeted);
}

static GError *
error_of_end (HubCore *core, LinkEnd end)
{
  g_autofree char *runtime = runtime_dir_name ();
  g_autofree char *broker_key = g_build_filename (runtime, BROKER_SECRET, NULL);
  const char *server_file =
      core->target.server_key_file ? core->target.server_key_file : broker_key;
  const char *own_file =
      core->target.key_file ? core->target.key_file : broker_key;

  if (end == LINK_BAD_KEY && ++core->session.bad_handshakes >= BAD_HANDSHAKES)
    return g_error_new (DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_KEY,
        "%s: the server key was not accepted, or this is not a datahub broker; "
        "the key was read from %s",
        core->target.endpoint, server_file);
  if (end == LINK_DENIED)
    return g_error_new (DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DENIED,
        "the broker at %s does not admit this client: add the public key of %s "
        "to its allow-list",
        core->target.endpoint, own_file);
  return g_error_new (DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_DISCONNECTED,
      end == LINK_LOST ? "the connection to the broker at %s was lost"
                       : "no broker answers at %s",
      core->target.endpoint);
}

/* The connection, or the attempt at one, has ended. */
void
hub_session_down (HubCore *core, LinkEnd end)
{
  gboolean was_connected = core->session.state == HUB_CONNECTED;

  if (core->session.state < HUB_CONNECTING || core->session.state == HUB_CLOSED)
    return;
  /* Set first, so that no later callback acts any more. */
  set_state (core, HUB_WAITING);
  hub_clear_source (&core->session.attempt_source);
  hub_clear_source (&core->session.heartbeat_source);
  hub_link_close (core, 0);
  core->session.pinging = FALSE;
  set_error (core, error_of_end (core, end));
  hub_calls_lost (core, core->session.error, FALSE);
  hub_offers_lost (core);
  if (was_connected && !core->session.reported)
    hub_emit (core, SIGNAL_BROKER_LOST, NULL, core->session.error);
  try_again (core,
      was_connected ? delay_after_loss (core) : retry_delay (core));
}

/* The broker makes way for another: let that one have the lock. */
void
hub_session_closing (HubCore *core, gint64 hold_ms)
{
  hub_host_leave (core, hold_ms * 1000);
  hub_session_down (core, LINK_LOST);
}

/* The end of the hub. */
void
hub_session_stop (HubCore *core)
{
  g_autoptr (GError) reason = g_error_new_literal (DATAHUB_HUB_ERROR,
      DATAHUB_HUB_ERROR_DISCONNECTED, "the hub was closed");

  if (core->session.state == HUB_CONNECTED)
    hub_send_bye (core);
  set_state (core, HUB_CLOSED);
  hub_clear_source (&core->session.attempt_source);
  hub_clear_source (&core->session.heartbeat_source);
  hub_clear_source (&core->offers.retry_source);
  hub_clear_source (&core->catalogue.settle_source);
  hub_clear_source (&core->notices.source);
  hub_calls_lost (core, reason, TRUE);
  hub_connect_waits_end (core, reason);
  hub_link_close (core, BYE_LINGER_MS);
  hub_link_end (core);
  hub_helper_log_end (core);
  hub_host_stop (core);
}

void
hub_target_clear (HubTarget *target)
{
  g_free (target->endpoint);
  g_free (target->server_key_file);
  g_free (target->key_file);
}
