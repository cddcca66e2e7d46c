/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory limit of a control group: what the kernel writes, where the groups are, and
 * one real group, where one can be made. What follows from a limit is in
 * test-cgroup-limit.c. */
#include "fixture.h"

#include "core/os/os-cgroup-private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONE UINT64_MAX
#define MIB (UINT64_C (1) << 20)

enum
{
  V2,
  V1
};

/* ---- texts ---- */

static void
paths (void)
{
  static const struct
  {
    int version;
    const char *text, *wanted;
  } rows[] = {
    { V2, "0::/a/b\n", "/a/b" },
    { V2, "0::/\n", "" },
    { V2, "0::/a", "/a" },
    { V2, "", "" },
    { V2, "0", "" },
    { V2, "0:", "" },
    { V2, "0::", "" },
    { V2, "0::/", "" },
    { V2, "\n\n0::/a\n", "/a" },
    { V2, "x\n0::/a\n", "/a" },
    { V2, "4:memory:/x\n1:name=systemd:/y\n0::/z\n", "/z" },
    { V2, "4:memory:/a::/b\n0::/z\n", "/z" },
    { V2, "0::/a::/b\n", "/a::/b" },
    { V2, "4:memory:/x\n", "" },
    { V2, "0::/with space\\x\n", "/with space\\x" },
    { V2, "0::/0123456789012345678901234567890\n", "/01234567890123456789012" },
    { V1, "9:cpu:/c\n4:memory:/a/b\n0::/z\n", "/a/b" },
    { V1, "4:memory:/\n0::/z\n", "" },
    { V1, "4:memory2:/x\n5:name=memory:/y\n6:xmemory:/y\n", "" },
    { V1, "0::/a:memory:/b\n", "" },
    { V1, "0::/x\n", "" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char got[25];
    group_parse_path (&group_versions[rows[i].version], rows[i].text, got,
        sizeof got);
    if (strcmp (got, rows[i].wanted) != 0)
      check_fail (__FILE__, __LINE__, "row %zu: \"%s\"", i, got);
  }
}

static void
limits (void)
{
  static const struct
  {
    const char *text;
    uint64_t wanted;
  } rows[] = {
    { "1000\n", 1000 },
    { "0\n", 0 },
    { "4096", 4096 },
    { "4611686018427387903\n", (UINT64_C (1) << 62) - 1 },
    { "max\n", NONE },
    { "9223372036854771712\n", NONE }, /* pages of 4 KiB, and of 64 KiB */
    { "9223372036854710272\n", NONE },
    { "99999999999999999999999\n", NONE },
    { "", NONE },
    { "\n", NONE },
    { " 5\n", NONE },
    { "-1\n", NONE },
    { "+1\n", NONE },
    { ":5\n", NONE },
    { "/5\n", NONE },
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    CHECK_INT (group_parse_limit (rows[i].text), ==, rows[i].wanted);
}

static void
rests (void)
{
  static const struct
  {
    int version;
    uint64_t limit;
    const char *usage, *stat;
    uint64_t wanted;
  } rows[] = {
    { V2, 1000, "300\n", "", 700 },
    { V2, 1000, "1000\n", "", 0 },
    { V2, 1000, "3000\n", "", 0 },
    { V2, 0, "0\n", "", 0 },
    { V2, 1000, "", "", NONE },
    { V2, 1000, "max\n", "", NONE },
    /* cached files */
    { V2, 1000, "900\n", "anon 200\ninactive_file 500\nactive_file 200\n",
        800 },
    { V2, 1000, "900\n", "anon 200\nactive_file 200\n", 300 },
    { V2, 1000, "900\n", "anon 200\ninactive_file 500\n", 600 },
    { V2, 1000, "900\n", "anon 200\nfile 500\ntotal_active_file 200\n", 100 },
    { V2, 1000, "900\n", "anon 200\nx_inactive_file 500\n", 100 },
    { V2, 1000, "1500\n", "anon 0\ninactive_file 800\n", 300 },
    { V2, 1000, "100\n", "anon 0\ninactive_file 150\n", 1000 },
    { V2, 1000, "100\n",
        "anon 0\ninactive_file 18446744073709551615\nactive_file 300\n", 1000 },
    { V2, 1000, "100\n",
        "anon 0\ninactive_file 50\nactive_file 18446744073709551610\n", 1000 },
    { V2, 1000, "900\n", "anon 0\ninactive_file ", 100 },
    { V1, 1000, "900\n",
        "cache 200\ninactive_file 1\nactive_file 2\ntotal_inactive_file 500\n"
        "total_active_file 200\n",
        800 },
    { V1, 1000, "900\n", "cache 200\ntotal_active_file 200\n", 300 },
    { V1, 1000, "900\n", "cache 200\ninactive_file 500\nactive_file 200\n",
        100 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    uint64_t got = group_parse_rest (&group_versions[rows[i].version],
        rows[i].limit, rows[i].usage, rows[i].stat);
    if (got != rows[i].wanted)
      check_fail (__FILE__, __LINE__, "row %zu: %llu", i,
          (unsigned long long) got);
  }
}

/* ---- files ---- */

static const char *
tree (void)
{
  static char path[512];
  snprintf (path, sizeof path, "%s/tree", check_directory ());
  return path;
}

/* Makes a file of the tree, and its directories. */
static void
put (const char *name, const char *text)
{
  char path[PATH_MAX];
  FILE *file;
  size_t top = strlen (tree ());
  snprintf (path, sizeof path, "%s%s", tree (), name);
  for (char *at = path + top; (at = strchr (at, '/')); *at++ = '/') {
    *at = 0;
    CHECK (mkdir (path, 0700) == 0 || errno == EEXIST);
  }
  file = fopen (path, "we");
  CHECK (file != NULL);
  CHECK (fputs (text, file) >= 0);
  CHECK (fclose (file) == 0);
}

static void
put_group (const char *directory, const char *limit, const char *usage)
{
  const char *old = strstr (directory, "/memory");
  char path[512];
  snprintf (path, sizeof path, "%s/%s", directory,
      old ? "memory.limit_in_bytes" : "memory.max");
  put (path, limit);
  snprintf (path, sizeof path, "%s/%s", directory,
      old ? "memory.usage_in_bytes" : "memory.current");
  put (path, usage);
}

/* What is in the tree, which goes. */
static void
expect_space (const char *what, uint64_t limit, uint64_t available)
{
  GroupSpace got = os_group_space_below (tree ());
  char command[600];
  snprintf (command, sizeof command, "rm -r '%s'", tree ());
  CHECK (system (command) == 0);
  if (got.limit != limit || got.available != available)
    check_fail (__FILE__, __LINE__, "%s: limit %llu, available %llu", what,
        (unsigned long long) got.limit, (unsigned long long) got.available);
}

static void
places (void)
{
  put ("/proc/self/cgroup", "0::/a/b\n");
  expect_space ("no group", NONE, NONE);

  put ("/proc/self/cgroup", "0::/a/b\n");
  put_group ("/sys/fs/cgroup/a/b", "1000\n", "300\n");
  put ("/sys/fs/cgroup/a/b/memory.stat", "anon 0\ninactive_file 100\n");
  expect_space ("the own group", 1000, 800);

  put ("/proc/self/cgroup", "4:memory:/a/b\n0::/\n");
  put_group ("/sys/fs/cgroup/memory/a/b", "1000\n", "300\n");
  put ("/sys/fs/cgroup/memory/a/b/memory.stat",
      "cache 0\ntotal_inactive_file 100\n");
  expect_space ("the own group, version 1", 1000, 800);

  put ("/proc/self/cgroup", "0::/a/b\n");
  put_group ("/sys/fs/cgroup/a/b", "max\n", "300\n");
  expect_space ("no limit", NONE, NONE);

  put ("/proc/self/cgroup", "0::/a/b\n");
  put_group ("/sys/fs/cgroup/a/b", "1000\n", "");
  expect_space ("no usage", 1000, NONE);

  put ("/proc/self/cgroup", "0::/a/b\n");
  put_group ("/sys/fs/cgroup/a/b", "1000\n", "100\n");
  put_group ("/sys/fs/cgroup/a", "600\n", "200\n");
  put_group ("/sys/fs/cgroup/a/b/c", "5\n", "5\n");
  put_group ("/sys/fs/cgroup/b", "5\n", "5\n");
  put_group ("/sys/fs", "5\n", "5\n");
  expect_space ("the limit of the parent is lower", 600, 400);

  put ("/proc/self/cgroup", "0::/a/b\n");
  put_group ("/sys/fs/cgroup/a/b", "1000\n", "100\n");
  put_group ("/sys/fs/cgroup", "2000\n", "1900\n");
  expect_space ("the top has less left, of a higher limit", 1000, 100);

  put ("/proc/self/cgroup", "0::/a/b\n");
  put_group ("/sys/fs/cgroup/a/b", "1000\n", "900\n");
  put_group ("/sys/fs/cgroup", "800\n", "300\n");
  expect_space ("the top has more left, of a lower limit", 800, 100);

  put ("/proc/self/cgroup", "0::/docker/x\n");
  put_group ("/sys/fs/cgroup", "1000\n", "300\n");
  expect_space ("a container that sees its own group alone", 1000, 700);

  put ("/proc/self/cgroup", "0::/\n");
  put_group ("/sys/fs/cgroup", "1000\n", "300\n");
  expect_space ("the top", 1000, 700);

  put ("/proc/self/cgroup", "0::/../x\n");
  put_group ("/sys/fs/cgroup", "1000\n", "300\n");
  expect_space ("a group outside of the namespace", 1000, 700);

  put_group ("/sys/fs/cgroup", "1000\n", "300\n");
  expect_space ("no file about the process", 1000, 700);

  put ("/proc/self/cgroup", "4:memory:/a\n0::/b\n");
  put_group ("/sys/fs/cgroup/memory/a", "1000\n", "300\n");
  put_group ("/sys/fs/cgroup/b", "2000\n", "1900\n");
  expect_space ("both versions", 1000, 100);
}

/* ---- a real group ---- */

/* Shared with the process in the group. It checks nothing itself: the group must be
 * removed after it. */
typedef struct
{
  GroupSpace space;
  DatahubResult result;
  bool entered;
  char message[sizeof err.message];
} Findings;

#define REAL_LIMIT (256 * MIB)

static bool
write_in (const char *directory, const char *name, const char *text)
{
  char path[512];
  snprintf (path, sizeof path, "%.400s/%.100s", directory, name);
  return check_write_file (path, text);
}

static void
work_in (const char *group, const char *limit_name, Findings *findings)
{
  DatahubProducerOptions options = small_options ();
  DatahubProducer *producer = NULL;
  char limit[32];
  snprintf (limit, sizeof limit, "%llu", (unsigned long long) REAL_LIMIT);
  if (!write_in (group, limit_name, limit)
      || !write_in (group, "cgroup.procs", "0"))
    return;
  findings->entered = true;
  findings->space = os_group_space ();
  options.slot_size = 16 * MIB;
  options.slots = 2 * REAL_LIMIT / options.slot_size;
  options.max_bytes = 4 * REAL_LIMIT;
  findings->result = producer_try ("cam0", &options, &producer);
  memcpy (findings->message, err.message, sizeof err.message);
}

/* False: no group can be made in @top. */
static bool
run_in_group (const char *top, const char *limit_name, Findings *findings)
{
  char group[256];
  pid_t pid;
  snprintf (group, sizeof group, "%s/datahub-test-%d", top, (int) getpid ());
  if (mkdir (group, 0700) != 0)
    return false;
  pid = fork ();
  if (pid == 0) {
    work_in (group, limit_name, findings);
    _exit (0);
  }
  while (pid > 0 && waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    continue;
  /* the kernel counts a process for a moment after it was waited for */
  CHECK_UNTIL (rmdir (group) == 0);
  return findings->entered;
}

static void
real_group (void)
{
  Findings *findings = mmap (NULL, sizeof *findings, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  GroupSpace outside = os_group_space ();
  CHECK (findings != MAP_FAILED);
  if (outside.limit < REAL_LIMIT)
    check_skip ("the control group of the test has a lower limit itself");
  if (!run_in_group ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", findings)
      && !run_in_group ("/sys/fs/cgroup", "memory.max", findings))
    check_skip ("no control group with a memory limit can be made here");
  CHECK_INT (findings->space.limit, ==, REAL_LIMIT);
  CHECK_INT (findings->space.available, >, 0);
  CHECK_INT (findings->space.available, <=, REAL_LIMIT);
  CHECK_RESULT (findings->result, DATAHUB_ERROR_NO_SPACE);
  check_note ("%s", findings->message);
  CHECK_INT (check_count_files (), ==, 0);
  munmap (findings, sizeof *findings);
}

static const CheckTest tests[] = {
  { "the path of the group, from good and bad texts", paths },
  { "a limit, from good and bad texts", limits },
  { "what is left of a limit, from good and bad texts", rests },
  { "the files of the group and of its ancestors", places },
  { "a block over the limit of a real group is refused", real_group },
};

CHECK_MAIN (tests)
