/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory limit of the control group of this process. Shared memory counts against
 * it, and the kernel does not refuse what exceeds it: it ends a process of the group.
 * So the limit must be read before memory is allocated.
 *
 * Each ancestor can have a limit, and the lowest rest counts. The groups are looked
 * for at the usual places. A container can see its own group at the top of the tree,
 * and have the path outside of it as the path of the process: so a directory that does
 * not exist is skipped, and the walk goes on to the top.
 *
 * Nothing is remembered: a process can be moved, and limits change.
 * Tests: core-cgroup */
#include "os-cgroup-private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than the kernel writes in one of the files. */
#define TEXT_SIZE 8192
#define NUMBER_SIZE 32
/* No machine has so much memory. */
#define LIMIT_MAX (UINT64_C (1) << 62)

const GroupVersion group_versions[N_GROUP_VERSIONS] = {
  { "/sys/fs/cgroup", "::/", "memory.max", "memory.current", "\ninactive_file ",
      "\nactive_file " },
  { "/sys/fs/cgroup/memory", ":memory:/", "memory.limit_in_bytes",
      "memory.usage_in_bytes", "\ntotal_inactive_file ",
      "\ntotal_active_file " },
};

static uint64_t
smaller_of (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

/* ---- what the kernel writes ---- */

/* UINT64_MAX for "max", and for what is no number. */
static uint64_t
parse_number (const char *text)
{
  return text[0] >= '0' && text[0] <= '9' ? strtoull (text, NULL, 10)
                                          : UINT64_MAX;
}

/* The number after @key, which begins with a line feed: the first line of memory.stat
 * is never one of these. */
static uint64_t
parse_line (const char *stat, const char *key)
{
  const char *at = strstr (stat, key);
  return at ? strtoull (at + strlen (key), NULL, 10) : 0;
}

/* Copies the path of the group from lines NUMBER:CONTROLLERS:PATH, without the slash
 * at its end. It is empty for the top, and where there is no such line. */
void
group_parse_path (const GroupVersion *version, const char *text, char *path,
    size_t size)
{
  size_t n = strlen (version->key);
  path[0] = 0;
  for (const char *line = text; *line; line += *line == '\n') {
    const char *at = line + strcspn (line, ":");
    line += strcspn (line, "\n");
    if (strncmp (at, version->key, n) == 0 && line - at > (ptrdiff_t) n)
      snprintf (path, size, "/%.*s", (int) (line - at - n), at + n);
  }
}

/* UINT64_MAX: there is none. Version 1 has a number for that, which depends on the
 * size of a page. */
uint64_t
group_parse_limit (const char *text)
{
  uint64_t limit = parse_number (text);
  return limit < LIMIT_MAX ? limit : UINT64_MAX;
}

/* What is left of @limit by the texts of the other files. Cached files do not count as
 * used: the kernel drops them before it ends a process. */
uint64_t
group_parse_rest (const GroupVersion *version, uint64_t limit,
    const char *usage, const char *stat)
{
  uint64_t used = parse_number (usage);
  if (used == UINT64_MAX)
    return UINT64_MAX;
  used -= smaller_of (used, parse_line (stat, version->inactive));
  used -= smaller_of (used, parse_line (stat, version->active));
  return limit - smaller_of (limit, used);
}

/* ---- the files ---- */

/* The text is empty where the file cannot be read. */
static void
read_text (const char *directory, const char *name, char *text, size_t size)
{
  char path[PATH_MAX + 32];
  size_t n = 0;
  ssize_t got = 1;
  int fd;
  snprintf (path, sizeof path, "%s/%s", directory, name);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && got > 0 && n < size - 1) {
    got = read (fd, text + n, size - 1 - n);
    n += got > 0 ? (size_t) got : 0;
  }
  text[n] = 0;
  if (fd >= 0)
    close (fd);
}

/* Lowers @space to what the group in @directory allows. Most groups have no limit, and
 * the kernel adds up a lot for memory.stat. */
static void
apply_group (const GroupVersion *version, const char *directory,
    GroupSpace *space)
{
  char number[NUMBER_SIZE], stat[TEXT_SIZE];
  uint64_t limit, rest;
  read_text (directory, version->limit, number, sizeof number);
  limit = group_parse_limit (number);
  if (limit == UINT64_MAX)
    return;
  read_text (directory, version->usage, number, sizeof number);
  read_text (directory, "memory.stat", stat, sizeof stat);
  rest = group_parse_rest (version, limit, number, stat);
  space->limit = smaller_of (space->limit, limit);
  space->available = smaller_of (space->available, rest);
}

/* From the group of the process up to the top. */
static void
apply_version (const GroupVersion *version, const char *root, const char *text,
    GroupSpace *space)
{
  char group[PATH_MAX], directory[PATH_MAX], *end = directory;
  size_t top = strlen (root) + strlen (version->top);
  group_parse_path (version, text, group, sizeof group);
  snprintf (directory, sizeof directory, "%s%s%s", root, version->top, group);
  while (end) {
    apply_group (version, directory, space);
    end = strrchr (directory + top, '/');
    if (end)
      *end = 0;
  }
}

GroupSpace
os_group_space_below (const char *root)
{
  GroupSpace space = { UINT64_MAX, UINT64_MAX };
  char directory[PATH_MAX], text[TEXT_SIZE];
  snprintf (directory, sizeof directory, "%s/proc/self", root);
  read_text (directory, "cgroup", text, sizeof text);
  for (size_t i = 0; i < N_GROUP_VERSIONS; i++)
    apply_version (&group_versions[i], root, text, &space);
  return space;
}

GroupSpace
os_group_space (void)
{
  return os_group_space_below ("");
}
