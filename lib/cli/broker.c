/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub broker`: runs the broker as a daemon. */
#include "cli.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/resource.h>

#define ASK_NS (2000 * G_GINT64_CONSTANT (1000000))
#define TAKE_OVER_MS 20 /* between tries after an embedded broker stopped */
#define TAKE_OVER_TRIES 200
#define WAIT_MS 200 /* between tries with --wait */
/* Between tries to serve again; the pause doubles. */
#define AGAIN_MS 100
#define AGAIN_MAX_MS 5000
/* What the main loop takes, and GLib's thread for signals. */
#define LOOP_DESCRIPTORS 2
#define LOOP_THREADS 1

typedef struct
{
  GMainLoop *loop;
  DatahubBroker *broker;
  char **endpoints, *config;
  gboolean wait, serving, served;
  guint tries_left, pause_ms;
  char *reason; /* why it does not serve again; owned */
  int code;
} Daemon;

static void say (const char *event, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

static void
say (const char *event, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_log_structured ("datahub", G_LOG_LEVEL_MESSAGE, "DATAHUB_EVENT", event,
      "MESSAGE", "%s", text);
}

static gboolean
stop (gpointer user_data)
{
  Daemon *d = user_data;

  say ("stopping", "received a signal to stop");
  g_main_loop_quit (d->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
reload (gpointer user_data)
{
  Daemon *d = user_data;
  g_autoptr (GError) error = NULL;

  if (!d->config)
    say ("reload",
        "nothing to reload: the broker was started without --config");
  else if (datahub_broker_load_config (d->broker, d->config, &error))
    say ("reload", "reloaded %s", d->config);
  else
    say ("reload-failed", "the previous allow-list stays in use: %s",
        error->message);
  return G_SOURCE_CONTINUE;
}

static int
fail (Daemon *d, const GError *error)
{
  d->code = cli_fail (CLI_FAILED, "%s", error->message);
  g_main_loop_quit (d->loop);
  return d->code;
}

/* Asks an embedded broker to stop. A standalone broker refuses. */
static gboolean
ask_to_yield (GError **error)
{
  g_autoptr (DatahubHub) hub = datahub_hub_new (DATAHUB_HUB_MONITOR);

  if (!datahub_hub_connect_to (hub, "auto", NULL, NULL, error)
      || !datahub_hub_wait_connected (hub, ASK_NS, NULL, error))
    return FALSE;
  g_autofree char *answer =
      datahub_hub_request (hub, "yield", NULL, ASK_NS, NULL, error);
  return answer != NULL;
}

static gboolean try_start (gpointer user_data);

/* A broker that served before goes on trying: another program removed its files, and
 * may remove them once more, or what it lacks can be there soon. */
static void
fail_start (Daemon *d, const GError *error)
{
  if (!d->served) {
    fail (d, error);
    return;
  }
  if (g_strcmp0 (d->reason, error->message) != 0)
    say ("start-failed",
        "the broker cannot serve again, and goes on trying: %s",
        error->message);
  g_free (d->reason);
  d->reason = g_strdup (error->message);
  d->pause_ms = CLAMP (2 * d->pause_ms, AGAIN_MS, AGAIN_MAX_MS);
  g_timeout_add (d->pause_ms, try_start, d);
}

/* Called if another broker serves the endpoint. An embedded broker is asked to
 * stop. If it is a standalone one, this broker waits (--wait) or fails. */
static void
start_later (Daemon *d, const GError *busy)
{
  g_autoptr (GError) error = NULL;

  if (d->tries_left > 0) {
    d->tries_left--;
    g_timeout_add (TAKE_OVER_MS, try_start, d);
  } else if (ask_to_yield (&error)) {
    say ("take-over", "an embedded broker stopped to let this one serve");
    d->tries_left = TAKE_OVER_TRIES;
    g_timeout_add (0, try_start, d);
  } else if (d->wait) {
    say ("waiting", "%s", error ? error->message : busy->message);
    g_timeout_add (WAIT_MS, try_start, d);
  } else {
    fail_start (d, error ? error : busy);
  }
}

static void
announce (Daemon *d)
{
  g_auto (GStrv) endpoints = datahub_broker_get_endpoints (d->broker);
  g_autofree char *text = g_strjoinv (" ", endpoints);

  say ("serving", "%s", text);
  d->serving = d->served = TRUE;
  d->pause_ms = 0;
  g_clear_pointer (&d->reason, g_free);
}

static gboolean
try_start (gpointer user_data)
{
  Daemon *d = user_data;
  g_autoptr (GError) error = NULL;

  if (datahub_broker_start (d->broker, &error))
    announce (d);
  else if (g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_BUSY))
    start_later (d, error);
  else
    fail_start (d, error);
  return G_SOURCE_REMOVE;
}

static gboolean
revive (gpointer user_data)
{
  Daemon *d = user_data;

  if (!d->serving || datahub_broker_is_running (d->broker))
    return G_SOURCE_REMOVE;
  d->serving = FALSE;
  datahub_broker_stop (d->broker);
  try_start (d);
  return G_SOURCE_REMOVE;
}

/* A broker ends if another program removed its files. The broker's thread. */
static void
on_ended (DatahubBroker *broker, gpointer user_data)
{
  g_idle_add (revive, user_data);
}

static gboolean
configure (Daemon *d, GError **error)
{
  for (char **e = d->endpoints; e && *e; e++)
    if (!datahub_broker_add_endpoint (d->broker, *e, error))
      return FALSE;
  return !d->config || datahub_broker_load_config (d->broker, d->config, error);
}

static void
serve (Daemon *d)
{
  guint sources[] = {
    g_unix_signal_add (SIGTERM, stop, d),
    g_unix_signal_add (SIGINT, stop, d),
    g_unix_signal_add (SIGHUP, reload, d),
    g_timeout_add (0, try_start, d),
  };

  g_signal_connect (d->broker, "ended", G_CALLBACK (on_ended), d);
  g_main_loop_run (d->loop);
  for (guint i = 0; i < 3; i++)
    g_source_remove (sources[i]);
  datahub_broker_stop (d->broker);
  if (d->code == CLI_OK)
    say ("stopped", "the broker has stopped");
}

/* Each connection takes descriptors, and nothing here uses select(). */
static void
raise_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

int
cli_broker (int argc, char **argv)
{
  Daemon d = { 0 };
  g_autoptr (GError) error = NULL;
  DatahubError refusal = { 0 };
  const GOptionEntry entries[] = {
    { "endpoint", 'e', 0, G_OPTION_ARG_STRING_ARRAY, &d.endpoints,
        "Also serve this endpoint: ipc:///path or tcp://host:port; may be "
        "repeated",
        "ENDPOINT" },
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &d.config,
        "File with the allow-list; reloaded on SIGHUP", "FILE" },
    { "wait", 'w', 0, G_OPTION_ARG_NONE, &d.wait,
        "If another broker serves, wait until it stops, then take over", NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!cli_parse (&argc, &argv, NULL,
          "Runs the broker until SIGTERM or SIGINT, on the endpoint in the "
          "runtime\ndirectory and on those of --endpoint. Without --config "
          "only programs of\nthis user can connect.",
          "datahub broker --endpoint 'tcp://*:5570' --config clients.json",
          entries, NULL))
    return CLI_USAGE;
  if (argc != 1)
    return cli_fail (CLI_USAGE, "this command takes no arguments");
  cli_log_to_stderr ();
  raise_limit ();
  if (datahub_resources_try (LOOP_DESCRIPTORS, LOOP_THREADS, &refusal)
      != DATAHUB_OK)
    return cli_fail (CLI_FAILED, "%s", refusal.message);
  d.broker = datahub_broker_new ();
  d.loop = g_main_loop_new (NULL, FALSE);
  if (configure (&d, &error))
    serve (&d);
  else
    d.code = cli_fail (CLI_FAILED, "%s", error->message);
  g_object_unref (d.broker);
  g_main_loop_unref (d.loop);
  g_strfreev (d.endpoints);
  g_free (d.config);
  g_free (d.reason);
  return d.code;
}
