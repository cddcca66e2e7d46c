/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of a notice with nothing but ZeroMQ in it: DEALER, ROUTER, DEALER over
 * ipc, each connection encrypted; the socket in the middle in the listener's
 * process, as the embedded broker may be. No main loops, no JSON, and who sends
 * owns the socket. */
#include "bench-notes.h"
#include "bench-stats.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#define KEY_TEXT 41
#define NOTE_SIZE 150 /* about that of one of ours */
#define WARM_UP 5u
#define PATIENCE_MS 10000

typedef struct
{
  sem_t listening, heard;
  _Atomic uint64_t sent_ns;
} Shared;

typedef struct
{
  Shared *shared;
  char endpoint[64];
  char server_public[KEY_TEXT], server_secret[KEY_TEXT];
  char client_public[KEY_TEXT], client_secret[KEY_TEXT];
} Setup;

/* Sends to the one who spoke first whatever the other says. */
static void *
relay (void *data)
{
  const Setup *setup = data;
  char listener[256], sender[256], bytes[NOTE_SIZE];
  int one = 1;
  void *context = zmq_ctx_new ();
  void *router = zmq_socket (context, ZMQ_ROUTER);
  zmq_setsockopt (router, ZMQ_CURVE_SERVER, &one, sizeof one);
  zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, setup->server_secret, KEY_TEXT);
  if (zmq_bind (router, setup->endpoint) != 0)
    return NULL;
  int listener_size = zmq_recv (router, listener, sizeof listener, 0);
  zmq_recv (router, bytes, sizeof bytes, 0);
  bench_event_tell (&setup->shared->listening);
  for (;;) {
    zmq_recv (router, sender, sizeof sender, 0);
    int size = zmq_recv (router, bytes, sizeof bytes, 0);
    zmq_send (router, listener, (size_t) listener_size, ZMQ_SNDMORE);
    zmq_send (router, bytes, (size_t) size, 0);
  }
}

static void *
connect_dealer (void *context, const Setup *setup)
{
  int patience = PATIENCE_MS, zero = 0;
  void *dealer = zmq_socket (context, ZMQ_DEALER);
  zmq_setsockopt (dealer, ZMQ_CURVE_SERVERKEY, setup->server_public, KEY_TEXT);
  zmq_setsockopt (dealer, ZMQ_CURVE_PUBLICKEY, setup->client_public, KEY_TEXT);
  zmq_setsockopt (dealer, ZMQ_CURVE_SECRETKEY, setup->client_secret, KEY_TEXT);
  zmq_setsockopt (dealer, ZMQ_RCVTIMEO, &patience, sizeof patience);
  zmq_setsockopt (dealer, ZMQ_LINGER, &zero, sizeof zero);
  zmq_connect (dealer, setup->endpoint);
  return dealer;
}

/* The child. */
static void
listen (Setup *setup, uint32_t n)
{
  char bytes[NOTE_SIZE], text[256];
  uint64_t *samples = calloc (n, sizeof *samples);
  pthread_t thread;
  pthread_create (&thread, NULL, relay, setup);
  void *dealer = connect_dealer (zmq_ctx_new (), setup);
  zmq_send (dealer, "", 0, 0);
  for (uint32_t i = 0; i < n + WARM_UP; i++) {
    if (zmq_recv (dealer, bytes, sizeof bytes, 0) < 0)
      return;
    if (i >= WARM_UP)
      samples[i - WARM_UP] =
          bench_now_ns () - atomic_load (&setup->shared->sent_ns);
    bench_event_tell (&setup->shared->heard);
  }
  bench_quantiles (samples, n, text, sizeof text);
  printf ("{\"bench\": \"floor-notify\", %s}\n", text);
  fflush (stdout);
}

void
bench_notes_floor (uint32_t n, uint64_t period_ns)
{
  static const char bytes[NOTE_SIZE];
  Setup setup;
  uint64_t next;
  Shared *shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  bench_event_init (&shared->listening);
  bench_event_init (&shared->heard);
  setup.shared = shared;
  snprintf (setup.endpoint, sizeof setup.endpoint, "ipc://@datahub-bench-%d",
      (int) getpid ());
  zmq_curve_keypair (setup.server_public, setup.server_secret);
  zmq_curve_keypair (setup.client_public, setup.client_secret);
  pid_t pid = fork ();
  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    listen (&setup, n);
    _exit (0);
  }
  bool well = bench_event_wait (&shared->listening);
  void *context = zmq_ctx_new ();
  void *dealer = connect_dealer (context, &setup);
  next = bench_now_ns ();
  for (uint32_t i = 0; i < n + WARM_UP && well; i++) {
    bench_until (next += period_ns);
    atomic_store (&shared->sent_ns, bench_now_ns ());
    zmq_send (dealer, bytes, sizeof bytes, 0);
    well = bench_event_wait (&shared->heard);
  }
  waitpid (pid, NULL, 0);
  zmq_close (dealer);
  zmq_ctx_term (context);
  munmap (shared, sizeof *shared);
}
