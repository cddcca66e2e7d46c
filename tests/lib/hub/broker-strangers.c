/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Floods of strangers, with keys and without: the own user gets in, and its clients are
 * answered. */
#include "fixture.h"

#include "common/speed.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define INSTANCE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define INSTANCE_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define INSTANCE_C "cccccccccccccccccccccccccccccccc"
#define WORST_US (250 * G_TIME_SPAN_MILLISECOND)
#define CONNECT_US (2 * G_USEC_PER_SEC)
#define ATTEMPTS 3
#define PINGS 100
#define HELD 300
/* Of the broker. Three for each of those that are held would be more. */
#define DESCRIPTORS 512
#define AT_ONCE 100
#define KEYS 20

typedef struct
{
  const char *tcp;
  int made, stop; /* atomic */
} Flood;

typedef struct
{
  DatahubBroker *broker;
  char *tcp; /* owned */
  Raw *innocent;
  DatahubHub *hub;
  int lost; /* atomic */
} Scene;

static void
begin (Scene *s)
{
  s->broker = fixture_broker_at (NULL, "tcp://127.0.0.1:*", &s->tcp);
  s->innocent = raw_own ();
  raw_hello (s->innocent, INSTANCE);
  s->hub = fixture_hub (DATAHUB_HUB_THREAD_SIGNALS);
  g_signal_connect_swapped (s->hub, "broker-lost",
      G_CALLBACK (g_atomic_int_inc), &s->lost);
}

static void
end (Scene *s)
{
  g_object_unref (s->hub);
  raw_free (s->innocent);
  g_object_unref (s->broker);
  g_free (s->tcp);
}

/* How long the longest answer takes, until the flood has made @n more connections. */
static gint64
ask_during (Scene *s, Flood *f, int n)
{
  gint64 worst_us = 0, start_us = fixture_wait_begin ();
  int before = g_atomic_int_get (&f->made);

  for (int i = 0; i < PINGS || g_atomic_int_get (&f->made) < before + n; i++) {
    gint64 asked_us = g_get_monotonic_time ();
    raw_expect_ok (s->innocent, "ping", NULL);
    worst_us = MAX (worst_us, g_get_monotonic_time () - asked_us);
    fixture_wait_step (start_us, "the flood connects");
  }
  return worst_us;
}

static gint64
connect_during (void)
{
  gint64 worst_us = 0;

  for (int i = 0; i < 3; i++) {
    gint64 start_us = g_get_monotonic_time ();
    g_autoptr (DatahubHub) hub G_GNUC_UNUSED =
        fixture_hub (DATAHUB_HUB_MONITOR);
    worst_us = MAX (worst_us, g_get_monotonic_time () - start_us);
  }
  return worst_us;
}

/* A pause of this machine is not the broker's: a fault shows each time. */
static void
expect_service (GThreadFunc flood, int n)
{
  Scene s = { 0 };
  gboolean served = FALSE;

  begin (&s);
  Flood f = { .tcp = s.tcp };
  GThread *thread = g_thread_new ("flood", flood, &f);
  for (int i = 0; i < ATTEMPTS && !served; i++) {
    int lost = g_atomic_int_get (&s.lost);
    gint64 worst_us = ask_during (&s, &f, n), connect_us = connect_during ();
    g_test_message ("worst answer %" G_GINT64_FORMAT
                    " us, worst way in %" G_GINT64_FORMAT " us",
        worst_us, connect_us);
    served = !speed_is_over ((uint64_t) worst_us, WORST_US)
        && !speed_is_over ((uint64_t) connect_us, CONNECT_US)
        && g_atomic_int_get (&s.lost) == lost;
  }
  g_atomic_int_set (&f.stop, TRUE);
  g_thread_join (thread);
  g_assert_true (served);
  end (&s);
}

static const char head[10] = "\xff\0\0\0\0\0\0\0\1\x7f";

/* Returns a connection with the begin of a greeting; -1: there is no room now. */
static int
knock (const char *tcp)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  address.sin_port =
      htons ((guint16) g_ascii_strtoull (strrchr (tcp, ':') + 1, NULL, 10));
  if (fd >= 0 && connect (fd, (struct sockaddr *) &address, sizeof address) != 0
      && errno != EINPROGRESS) {
    close (fd);
    return -1;
  }
  if (fd >= 0 && send (fd, head, sizeof head, MSG_NOSIGNAL) < 0)
    errno = 0; /* not connected yet: it stays silent */
  return fd;
}

