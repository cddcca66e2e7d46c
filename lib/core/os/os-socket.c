/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unix sockets that carry descriptors. Calls do not block, unless stated
 * otherwise.
 * Tests: core-access, core-strict, core-observers */
#include "os-limits-private.h"
#include "os-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

/* By way of the directory's descriptor: its path may be longer than a socket's
 * may be. */
static bool
address_of (int dir, const char *name, struct sockaddr_un *address)
{
  int n;
  *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  n = snprintf (address->sun_path, sizeof address->sun_path,
      "/proc/self/fd/%d/%s", dir, name);
  return n > 0 && n < (int) sizeof address->sun_path;
}

static int
new_socket (void)
{
  return socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Returns a socket that listens under @name, or -1. No client can connect
 * before its permissions are set. */
int
os_listen (int dir, const char *name, uint32_t mode)
{
  struct sockaddr_un address;
  int fd;
  if (!address_of (dir, name, &address))
    return errno = ENAMETOOLONG, -1;
  fd = new_socket ();
  if (fd < 0)
    return -1;
  if (bind (fd, (struct sockaddr *) &address, sizeof address) == 0
      && fchmodat (dir, name, (mode_t) mode, 0) == 0
      && listen (fd, BACKLOG) == 0)
    return fd;
  close (fd);
  return -1;
}

int
os_accept (int fd)
{
  return accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* Returns a connection, or -1; with EAGAIN the server is crowded: try again. */
int
os_connect (int dir, const char *name)
{
  struct sockaddr_un address;
  int fd;
  if (!address_of (dir, name, &address))
    return errno = ENAMETOOLONG, -1;
  fd = new_socket ();
  if (fd < 0)
    return -1;
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  int number = errno;
  close (fd);
  return errno = number, -1;
}

/* The process at the other end, as reported by the kernel. */
bool
os_peer (int fd, uint32_t *user, uint32_t *group)
{
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0
      || size != sizeof peer)
    return false;
  *user = (uint32_t) peer.uid;
  *group = (uint32_t) peer.gid;
  return true;
}

uint32_t
os_group (void)
{
  return (uint32_t) getegid ();
}

/* One message, whole or not at all, with copies of @fds. */
bool
os_send (int fd, const void *bytes, size_t size, const int *fds, uint32_t n_fds)
{
  union
  {
    struct cmsghdr header;
    uint8_t space[CMSG_SPACE (OS_FDS_MAX * sizeof (int))];
  } control = { 0 };
  struct iovec part = { (void *) bytes, size };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
  if (n_fds > OS_FDS_MAX)
    return errno = EINVAL, false;
  if (n_fds) {
    message.msg_control = control.space;
    message.msg_controllen = CMSG_SPACE (n_fds * sizeof (int));
    control.header =
        (struct cmsghdr){ .cmsg_len = CMSG_LEN (n_fds * sizeof (int)),
          .cmsg_level = SOL_SOCKET,
          .cmsg_type = SCM_RIGHTS };
    memcpy (CMSG_DATA (&control.header), fds, n_fds * sizeof (int));
  }
  return sendmsg (fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t) size;
}

static uint32_t
take_fds (struct msghdr *message, int *fds)
{
  uint32_t n = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR (message); c;
       c = CMSG_NXTHDR (message, c)) {
    size_t bytes = c->cmsg_len - CMSG_LEN (0);
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    for (size_t at = 0; at + sizeof (int) <= bytes; at += sizeof (int)) {
      int fd;
      memcpy (&fd, CMSG_DATA (c) + at, sizeof fd);
      if (n < OS_FDS_MAX)
        fds[n++] = fd;
      else
        close (fd);
    }
  }
  return n;
}

/* One message of at most @size bytes. Returns its size; 0: the other end is
 * closed; -1: see errno; EAGAIN: no message. @fds has room for OS_FDS_MAX,
 * which are the caller's to close; NULL: none are taken. */
ssize_t
os_receive (int fd, void *bytes, size_t size, int *fds, uint32_t *n_fds)
{
  union
  {
    struct cmsghdr header;
    uint8_t space[CMSG_SPACE (OS_FDS_MAX * sizeof (int))];
  } control = { 0 };
  struct iovec part = { bytes, size };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
  ssize_t n;
  if (fds) {
    message.msg_control = control.space;
    message.msg_controllen = sizeof control.space;
    *n_fds = 0;
  }
  do
    n = recvmsg (fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n > 0 && fds)
    *n_fds = take_fds (&message, fds);
  if (n > 0 && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
    /* cut short by the sender, or by the limit of this process */
    int number = fds && !os_has_descriptors (1) ? EMFILE : EPROTO;
    for (uint32_t i = 0; fds && i < *n_fds; i++)
      close (fds[i]);
    if (fds)
      *n_fds = 0;
    return errno = number, -1;
  }
  return n;
}

/* Whether something that was sent on @fd was not taken at the other end, which is
 * open. The kernel frees a message, and what is in flight with it, when it was read
 * or its receiver is gone. */
bool
os_is_unread (int fd)
{
  int bytes = 0;
  return ioctl (fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

/* Waits until @fd can be read, @other (< 0: none) can, or the time is up.
 * Returns whether @fd can. */
bool
os_wait_readable (int fd, int other, int64_t timeout_ns)
{
  struct pollfd fds[2] = { { fd, POLLIN, 0 }, { other, POLLIN, 0 } };
  int ms = (int) ((timeout_ns + NS_PER_MS - 1) / NS_PER_MS);
  return poll (fds, other >= 0 ? 2 : 1, ms) > 0 && fds[0].revents;
}
