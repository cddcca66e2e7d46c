/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's lifecycle: the locks, the sockets and the one thread that owns
 * the registry. The protocol is in broker-wire.c, broker-requests.c and
 * broker-watch.c.
 * Tests: hub-election, broker-access, broker-files, cli-commands */
#include "control/wire/control-log-private.h"
#include "broker-handlers-private.h"
#include "control/wire/control-error-private.h"
#include "control/wire/endpoint-private.h"
#include <datahub/hub.h>
#include "core/os/os-limits-private.h"
#include "control/wire/keys-private.h"
#include "control/wire/resources-private.h"
#include "control/wire/runtime-dir-private.h"
#include "control/wire/zmq-source-private.h"

#include <sodium.h>
#include <unistd.h>

/* What a broker takes besides its ports: its context, and its thread. */
#define OWN_DESCRIPTORS 2
#define OWN_THREADS 1
/* Descriptors that stay free: for libzmq, which has a few connections more than the
 * gate, and for the files of blocks; in a program that has other work, many more. */
#define RESERVE 20
#define EMBEDDED_RESERVE 64
/* A broker with a process of its own that can serve fewer clients than eight does not
 * start: with a higher limit, that of another process can. */
#define ROOM 24

enum
{
  SIGNAL_ENDED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_TYPE (DatahubBroker, datahub_broker, G_TYPE_OBJECT)

/* In a program that has other work. */
static gboolean
is_guest (const DatahubBroker *broker)
{
  return broker->embedded && !broker->helper;
}

static guint
get_reserve (const DatahubBroker *broker)
{
  return is_guest (broker) ? EMBEDDED_RESERVE : RESERVE;
}

/* Looks once: a directory can change at any time. */
static void
choose_ports (DatahubBroker *broker)
{
  g_array_set_size (broker->numbers, 0);
  for (guint i = 0; i < broker->endpoints->len; i++) {
    PortNumber number =
        port_of_endpoint (g_ptr_array_index (broker->endpoints, i));
    g_array_append_val (broker->numbers, number);
  }
}

static gboolean
needs_port (const DatahubBroker *broker, PortNumber number)
{
  for (guint i = 0; i < broker->numbers->len; i++)
    if (g_array_index (broker->numbers, PortNumber, i) == number)
      return TRUE;
  return FALSE;
}

static gboolean
open_ports (DatahubBroker *broker, const Keypair *pair, GError **error)
{
  for (guint i = 0; i < N_PORTS; i++)
    if (needs_port (broker, i)
        && !port_open (&broker->ports[i], pair, get_reserve (broker), error))
      return FALSE;
  return TRUE;
}

static gboolean
bind_all (DatahubBroker *broker, GError **error)
{
  for (guint i = 0; i < broker->endpoints->len; i++) {
    const char *endpoint = g_ptr_array_index (broker->endpoints, i);
    char *bound;
    PortNumber number = g_array_index (broker->numbers, PortNumber, i);
    if (!port_bind (&broker->ports[number], endpoint, &bound, error))
      return FALSE;
    g_ptr_array_add (broker->bound, bound);
    if (endpoint_ipc_path (bound))
      broker_files_add_socket (broker->files, endpoint_ipc_path (bound));
  }
  broker->told_lost = FALSE;
  return TRUE;
}

/* Called in the gate's thread. */
static void
starved (gpointer user_data)
{
  DatahubBroker *broker = user_data;

  if (!broker->embedded) {
    control_log (G_LOG_LEVEL_MESSAGE, BROKER_STARVED,
        "the broker has fewer than %u free descriptors: clients wait until others "
        "leave; start it with a higher limit (ulimit -n)",
        get_reserve (broker));
    return;
  }
  GSource *source = g_idle_source_new ();
  control_log (G_LOG_LEVEL_MESSAGE, BROKER_STARVED,
      "this process has fewer than %u free descriptors: its broker ends, so that "
      "another process can host one",
      get_reserve (broker));
  g_source_set_callback (source, broker_make_way, broker, NULL);
  g_source_attach (source, broker->context);
  g_source_unref (source);
}

/* Returns the lock, or -1. */
static int
take_lock (DatahubBroker *broker, const char *endpoint, GError **error)
{
  int given = broker->given_lock;

  if (given < 0)
    return endpoint_lock (endpoint, error);
  broker->given_lock = -1;
  if (endpoint_take_over_lock (endpoint, given, error))
    return given;
  close (given);
  return -1;
}

/* Tested first, because most processes that try are not the first. */
static gboolean
take_locks (DatahubBroker *broker, GError **error)
{
  for (guint i = 0; i < broker->endpoints->len; i++) {
    const char *endpoint = g_ptr_array_index (broker->endpoints, i);
    const char *path = endpoint_ipc_path (endpoint);
    if (!path)
      continue;
    int lock = take_lock (broker, endpoint, error);
    if (lock < 0)
      return FALSE;
    g_array_append_val (broker->locks, lock);
    broker_files_add_lock (broker->files, path, lock);
  }
  return TRUE;
}

/* The locks come before this, because most processes that try are not the first.
 * libzmq and GLib end the process if they get no descriptor or no thread. */
static gboolean
open_context (DatahubBroker *broker, GError **error)
{
  guint n_ports = needs_port (broker, PORT_STRANGERS) ? 2 : 1;
  guint own =
      OWN_DESCRIPTORS + n_ports * PORT_DESCRIPTORS + broker->endpoints->len;
  guint reserve = get_reserve (broker) + (is_guest (broker) ? 0 : ROOM);

  if (!wire_try_resources ("the broker", own,
          OWN_THREADS + n_ports * PORT_THREADS, error))
    return FALSE;
  if (!os_has_descriptors (own + reserve))
    return message_refuse (error, DATAHUB_HUB_ERROR_LIMIT,
        "the broker cannot start: it takes %u descriptors and keeps %u free, "
        "and there are fewer: %s",
        own, reserve, os_reason (EMFILE));
  if (!broker->context) {
    broker->context = g_main_context_new ();
    broker->loop = g_main_loop_new (broker->context, FALSE);
  }
  return TRUE;
}

static void
close_context (DatahubBroker *broker)
{
  g_clear_pointer (&broker->loop, g_main_loop_unref);
  g_clear_pointer (&broker->context, g_main_context_unref);
}

static gboolean
open_sockets (DatahubBroker *broker, GError **error)
{
  g_auto (Keypair) pair = { 0 }, client = { 0 };

  if (!keypair_load_broker (&pair, TRUE, error)
      || !keypair_derive_own_client (&pair, &client, error))
    return FALSE;
  broker_files_set_key (broker->files, &pair);
  Rights *listed = broker->rights;
  broker->rights = rights_new (client.public_key);
  if (listed)
    rights_take (broker->rights, listed);
  rights_free (listed);
  return open_ports (broker, &pair, error) && bind_all (broker, error);
}

/* Only a process that is too full for its own user's clients makes way, or logs that
 * they wait. */
static gboolean
start_gates (DatahubBroker *broker, GError **error)
{
  BrokerPort *strangers = &broker->ports[PORT_STRANGERS];

  if (!broker->ports[PORT_OWN].gate)
    return message_refuse (error, DATAHUB_HUB_ERROR_SETTINGS,
        "the runtime directory was removed, or others can enter it now");
  return gate_start (broker->ports[PORT_OWN].gate, starved, broker, error)
      && (!strangers->gate || gate_start (strangers->gate, NULL, NULL, error));
}

/* The sockets' files go while the locks are held, the locks last. */
static void
close_sockets (DatahubBroker *broker)
{
  ports_close (broker->ports);
  for (guint i = 0; i < broker->bound->len; i++) {
    const char *path = endpoint_ipc_path (g_ptr_array_index (broker->bound, i));
    if (path && broker_files_own (broker->files, path))
      unlink (path);
  }
  broker_files_clear (broker->files);
  for (guint i = 0; i < broker->locks->len; i++)
    close (g_array_index (broker->locks, int, i));
  g_array_set_size (broker->locks, 0);
}

static void
attach_sources (DatahubBroker *broker)
{
  for (guint i = 0; i < N_PORTS; i++)
    port_attach (&broker->ports[i], broker->context);
  broker_begin_ticks (broker);
  broker->start_us = broker->ticked_us = g_get_monotonic_time ();
  broker_helper_begin (broker);
}

static void
detach_sources (DatahubBroker *broker)
{
  for (guint i = 0; i < N_PORTS; i++)
    port_detach (&broker->ports[i]);
  wire_source_clear (&broker->tick_source);
  wire_source_clear (&broker->watch_source);
}

static void
set_running (DatahubBroker *broker, gboolean running)
{
  g_mutex_lock (&broker->lock);
  broker->running = running;
  g_mutex_unlock (&broker->lock);
}

static gpointer
run (gpointer data)
{
  DatahubBroker *broker = data;

  g_main_context_push_thread_default (broker->context);
  accounts_init (&broker->connections);
  accounts_init (&broker->keys);
  broker->looker = looker_new (broker->context, broker_looked, broker);
  attach_sources (broker);
  g_main_loop_run (broker->loop);
  detach_sources (broker);
  registry_clear (&broker->registry);
  close_sockets (broker);
  accounts_clear (&broker->connections);
  accounts_clear (&broker->keys);
  g_clear_pointer (&broker->looker, looker_free);
  g_main_context_pop_thread_default (broker->context);
  set_running (broker, FALSE);
  g_signal_emit (broker, signals[SIGNAL_ENDED], 0);
  return NULL;
}

/* A broker that lives in some program and makes way for a standalone one. */
void
broker_set_embedded (DatahubBroker *broker)
{
  broker->embedded = TRUE;
}

/* An embedded broker with a process of its own; @lock is the locked file of the runtime
 * directory, owned from here. */
void
broker_set_helper (DatahubBroker *broker, int lock)
{
  broker->embedded = broker->helper = TRUE;
  broker->given_lock = lock;
}

/* Waits until the broker has ended by itself. */
void
broker_wait (DatahubBroker *broker)
{
  g_clear_pointer (&broker->thread, g_thread_join);
}

DatahubBroker *
datahub_broker_new (void)
{
  return g_object_new (DATAHUB_TYPE_BROKER, NULL);
}

gboolean
datahub_broker_add_endpoint (DatahubBroker *broker, const char *endpoint,
    GError **error)
{
  g_return_val_if_fail (DATAHUB_IS_BROKER (broker) && endpoint, FALSE);
  if (!endpoint_check (endpoint, error))
    return FALSE;
  g_ptr_array_add (broker->endpoints, g_strdup (endpoint));
  return TRUE;
}

typedef struct
{
  /* Not owned: its end joins the thread and closes the context of the source. A
   * reference that the thread drops last would make it join itself. */
  DatahubBroker *broker;
  Rights *rights;
  gboolean taken;
} NewRights;

/* Takes them here, so that a thread that ends before its turn loses none. */
static void
new_rights_free (gpointer data)
{
  NewRights *new_rights = data;

  if (!new_rights->taken)
    rights_take (new_rights->broker->rights, new_rights->rights);
  rights_free (new_rights->rights);
  g_free (new_rights);
}

static gboolean
take_rights (gpointer data)
{
  NewRights *new_rights = data;

  rights_take (new_rights->broker->rights, new_rights->rights);
  new_rights->taken = TRUE;
  broker_rights_changed (new_rights->broker);
  return G_SOURCE_REMOVE;
}

/**
 * datahub_broker_load_config:
 * @broker: a broker, started or not
 * @file: the allow-list, JSON; see docs/protocol.md
 * @error: return location for a #GError
 *
 * Reads the allow-list. A file with an error changes nothing. Any thread; reads
 * a file, but does not wait for the broker.
 *
 * Returns: whether the broker now uses the list in @file (a started broker does
 * so before the next message)
 */
gboolean
datahub_broker_load_config (DatahubBroker *broker, const char *file,
    GError **error)
{
  g_return_val_if_fail (DATAHUB_IS_BROKER (broker) && file, FALSE);
  g_autoptr (Rights) rights = rights_new ("");

  if (!rights_load (rights, file, error))
    return FALSE;
  g_mutex_lock (&broker->lock);
  if (!broker->running) {
    rights_free (broker->rights);
    broker->rights = g_steal_pointer (&rights);
  } else {
    NewRights *new_rights = g_new0 (NewRights, 1);
    GSource *source = g_idle_source_new ();
    new_rights->broker = broker;
    new_rights->rights = g_steal_pointer (&rights);
    g_source_set_priority (source, G_PRIORITY_HIGH);
    g_source_set_callback (source, take_rights, new_rights, new_rights_free);
    g_source_attach (source, broker->context);
    g_source_unref (source);
  }
  g_mutex_unlock (&broker->lock);
  return TRUE;
}

/**
 * datahub_broker_start:
 * @broker: a broker that is not started
 * @error: return location for a #GError
 *
 * A broker ends by itself if another program removes its files, so that the next start,
 * of this or of another one, can be found. After datahub_broker_stop() it can be started
 * again.
 *
 * Binds the endpoint of the runtime directory and the added ones, and serves
 * them in a thread of its own. Does not wait: if another broker serves, it
 * fails with %DATAHUB_HUB_ERROR_BUSY, and the message names that process.
 * Creates the broker's keys on first use.
 *
 * Returns: whether the broker serves
 */
gboolean
datahub_broker_start (DatahubBroker *broker, GError **error)
{
  g_return_val_if_fail (DATAHUB_IS_BROKER (broker) && !broker->thread, FALSE);
  /* a helper's was there; without it the helper has no clients */
  g_autofree char *own = endpoint_runtime (!broker->helper, error);

  if (!own)
    return FALSE;
  if (!g_ptr_array_find_with_equal_func (broker->endpoints, own, g_str_equal,
          NULL))
    g_ptr_array_insert (broker->endpoints, 0, g_strdup (own));
  choose_ports (broker);
  g_ptr_array_set_size (broker->bound, 0);
  if (!take_locks (broker, error) || !open_context (broker, error)
      || !open_sockets (broker, error)) {
    close_sockets (broker);
    return FALSE;
  }
  registry_init (&broker->registry);
  broker->closing = FALSE;
  broker->running = TRUE;
  if (start_gates (broker, error))
    broker->thread = wire_start_thread ("datahub-broker", run, broker, error);
  if (broker->thread)
    return TRUE;
  broker->running = FALSE;
  registry_clear (&broker->registry);
  close_sockets (broker);
  return FALSE;
}

/**
 * datahub_broker_stop:
 * @broker: a broker
 *
 * Ends the service; clients notice at once. Waits for the broker's thread, which
 * takes a fraction of a second. Does nothing where it is stopped already.
 */
void
datahub_broker_stop (DatahubBroker *broker)
{
  g_return_if_fail (DATAHUB_IS_BROKER (broker));
  if (!broker->thread)
    return;
  broker_quit_after (broker, 0);
  g_clear_pointer (&broker->thread, g_thread_join);
  /* a thread that had ended by itself has left that request to quit */
  close_context (broker);
}

gboolean
datahub_broker_is_running (DatahubBroker *broker)
{
  g_mutex_lock (&broker->lock);
  gboolean running = broker->running;
  g_mutex_unlock (&broker->lock);
  return running;
}

char **
datahub_broker_get_endpoints (DatahubBroker *broker)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint i = 0; i < broker->bound->len; i++)
    g_strv_builder_add (builder, g_ptr_array_index (broker->bound, i));
  return g_strv_builder_end (builder);
}

