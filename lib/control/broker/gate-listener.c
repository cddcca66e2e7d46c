/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets that the broker listens on, for endpoints in the notation of
 * libzmq.
 * Tests: broker-gate, broker-access */
#include "control/wire/control-log-private.h"
#include "control/wire/control-error-private.h"
#include "control/wire/endpoint-private.h"
#include "core/os/os-limits-private.h"
#include "gate-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

typedef union
{
  struct sockaddr any;
  struct sockaddr_un un;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
} Address;

static int
listen_at (const Address *address, socklen_t size)
{
  int one = 1, number;
  int fd = socket (address->any.sa_family,
      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return -1;
  if (address->any.sa_family != AF_UNIX)
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (fd, &address->any, size) == 0 && listen (fd, BACKLOG) == 0)
    return fd;
  number = errno;
  close (fd);
  errno = number;
  return -1;
}

/* The address of a network interface. */
static gboolean
find_interface (const char *name, Address *address)
{
  struct ifaddrs *all = NULL;
  gboolean found = FALSE;

  if (getifaddrs (&all) != 0)
    return FALSE;
  for (struct ifaddrs *one = all; one && !found; one = one->ifa_next) {
    found = one->ifa_addr && one->ifa_addr->sa_family == AF_INET
        && strcmp (one->ifa_name, name) == 0;
    if (found)
      memcpy (&address->in, one->ifa_addr, sizeof address->in);
  }
  freeifaddrs (all);
  return found;
}

/* IPv6 only where the address is one, in brackets. */
static gboolean
find_host (const char *host, Address *address)
{
  struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
  struct addrinfo *found = NULL;
  g_autofree char *bare = NULL;

  memset (address, 0, sizeof *address);
  address->in.sin_family = AF_INET;
  if (strcmp (host, "*") == 0)
    return TRUE;
  if (*host == '[' && g_str_has_suffix (host, "]")) {
    bare = g_strndup (host + 1, strlen (host) - 2);
    hints.ai_family = AF_INET6;
    hints.ai_flags = AI_NUMERICHOST;
  } else if (find_interface (host, address)) {
    return TRUE;
  }
  if (getaddrinfo (bare ? bare : host, NULL, &hints, &found) != 0)
    return FALSE;
  memcpy (address, found->ai_addr, MIN (found->ai_addrlen, sizeof *address));
  freeaddrinfo (found);
  return TRUE;
}

static int
listen_tcp (const char *place)
{
  const char *colon = strrchr (place, ':');
  g_autofree char *host = g_strndup (place, colon - place);
  guint64 port = 0;
  Address address;

  g_ascii_string_to_unsigned (colon + 1, 10, 0, 65535, &port, NULL);
  if (!find_host (host, &address)) {
    errno = EADDRNOTAVAIL;
    return -1;
  }
  if (address.any.sa_family == AF_INET6) {
    address.in6.sin6_port = htons ((guint16) port);
    return listen_at (&address, sizeof address.in6);
  }
  address.in.sin_port = htons ((guint16) port);
  return listen_at (&address, sizeof address.in);
}

static int
listen_ipc (const char *path)
{
  Address address = { .un = { .sun_family = AF_UNIX } };

  if (strlen (path) >= sizeof address.un.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  /* the holder of the lock has removed the socket of a dead broker; another file at
   * this place stays */
  g_strlcpy (address.un.sun_path, path, sizeof address.un.sun_path);
  return listen_at (&address, sizeof address.un);
}

/* With the port that the system chose. */
static char *
bound_tcp (int fd)
{
  Address address;
  socklen_t size = sizeof address;
  char host[INET6_ADDRSTRLEN] = "";

  if (getsockname (fd, &address.any, &size) != 0)
    return NULL;
  if (address.any.sa_family == AF_INET6) {
    inet_ntop (AF_INET6, &address.in6.sin6_addr, host, sizeof host);
    return g_strdup_printf ("tcp://[%s]:%u", host,
        ntohs (address.in6.sin6_port));
  }
  inet_ntop (AF_INET, &address.in.sin_addr, host, sizeof host);
  return g_strdup_printf ("tcp://%s:%u", host, ntohs (address.in.sin_port));
}

/* Listens at @endpoint, which is valid; *@bound is what it became. */
gboolean
gate_listener_open (GateListener *listener, const char *endpoint, char **bound,
    GError **error)
{
  const char *path = endpoint_ipc_path (endpoint);

  listener->end.fd =
      path ? listen_ipc (path) : listen_tcp (endpoint + strlen ("tcp://"));
  if (listener->end.fd < 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_FAILED,
        "cannot bind %s: %s", endpoint, os_reason (errno));
  *bound = path ? g_strdup (endpoint) : bound_tcp (listener->end.fd);
  if (*bound)
    return TRUE;
  return message_refuse (error, DATAHUB_HUB_ERROR_FAILED,
      "cannot query the endpoint %s: %s", endpoint, os_reason (errno));
}