static gboolean
is_over (void)
{
  struct pollfd input = { STDIN_FILENO, POLLIN, 0 };

  return poll (&input, 1, 0) > 0;
}

static gboolean
is_closed (int fd)
{
  char bytes[64];
  gssize size = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT);

  return size == 0 || (size < 0 && errno != EAGAIN);
}

/* A child, so that its descriptors are not those of the broker. Holds many connections,
 * and makes a new one for each that it, or only the broker (@patient), closes. */
static int
hold (const char *tcp, gboolean patient)
{
  struct rlimit limit;
  guint made = 0;
  int held[HELD];

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  for (int i = 0; i < HELD; i++)
    held[i] = -1;
  for (guint i = 0; !is_over (); i = (i + 1) % HELD) {
    if (patient && held[i] >= 0 && !is_closed (held[i]))
      continue;
    if (held[i] >= 0)
      close (held[i]);
    held[i] = knock (tcp);
    if (made++ % AT_ONCE == 0)
      fixture_say ("%d more", AT_ONCE);
  }
  return 0;
}

static int
hold_for_a_moment (const char *tcp)
{
  return hold (tcp, FALSE);
}

static int
hold_patiently (const char *tcp)
{
  return hold (tcp, TRUE);
}

static gpointer
flood_as (const char *role, Flood *f)
{
  Child *child = fixture_spawn (role, f->tcp);

  while (!g_atomic_int_get (&f->stop)) {
    g_autofree char *line = fixture_read_line (child);
    g_assert_nonnull (line);
    g_atomic_int_add (&f->made, AT_ONCE);
  }
  g_assert_cmpint (fixture_reap (child), ==, 0);
  return NULL;
}

static gpointer
flood_without_keys (gpointer data)
{
  return flood_as ("hold-for-a-moment", data);
}

static gpointer
hold_without_keys (gpointer data)
{
  return flood_as ("hold-patiently", data);
}

/* Keys that are not on the list, again and again. */
static gpointer
flood_with_keys (gpointer data)
{
  Flood *f = data;
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];
  Raw *raw[KEYS] = { NULL };

  raw_key_pair (public_key, secret_key);
  Raw *first = raw_with_key_at (f->tcp, public_key, secret_key);
  for (int i = 0; !g_atomic_int_get (&f->stop); i = (i + 1) % KEYS) {
    if (raw[i])
      raw_free (raw[i]);
    raw[i] = raw_beside (first, f->tcp);
    raw_handshake_event (raw[i], 20);
    g_atomic_int_inc (&f->made);
  }
  for (int i = 0; i < KEYS; i++)
    if (raw[i])
      raw_free (raw[i]);
  raw_free (first);
  return NULL;
}

static void
limit_descriptors (void)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = MIN (limit.rlim_max, DESCRIPTORS);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static void
test_without_keys (void)
{
  limit_descriptors ();
  expect_service (flood_without_keys, 1000);
}

/* Without the limits, the descriptors of the broker were all theirs for 3 s. */
static void
test_held (void)
{
  limit_descriptors ();
  expect_service (hold_without_keys, HELD + AT_ONCE);
}

static void
test_with_keys (void)
{
  expect_service (flood_with_keys, 40);
}

/* A message without an end, and a connection that breaks in the middle of one. */
static void
test_half_messages (void)
{
  Scene s = { 0 };

  begin (&s);
  Raw *bad = raw_own (), *worse = raw_own ();
  raw_hello (bad, INSTANCE_B);
  raw_hello (worse, INSTANCE_C);
  for (int i = 0; i < 500; i++) {
    g_assert_cmpint (zmq_send (bad->socket, "x", 1, ZMQ_SNDMORE), ==, 1);
    g_assert_cmpint (zmq_send (worse->socket, "x", 1, ZMQ_SNDMORE), ==, 1);
  }
  raw_free (worse);
  raw_expect_ok (s.innocent, "ping", NULL);
  fixture_round_trip (s.hub);
  raw_free (bad);
  raw_expect_ok (s.innocent, "ping", NULL);
  fixture_round_trip (s.hub);
  end (&s);
}

static void
add_tests (void)
{
  fixture_add ("/broker/strangers/without-keys", test_without_keys);
  fixture_add ("/broker/strangers/held", test_held);
  fixture_add ("/broker/strangers/with-keys", test_with_keys);
  fixture_add ("/broker/strangers/half-messages", test_half_messages);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("hold-for-a-moment", hold_for_a_moment);
  fixture_add_role ("hold-patiently", hold_patiently);
  return fixture_main (&argc, &argv, add_tests);
}
