/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "other-file.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* Nothing listens there: the file stays when the socket is closed. */
static int
make_socket (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd, result;
  if (strlen (path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy (address.sun_path, path);
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  result = bind (fd, (struct sockaddr *) &address, sizeof address);
  close (fd);
  return result;
}

static int
make (OtherFile kind, const char *path)
{
  switch (kind) {
    case OTHER_FILE_DIRECTORY:
      return mkdir (path, 0700);
    case OTHER_FILE_FIFO:
      return mkfifo (path, 0600);
    case OTHER_FILE_LINK:
      return symlink ("/etc/passwd", path);
    case OTHER_FILE_DANGLING_LINK:
      return symlink ("/nonexistent/file", path);
    case OTHER_FILE_SOCKET:
      return make_socket (path);
    default:
      return mknod (path, S_IFCHR | 0600, makedev (1, 3)); /* as /dev/null */
  }
}

int
other_file_make (OtherFile kind, const char *path)
{
  return make (kind, path) == 0 ? 0 : errno;
}
