/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing a key file. Owner and mode are checked, and a file is
 * never left half written. A file of a pair has a label behind its key, because a public
 * key has the form of a secret one. The secret key of a broker has none: its name is
 * fixed.
 * Tests: keys-files */
#include "control-log-private.h"
#include "key-file-private.h"
#include "keys-private.h"
#include "control-error-private.h"
#include "core/os/os-limits-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

/* Whether @text is 40 characters of Z85. */
gboolean
key_is_valid (const char *text)
{
  guint8 bytes[DATAHUB_KEY_SIZE];

  if (strnlen (text, DATAHUB_KEY_TEXT + 1) != DATAHUB_KEY_TEXT)
    return FALSE;
  gboolean valid = zmq_z85_decode (bytes, text) != NULL;
  sodium_memzero (bytes, sizeof bytes);
  return valid;
}

static gboolean
check_directory (const char *file, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (file);
  struct stat st;

  if (stat (directory, &st) != 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "cannot examine the directory of key file %s: %s", file,
        os_reason (errno));
  if (st.st_uid != geteuid ())
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "the directory of secret key file %s belongs to user %u, not to you "
        "(%u); move the key into a directory of your own",
        file, (unsigned) st.st_uid, (unsigned) geteuid ());
  if (st.st_mode & 0077)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "the directory of secret key file %s has mode %04o; fix it with: "
        "chmod 700 %s",
        file, (unsigned) st.st_mode & 07777, directory);
  return TRUE;
}

static gboolean
examine (int fd, const char *file, struct stat *st, GError **error)
{
  if (fstat (fd, st) != 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "cannot examine key file %s: %s", file, os_reason (errno));
  if (!S_ISREG (st->st_mode))
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "key file %s is not a regular file", file);
  return TRUE;
}

static gboolean
check_secret (int fd, const char *file, GError **error)
{
  struct stat st;

  if (!examine (fd, file, &st, error))
    return FALSE;
  if (st.st_uid != geteuid ())
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "secret key file %s belongs to user %u, not to you (%u); use a key of "
        "your own",
        file, (unsigned) st.st_uid, (unsigned) geteuid ());
  if (st.st_mode & 0077)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "secret key file %s has mode %04o: others can read it; make a new key, "
        "or, if it was not read, fix it with: chmod 600 %s",
        file, (unsigned) st.st_mode & 07777, file);
  return check_directory (file, error);
}

/* Any user may read a public key, but only its owner (or root) may be able to
 * write it: a user that replaces the key can replace the broker. */
static gboolean
check_public (int fd, const char *file, GError **error)
{
  struct stat st;

  if (!examine (fd, file, &st, error))
    return FALSE;
  if (st.st_uid != geteuid () && st.st_uid != 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "key file %s belongs to user %u, neither to you (%u) nor to root; copy "
        "the key into a file of your own",
        file, (unsigned) st.st_uid, (unsigned) geteuid ());
  if (st.st_mode & 0022)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "key file %s has mode %04o: others can change it; fix it with: "
        "chmod go-w %s",
        file, (unsigned) st.st_mode & 07777, file);
  return TRUE;
}

static const char *const labels[] = {
  [KEY_FILE_SECRET] = "secret",
  [KEY_FILE_PUBLIC] = "public",
};

/* Whether @text is the label of @kind, or nothing: files of older versions and those
 * that were written by hand have no label. */
static gboolean
is_label_of (KeyFileKind kind, const char *text)
{
  return !*text || (*text == ' ' && strcmp (text + 1, labels[kind]) == 0);
}

/* Splits "KEY LABEL". Returns the label with its space, NULL: @text is no key. */
static const char *
split_label (const char *text, char key[DATAHUB_KEY_TEXT + 1])
{
  g_strlcpy (key, text, DATAHUB_KEY_TEXT + 1);
  if (!key_is_valid (key))
    return NULL;
  const char *label = text + DATAHUB_KEY_TEXT;
  return is_label_of (KEY_FILE_SECRET, label)
          || is_label_of (KEY_FILE_PUBLIC, label)
      ? label
      : NULL;
}

/* The public key in @text, which can be the line of a file. */
gboolean
key_from_public_text (const char *text, char key[DATAHUB_KEY_TEXT + 1])
{
  const char *label = split_label (text, key);

  return label && is_label_of (KEY_FILE_PUBLIC, label);
}