static void
datahub_broker_finalize (GObject *object)
{
  DatahubBroker *broker = DATAHUB_BROKER (object);

  datahub_broker_stop (broker);
  rights_free (broker->rights);
  denials_clear (&broker->denials);
  denials_clear (&broker->strangers);
  denials_clear (&broker->unbound);
  g_ptr_array_unref (broker->endpoints);
  g_array_unref (broker->numbers);
  g_ptr_array_unref (broker->bound);
  g_array_unref (broker->locks);
  broker_files_free (broker->files);
  close_context (broker);
  g_mutex_clear (&broker->lock);
  G_OBJECT_CLASS (datahub_broker_parent_class)->finalize (object);
}

static void
datahub_broker_class_init (DatahubBrokerClass *klass)
{
  if (sodium_init () < 0)
    g_error ("libsodium found no source of random numbers");
  G_OBJECT_CLASS (klass)->finalize = datahub_broker_finalize;
  /**
   * DatahubBroker::ended:
   * @broker: the broker
   *
   * It does not serve any more, by itself or by datahub_broker_stop(). Emitted in the
   * broker's thread, which ends then: a handler must not call the broker, and must not
   * hold the last reference.
   */
  signals[SIGNAL_ENDED] = g_signal_new ("ended", DATAHUB_TYPE_BROKER,
      G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
datahub_broker_init (DatahubBroker *broker)
{
  broker->check = broker_check_once;
  for (guint i = 0; i < N_PORTS; i++) {
    broker->ports[i].broker = broker;
    broker->ports[i].number = i;
  }
  broker->given_lock = -1;
  denials_init (&broker->denials);
  denials_init (&broker->strangers);
  denials_init (&broker->unbound);
  g_mutex_init (&broker->lock);
  broker->endpoints = g_ptr_array_new_with_free_func (g_free);
  broker->numbers = g_array_new (FALSE, FALSE, sizeof (PortNumber));
  broker->bound = g_ptr_array_new_with_free_func (g_free);
  broker->locks = g_array_new (FALSE, FALSE, sizeof (int));
  broker->files = broker_files_new ();
}
