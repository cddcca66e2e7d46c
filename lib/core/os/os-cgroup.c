/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory limit of the control group of this process. Shared memory counts against
 * it, and the kernel does not refuse what exceeds it: it ends a process of the group.
 * So it must be read before memory is allocated.
 *
 * Each ancestor can have a limit, and the lowest rest counts. Cached files do not
 * count as used: the kernel drops them first. A limit that is absent or cannot be read
 * is none.
 * Tests: core-cgroup */
#include "os-cgroup-private.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names of the files of one version of control groups. */
typedef struct
{
  const char *fs, *controller; /* controller: NULL, as version 2 has one tree */
  const char *limit, *usage, *inactive, *active;
} Version;

static const Version versions[] = {
  { "cgroup2", NULL, "memory.max", "memory.current", "inactive_file",
      "active_file" },
  { "cgroup", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
      "total_inactive_file", "total_active_file" },
};
#define N_VERSIONS (sizeof versions / sizeof versions[0])

static FILE *
open_file (const char *prefix, const char *path, const char *file)
{
  char whole[PATH_MAX];
  int n = snprintf (whole, sizeof whole, "%s%s/%s", prefix, path, file);
  return n > 0 && n < (int) sizeof whole ? fopen (whole, "re") : NULL;
}

/* Reads a number of digits alone; "max", a sign or too many digits are none. */
static bool
parse_number (const char *text, uint64_t *value)
{
  char *end;
  if (!isdigit ((unsigned char) text[0]))
    return false;
  errno = 0;
  *value = strtoull (text, &end, 10);
  return errno == 0 && (*end == '\n' || *end == 0);
}

static bool
read_value (const char *prefix, const char *path, const char *name,
    uint64_t *value)
{
  FILE *file = open_file (prefix, path, name);
  char text[64] = "";
  bool known = file && fgets (text, sizeof text, file);
  if (file)
    fclose (file);
  return known && parse_number (text, value);
}

/* Half of the files in use, and all others, are dropped before a process is ended. */
static uint64_t
read_cached (const char *prefix, const char *path, const Version *version)
{
  FILE *file = open_file (prefix, path, "memory.stat");
  uint64_t cached = 0, value;
  char line[128];
  while (file && fgets (line, sizeof line, file)) {
    char *space = strchr (line, ' ');
    if (!space || !parse_number (space + 1, &value) || value > INT64_MAX / 2)
      continue;
    *space = 0;
    if (strcmp (line, version->inactive) == 0)
      cached += value;
    else if (strcmp (line, version->active) == 0)
      cached += value / 2;
  }
  if (file)
    fclose (file);
  return cached;
}

/* Lowers @space to what the group in the directory @path allows. */
static void
apply_group (const char *prefix, const char *path, const Version *version,
    GroupSpace *space)
{
  uint64_t limit, used, cached, left;
  if (!read_value (prefix, path, version->limit, &limit)
      || !read_value (prefix, path, version->usage, &used))
    return;
  cached = read_cached (prefix, path, version);
  used -= cached < used ? cached : used;
  left = limit > used ? limit - used : 0;
  if (limit < space->limit)
    space->limit = limit;
  if (left < space->available)
    space->available = left;
}

/* ---- where the groups are ---- */

typedef struct
{
  char *root, *point; /* of the mount: the group at its top, its directory */
} Mount;

/* The kernel writes a space, a tab, a line feed and a backslash as \ooo. */
static void
unescape (char *text)
{
  char *to = text;
  for (; *text; text++) {
    unsigned code;
    if (text[0] == '\\' && sscanf (text + 1, "%3o", &code) == 1) {
      *to++ = (char) code;
      text += strnlen (text + 1, 3);
    } else {
      *to++ = *text;
    }
  }
  *to = 0;
}

/* Whether the list @words, which commas separate, has @word. */
static bool
has_word (const char *words, const char *word)
{
  size_t length = strlen (word);
  for (const char *at = words; (at = strstr (at, word)); at += length)
    if ((at == words || at[-1] == ',')
        && (at[length] == ',' || at[length] == 0 || at[length] == '\n'))
      return true;
  return false;
}