/* Whether @text is the line of a secret key's file. */
gboolean
key_text_is_secret (const char *text)
{
  char key[DATAHUB_KEY_TEXT + 1];
  const char *label = split_label (text, key);

  sodium_memzero (key, sizeof key);
  return label && *label && is_label_of (KEY_FILE_SECRET, label);
}

static gboolean
refuse_label (KeyFileKind kind, const char *file, GError **error)
{
  if (kind == KEY_FILE_SECRET)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "key file %s holds a public key, as its label shows; give the file of "
        "the secret key, which datahub keygen writes as NAME.key",
        file);
  return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
      "key file %s holds a secret key, as its label shows; give the file of the "
      "public key, which datahub keygen writes as NAME.pub",
      file);
}

static gboolean
take_key (const char *text, const char *file, KeyFileKind kind, char *key,
    GError **error)
{
  char found[DATAHUB_KEY_TEXT + 1];
  const char *label = split_label (text, found);
  gboolean fits = label && is_label_of (kind, label);

  if (fits)
    memcpy (key, found, sizeof found);
  sodium_memzero (found, sizeof found);
  if (!label)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "key file %s does not hold a key: it must be %d characters of Z85",
        file, DATAHUB_KEY_TEXT);
  return fits || refuse_label (kind, file, error);
}

static gboolean
read_key (int fd, const char *file, KeyFileKind kind, char *key, GError **error)
{
  char text[DATAHUB_KEY_TEXT + 16];
  ssize_t n;

  do
    n = read (fd, text, sizeof text - 1);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "cannot read key file %s: %s", file, os_reason (errno));
  while (n > 0 && g_ascii_isspace (text[n - 1]))
    n--;
  text[n] = '\0';
  gboolean done = take_key (text, file, kind, key, error);
  sodium_memzero (text, sizeof text);
  return done;
}

/* Reads the key in @file into @key after checking the open file. */
gboolean
key_file_read (const char *file, KeyFileKind kind,
    char key[DATAHUB_KEY_TEXT + 1], GError **error)
{
  int fd = open (file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0) {
    if (errno == ELOOP)
      return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
          "key file %s is a symbolic link; use the path of the file itself",
          file);
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "cannot open key file %s: %s%s", file, os_reason (errno),
        errno == ENOENT ? "; make a key pair with: datahub keygen NAME" : "");
  }
  gboolean done = (kind == KEY_FILE_SECRET ? check_secret (fd, file, error)
                                           : check_public (fd, file, error))
      && read_key (fd, file, kind, key, error);
  close (fd);
  return done;
}

static gboolean
write_all (int fd, const char *key, const char *label)
{
  char line[DATAHUB_KEY_TEXT + 16];
  int size = g_snprintf (line, sizeof line, "%s%s%s\n", key, label ? " " : "",
      label ? label : "");

  OsSizeGuard guard;
  os_size_guard_begin (&guard);
  ssize_t n = write (fd, line, (gsize) size);
  os_size_guard_end (&guard);
  sodium_memzero (line, sizeof line);
  if (n >= 0 && n != size)
    errno = os_is_limited (EFBIG) ? EFBIG : ENOSPC;
  return n == size && fchmod (fd, 0600) == 0 && fsync (fd) == 0;
}

/* Writes @key to @file, whole or not at all, with the label of @kind; fails with G_FILE_ERROR_EXIST
 * where there is one already (link(2) decides between two writers). */
gboolean
key_file_write (const char *file, const char *key, KeyFileKind kind,
    GError **error)
{
  const char *label = kind == KEY_FILE_PLAIN ? NULL : labels[kind];
  g_autofree char *temporary =
      g_strdup_printf ("%s.%08x", file, g_random_int ());
  int fd = open (temporary,
      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "cannot create key file %s: %s", file, os_reason (errno));
  gboolean done = write_all (fd, key, label) && link (temporary, file) == 0;
  int sys_errno = errno;
  close (fd);
  unlink (temporary);
  if (done)
    return TRUE;
  if (sys_errno != EEXIST)
    return message_refuse (error, DATAHUB_HUB_ERROR_KEY,
        "cannot write key file %s: %s", file, os_reason (sys_errno));
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
      "key file %s exists already; remove it first if its key is no longer "
      "needed",
      file);
  return FALSE;
}
