/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory limit of a control group counts as the space of the file system does. The
 * contents of the files are tried in a tree of our own, the effect in a real group. */
#include "fixture.h"

#include "core/os/os-cgroup-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C (1) << 20)

static const char *
path_of (const char *name)
{
  static char path[512];
  snprintf (path, sizeof path, "%s/tree%s", check_directory (), name);
  return path;
}

static void
make_directory (const char *name)
{
  CHECK (mkdir (path_of (name), 0700) == 0 || errno == EEXIST);
}

/* NULL: the file is absent. */
static void
write_file (const char *directory, const char *name, const char *text)
{
  char whole[256];
  FILE *file;
  if (!text)
    return;
  snprintf (whole, sizeof whole, "%s/%s", directory, name);
  file = fopen (path_of (whole), "we");
  CHECK (file != NULL);
  CHECK (fputs (text, file) >= 0);
  CHECK (fclose (file) == 0);
}

static void
write_proc (const char *mountinfo, const char *cgroup)
{
  make_directory ("");
  make_directory ("/proc");
  write_file ("/proc", "mountinfo", mountinfo);
  write_file ("/proc", "cgroup", cgroup);
}

static GroupSpace
space (void)
{
  char proc[512];
  snprintf (proc, sizeof proc, "%s", path_of ("/proc"));
  return os_group_space_of (proc, path_of (""));
}

static void
remove_tree (void)
{
  char command[600];
  snprintf (command, sizeof command, "rm -r '%s'", path_of (""));
  CHECK (system (command) == 0);
}

#define MOUNT_2 "31 23 0:28 / /group rw - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_1                                                                \
  "30 23 0:27 / /cpu rw - cgroup cgroup rw,cpu\n"                              \
  "31 23 0:28 / /group rw shared:1 - cgroup cgroup rw,memory\n"

typedef struct
{
  const char *name;
  const char *limit, *usage, *stat; /* of the group /a/b, version 2 */
  const char *upper_limit, *upper_usage; /* of /a */
  uint64_t wanted_limit, wanted_available;
} Contents;

static const Contents contents[] = {
  { "a limit", "1000\n", "300\n", NULL, NULL, NULL, 1000, 700 },
  { "no limit", "max\n", "300\n", NULL, NULL, NULL, UINT64_MAX, UINT64_MAX },
  { "no files", NULL, NULL, NULL, NULL, NULL, UINT64_MAX, UINT64_MAX },
  { "empty files", "", "", "", NULL, NULL, UINT64_MAX, UINT64_MAX },
  { "usage above the limit", "1000\n", "3000\n", NULL, NULL, NULL, 1000, 0 },
  { "a limit of 0", "0\n", "0\n", NULL, NULL, NULL, 0, 0 },
  { "a negative limit", "-1\n", "0\n", NULL, NULL, NULL, UINT64_MAX,
      UINT64_MAX },
  { "words after the limit", "1000 x\n", "0\n", NULL, NULL, NULL, UINT64_MAX,
      UINT64_MAX },
  { "more digits than fit", "99999999999999999999999\n", "0\n", NULL, NULL,
      NULL, UINT64_MAX, UINT64_MAX },
  { "an unknown usage", "1000\n", "max\n", NULL, NULL, NULL, UINT64_MAX,
      UINT64_MAX },
  { "cached files", "1000\n", "900\n",
      "anon 200\ninactive_file 500\nactive_file 200\n", NULL, NULL, 1000, 700 },
  { "more cached than used", "1000\n", "100\n",
      "inactive_file 18446744073709551615\nactive_file 300\n", NULL, NULL, 1000,
      1000 },
  { "the lower limit above", "1000\n", "100\n", NULL, "600\n", "200\n", 600,
      400 },
  { "less left above, of a higher limit", "1000\n", "100\n", NULL, "2000\n",
      "1900\n", 1000, 100 },
  { "a limit above alone", "max\n", "100\n", NULL, "600\n", "200\n", 600, 400 },
};

static void
check_contents (const Contents *c, const char *mount, const char *group,
    const char *const names[2])
{
  write_proc (mount, group);
  make_directory ("/group");
  make_directory ("/group/a");
  make_directory ("/group/a/b");
  write_file ("/group/a/b", names[0], c->limit);
  write_file ("/group/a/b", names[1], c->usage);
  write_file ("/group/a/b", "memory.stat", c->stat);
  write_file ("/group/a", names[0], c->upper_limit);
  write_file ("/group/a", names[1], c->upper_usage);
  GroupSpace got = space ();
  if (got.limit != c->wanted_limit || got.available != c->wanted_available)
    check_fail (__FILE__, __LINE__, "%s: limit %llu, available %llu", c->name,
        (unsigned long long) got.limit, (unsigned long long) got.available);
  remove_tree ();
}

static void
version_2 (void)
{
  static const char *const names[] = { "memory.max", "memory.current" };
  for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
    check_contents (&contents[i], MOUNT_2, "0::/a/b\n", names);
}

static void
version_1 (void)
{
  static const char *const names[] = { "memory.limit_in_bytes",
    "memory.usage_in_bytes" };
  for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
    if (!contents[i].stat) /* its names of cached files are others */
      check_contents (&contents[i], MOUNT_1,
          "4:cpu:/x\n3:cpuset,memory:/a/b\n0::/\n", names);
}