/* A line of mountinfo: ... root point options - type source super-options. */
static bool
parse_mount (char *line, const Version *version, Mount *mount)
{
  char *rest = strstr (line, " - "), *fields[5], *type, *options, *next = NULL;
  int n = 0;
  if (!rest)
    return false;
  *rest = 0;
  for (char *field = strtok_r (line, " ", &next); field && n < 5;
       field = strtok_r (NULL, " ", &next))
    fields[n++] = field;
  type = strtok_r (rest + 3, " ", &next);
  strtok_r (NULL, " ", &next);
  options = strtok_r (NULL, " \n", &next);
  if (n < 5 || !type || !options || strcmp (type, version->fs) != 0
      || (version->controller && !has_word (options, version->controller)))
    return false;
  mount->root = fields[3];
  mount->point = fields[4];
  unescape (mount->root);
  unescape (mount->point);
  return true;
}

/* Copies the path of the group of this process in the tree of @version. */
static bool
find_group (const char *proc, const Version *version, char group[PATH_MAX])
{
  FILE *file = open_file ("", proc, "cgroup");
  bool found = false;
  char *line = NULL;
  size_t room = 0;
  while (file && !found && getline (&line, &room, file) >= 0) {
    char *words = strchr (line, ':'), *path;
    path = words ? strchr (words + 1, ':') : NULL;
    if (!path)
      continue;
    *path++ = 0;
    found = version->controller ? has_word (words + 1, version->controller)
                                : words[1] == 0;
    path[strcspn (path, "\n")] = 0;
    if (found)
      found = snprintf (group, PATH_MAX, "%s", path) < PATH_MAX;
  }
  free (line);
  if (file)
    fclose (file);
  return found;
}

/* The part of @group below the top of the mount. A group that is not below it, as in
 * a container that sees its own alone, is the top. */
static const char *
below_root (const char *group, const char *root)
{
  size_t length = strcmp (root, "/") == 0 ? 0 : strlen (root);
  if (strncmp (group, root, length) != 0
      || (group[length] != '/' && group[length] != 0) || strstr (group, "/.."))
    return "";
  return group + length;
}

/* From the own group up to the top of the mount. */
static void
apply_groups (const char *prefix, const Mount *mount, const char *group,
    const Version *version, GroupSpace *space)
{
  char path[PATH_MAX];
  size_t top = strlen (mount->point);
  int n = snprintf (path, sizeof path, "%s%s", mount->point,
      below_root (group, mount->root));
  if (n < 0 || n >= (int) sizeof path)
    return;
  for (;;) {
    char *slash;
    apply_group (prefix, path, version, space);
    slash = strrchr (path, '/');
    if (!slash || strlen (path) <= top)
      return;
    *slash = 0;
  }
}

static void
apply_version (const char *proc, const char *prefix, const Version *version,
    GroupSpace *space)
{
  char group[PATH_MAX], *line = NULL;
  size_t room = 0;
  Mount mount;
  FILE *file;
  bool found = false;
  if (!find_group (proc, version, group))
    return;
  file = open_file ("", proc, "mountinfo");
  while (file && !found && getline (&line, &room, file) >= 0)
    found = parse_mount (line, version, &mount);
  if (found)
    apply_groups (prefix, &mount, group, version, space);
  free (line);
  if (file)
    fclose (file);
}

/* The limits in force. @proc is the directory of the process in /proc, and @prefix is
 * put before each path of a group: a test has its own. */
GroupSpace
os_group_space_of (const char *proc, const char *prefix)
{
  GroupSpace space = { UINT64_MAX, UINT64_MAX };
  for (size_t i = 0; i < N_VERSIONS; i++)
    apply_version (proc, prefix, &versions[i], &space);
  return space;
}

GroupSpace
os_group_space (void)
{
  return os_group_space_of ("/proc/self", "");
}
