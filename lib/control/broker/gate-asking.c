/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which connections ask to be let in. libzmq sees the gate alone, so only the gate knows
 * the address behind a key that the broker refuses. A client sends its key in answer to
 * the server's WELCOME, which passes after the client's HELLO. So a connection that has
 * sent HELLO is listed before the broker is asked about its key. If several ask at the
 * same time, the key is of one of them.
 * Tests: broker-gate, broker-denials */
#include "control/wire/control-log-private.h"
#include "gate-private.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

/* Bytes of ZMTP's greeting and of CURVE's HELLO. */
#define ASKS (64 + 200)
/* Addresses in one text. */
#define SHOWN_MAX 4

void
gate_asking_init (GateAsking *asking)
{
  g_mutex_init (&asking->lock);
  asking->list = g_ptr_array_new ();
}

void
gate_asking_clear (GateAsking *asking)
{
  g_ptr_array_unref (asking->list);
  g_mutex_clear (&asking->lock);
}

static void
describe_peer (int fd, char *text, gsize size)
{
  struct sockaddr_storage address;
  struct ucred peer;
  socklen_t length = sizeof address, peer_size = sizeof peer;

  if (getpeername (fd, (struct sockaddr *) &address, &length) != 0)
    g_strlcpy (text, "a client that is gone", size);
  else if (address.ss_family == AF_UNIX
      && getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0)
    g_snprintf (text, size, "pid %d of user %u", (int) peer.pid,
        (unsigned) peer.uid);
  else if (address.ss_family == AF_UNIX
      || getnameinfo ((struct sockaddr *) &address, length, text,
             (socklen_t) size, NULL, 0, NI_NUMERICHOST)
          != 0)
    g_strlcpy (text, "an unknown address", size);
}

/* Called after bytes of @connection passed, in the gate's thread. */
void
gate_asking_look (GateAsking *asking, GateConnection *connection)
{
  gboolean asks = connection->half && !connection->dead
      && connection->inward.passed >= ASKS;

  if (asks == connection->asks)
    return;
  if (asks && !*connection->from)
    describe_peer (connection->client.fd, connection->from,
        sizeof connection->from);
  g_mutex_lock (&asking->lock);
  if (asks)
    g_ptr_array_add (asking->list, connection);
  else
    g_ptr_array_remove (asking->list, connection);
  g_mutex_unlock (&asking->lock);
  connection->asks = asks;
}

/* @connection is about to be freed. */
void
gate_asking_forget (GateAsking *asking, GateConnection *connection)
{
  connection->dead = TRUE;
  gate_asking_look (asking, connection);
}

/* Returns the different addresses. */
static GPtrArray *
collect (GateAsking *asking)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (g_free);

  g_mutex_lock (&asking->lock);
  for (guint i = 0; i < asking->list->len; i++) {
    const GateConnection *one = g_ptr_array_index (asking->list, i);
    if (!g_ptr_array_find_with_equal_func (found, one->from, g_str_equal, NULL))
      g_ptr_array_add (found, g_strdup (one->from));
  }
  g_mutex_unlock (&asking->lock);
  return found;
}

/* Returns where the key comes from that the broker is asked about; NULL: it is not
 * known. Any thread. */
char *
gate_asking_describe (GateAsking *asking)
{
  g_autoptr (GPtrArray) found = collect (asking);
  guint shown = MIN (found->len, SHOWN_MAX);
  GString *text;

  if (found->len == 0)
    return NULL;
  text = g_string_new (found->len > 1 ? "one of " : NULL);
  for (guint i = 0; i < shown; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "",
        (const char *) g_ptr_array_index (found, i));
  if (found->len > shown)
    g_string_append_printf (text, " and %u more", found->len - shown);
  return g_string_free (text, FALSE);
}