/* Where the group of the process is, by the two files of /proc. */
static void
places (void)
{
  static const struct
  {
    const char *mountinfo, *cgroup;
    uint64_t limit;
  } rows[] = {
    /* a container that sees its own group alone, named as outside, or as "/" */
    { "1 2 0:3 /docker/x /group rw - cgroup2 c rw\n", "0::/docker/x\n", 77 },
    { "1 2 0:3 /docker/x /group rw - cgroup2 c rw\n", "0::/\n", 77 },
    { "1 2 0:3 /docker/x /group rw - cgroup2 c rw\n", "0::/docker/x/sub\n",
        55 },
    { "1 2 0:3 /docker/x /group rw - cgroup2 c rw\n", "0::/docker/xy\n", 77 },
    /* a path out of the tree, a group that is gone, and files of no use */
    { MOUNT_2, "0::/../../sub\n", 77 },
    { MOUNT_2, "0::/gone/sub\n", 77 },
    { MOUNT_2, "", UINT64_MAX },
    { MOUNT_2, "0\n0:\nx", UINT64_MAX },
    { "", "0::/\n", UINT64_MAX },
    { " - \n1 2 3 - cgroup2\n - cgroup2 c rw\n", "0::/\n", UINT64_MAX },
    { "1 2 0:3 / /gro\\165p rw - cgroup2 c rw\n", "0::/\n", 77 },
    { "1 2 0:3 / /group rw - tmpfs c rw,memory\n", "3:memory:/\n", UINT64_MAX },
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    write_proc (rows[i].mountinfo, rows[i].cgroup);
    make_directory ("/group");
    make_directory ("/group/sub");
    write_file ("/group", "memory.max", "77\n");
    write_file ("/group", "memory.current", "0\n");
    write_file ("/group/sub", "memory.max", "55\n");
    write_file ("/group/sub", "memory.current", "0\n");
    if (space ().limit != rows[i].limit)
      check_fail (__FILE__, __LINE__, "row %zu: %llu", i,
          (unsigned long long) space ().limit);
    remove_tree ();
  }
}

/* ---- a real group ---- */

/* A group with a limit of @bytes, for this process alone. It is removed when the last
 * process is out of it, by leave_group(). */
static char group[256], home[256];

static bool
write_group (const char *directory, const char *name, const char *text)
{
  char path[512];
  snprintf (path, sizeof path, "%s/%s", directory, name);
  return check_write_file (path, text);
}

/* The group is made below the one that this process is in, which the kernel shows in
 * @directory. */
static bool
enter_group_in (const char *directory, const char *limit_name,
    const char *limit)
{
  char pid[32];
  snprintf (home, sizeof home, "%s", directory);
  snprintf (group, sizeof group, "%s/datahub-test-%d", directory,
      (int) getpid ());
  snprintf (pid, sizeof pid, "%d", (int) getpid ());
  if (mkdir (group, 0700) != 0)
    return false;
  if (write_group (group, limit_name, limit)
      && write_group (group, "cgroup.procs", pid))
    return true;
  write_group (directory, "cgroup.procs", pid);
  rmdir (group);
  return false;
}

static void
enter_group (void)
{
  static const char limit[] = "67108864";
  if (!enter_group_in ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", limit)
      && !enter_group_in ("/sys/fs/cgroup", "memory.max", limit))
    check_skip ("no control group can be made here");
}

static void
leave_group (void)
{
  char pid[32];
  snprintf (pid, sizeof pid, "%d", (int) getpid ());
  CHECK (write_group (home, "cgroup.procs", pid));
  CHECK_UNTIL (rmdir (group) == 0);
}

/* The number that the message has before @what. */
static uint64_t
number_before (const char *what)
{
  const char *at = strstr (err.message, what);
  if (!at)
    check_fail (__FILE__, __LINE__, "\"%s\" has no \"%s\"", err.message, what);
  while (at > err.message && at[-1] >= '0' && at[-1] <= '9')
    at--;
  return strtoull (at, NULL, 10);
}

/* A block that exceeds the limit is refused, and no process is ended. */
static void
refused_at_creation (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  enter_group ();
  options.slot_size = 4 * MIB;
  options.slots = 64;
  options.max_bytes = 1024 * MIB;
  CHECK_RESULT (producer_try ("cam0", &options, &producer),
      DATAHUB_ERROR_NO_SPACE);
  CHECK_CONTAINS (err.message, "control group");
  uint64_t fits = number_before (" such slots fit");
  CHECK_INT (fits, >, 0);
  CHECK_INT (fits, <, 16);
  leave_group ();
}

static void
refused_at_growth (void)
{
  DatahubProducerOptions options = small_options ();
  enter_group ();
  options.max_bytes = 1024 * MIB;
  DatahubProducer *producer = producer_new ("cam0", &options);
  commit_buffers (producer, 0, 4);
  CHECK_RESULT (try_commit (producer, 4, 100 * MIB, 0), DATAHUB_ERROR_NO_SPACE);
  CHECK_CONTAINS (err.message, "control group");
  CHECK_CONTAINS (err.message, "such slots fit");
  commit_buffers (producer, 4, 4);
  datahub_producer_close (producer);
  leave_group ();
}

static void
default_is_half (void)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducerStats stats;
  enter_group ();
  DatahubProducer *producer = producer_new ("cam0", &options);
  datahub_producer_get_stats (producer, &stats);
  CHECK_INT (stats.max_bytes, <=, 32 * MIB);
  datahub_producer_close (producer);
  leave_group ();
}

static const CheckTest tests[] = {
  { "contents of the files of version 2", version_2 },
  { "contents of the files of version 1", version_1 },
  { "the place of the group, from mountinfo and cgroup", places },
  { "a block over the limit of a real group is refused", refused_at_creation },
  { "a growth over the limit of a real group is refused", refused_at_growth },
  { "max-bytes is half of the limit if it is open", default_is_half },
};

CHECK_MAIN (tests)
