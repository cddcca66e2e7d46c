/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private directory of a test, and what must not be left in it. */
#include "check-private.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char runtime_directory[96];
static bool files_allowed;

const char *
check_directory (void)
{
  return directory;
}

void
check_directory_make (void)
{
  snprintf (directory, sizeof directory, "/dev/shm/datahub-test-XXXXXX");
  if (!mkdtemp (directory)) {
    /* Without /dev/shm the same behaviour can be had in any directory. */
    snprintf (directory, sizeof directory, "/tmp/datahub-test-XXXXXX");
    if (!mkdtemp (directory))
      check_fail (__FILE__, __LINE__, "no directory for the test: %m");
  }
  /* Beside the blocks, so that it does not count as one. */
  snprintf (runtime_directory, sizeof runtime_directory, "%s.run", directory);
  if (mkdir (runtime_directory, 0700) != 0)
    check_fail (__FILE__, __LINE__, "%s: %m", runtime_directory);
  setenv ("DATAHUB_SHM_DIR", directory, 1);
  setenv ("DATAHUB_RUNTIME_DIR", runtime_directory, 1);
}

/* With the directories in it, where a test made some. */
static void
empty_directory (const char *path)
{
  DIR *dir = opendir (path);
  if (!dir)
    return;
  for (struct dirent *entry; (entry = readdir (dir));) {
    char below[PATH_MAX];
    if (entry->d_name[0] == '.'
        || unlinkat (dirfd (dir), entry->d_name, 0) == 0)
      continue;
    snprintf (below, sizeof below, "%s/%s", path, entry->d_name);
    empty_directory (below);
  }
  closedir (dir);
  rmdir (path);
}

void
check_directory_remove (void)
{
  empty_directory (directory);
  empty_directory (runtime_directory);
}

static bool
is_dot (const char *name)
{
  return !strcmp (name, ".") || !strcmp (name, "..");
}

static uint32_t
count_entries (const char *path)
{
  uint32_t n = 0;
  DIR *dir = opendir (path);
  CHECK (dir != NULL);
  for (struct dirent *entry; (entry = readdir (dir));)
    n += !is_dot (entry->d_name);
  closedir (dir);
  return n;
}

uint32_t
check_count_files (void)
{
  return count_entries (directory);
}

/* The descriptor that lists them is one of them, every time. */
uint32_t
check_count_fds (void)
{
  return count_entries ("/proc/self/fd");
}

uint32_t
check_count_fds_of (pid_t pid)
{
  char path[64];
  snprintf (path, sizeof path, "/proc/%d/fd", (int) pid);
  return count_entries (path);
}

bool
check_write_file (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  bool done = fd >= 0 && write (fd, text, strlen (text)) > 0;
  if (fd >= 0)
    close (fd);
  return done;
}

const char *
check_find_file (const char *suffix)
{
  static char path[PATH_MAX];
  size_t length = strlen (suffix);
  uint32_t found = 0;
  DIR *dir = opendir (directory);
  CHECK (dir != NULL);
  for (struct dirent *entry; (entry = readdir (dir));) {
    size_t n = strlen (entry->d_name);
    if (n >= length && !strcmp (entry->d_name + n - length, suffix)) {
      snprintf (path, sizeof path, "%s/%s", directory, entry->d_name);
      found++;
    }
  }
  closedir (dir);
  if (found != 1)
    check_fail (__FILE__, __LINE__, "%u files end in %s", found, suffix);
  return path;
}

uint64_t
check_bytes_used (void)
{
  uint64_t bytes = 0;
  struct stat st;
  DIR *dir = opendir (directory);
  CHECK (dir != NULL);
  for (struct dirent *entry; (entry = readdir (dir));)
    if (!is_dot (entry->d_name)
        && fstatat (dirfd (dir), entry->d_name, &st, 0) == 0)
      bytes += (uint64_t) st.st_blocks * 512;
  closedir (dir);
  return bytes;
}

void
check_allow_files (void)
{
  files_allowed = true;
}

static void
list_files (void)
{
  DIR *dir = opendir (directory);
  CHECK (dir != NULL);
  for (struct dirent *entry; (entry = readdir (dir));)
    if (!is_dot (entry->d_name))
      check_note ("left behind: %s", entry->d_name);
  closedir (dir);
}

static void
check_mappings (void)
{
  char line[PATH_MAX + 128];
  FILE *maps = fopen ("/proc/self/maps", "re");
  CHECK (maps != NULL);
  while (fgets (line, sizeof line, maps))
    if (strstr (line, directory))
      check_fail (__FILE__, __LINE__, "still mapped: %s", line);
  fclose (maps);
}

void
check_assert_nothing_left (void)
{
  check_mappings ();
  if (files_allowed)
    return;
  if (check_count_files () > 0) {
    list_files ();
    check_fail (__FILE__, __LINE__, "files are left in shared memory");
  }
}
