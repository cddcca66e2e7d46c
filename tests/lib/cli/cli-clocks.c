/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub inspect` and `datahub doctor` about a producer with another monotonic clock:
 * its pair of clocks in the control file is written over. */
#include "cli-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Offsets in the control file, from docs/memory-layout.md. */
#define AT_CLOCK_TURN 0x320
#define AT_CLOCK 0x340

typedef struct
{
  guint64 monotonic, realtime;
  guint8 boot[16];
} Pair;

static guint64
clock_ns (clockid_t id)
{
  struct timespec now;

  clock_gettime (id, &now);
  return (guint64) (now.tv_sec * SECONDS + now.tv_nsec);
}

static int
open_control_file (void)
{
  const char *shm = g_getenv ("DATAHUB_SHM_DIR"), *name;
  g_autoptr (GDir) dir = g_dir_open (shm, 0, NULL);

  while ((name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (shm, name, NULL);
    if (g_str_has_suffix (name, ".ctl"))
      return g_open (path, O_RDWR | O_CLOEXEC);
  }
  return -1;
}

/* Over the newest pair; the producer takes no other while it commits nothing. */
static void
write_pair (const Pair *pair)
{
  int fd = open_control_file ();
  guint64 turn = 0;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (pread (fd, &turn, sizeof turn, AT_CLOCK_TURN), ==,
      sizeof turn);
  g_assert_cmpint (pwrite (fd, pair, sizeof *pair,
                       (off_t) (AT_CLOCK + turn % 2 * sizeof *pair)),
      ==, sizeof *pair);
  close (fd);
}

/* What inspect shows; @text NULL: nothing of clocks. */
static void
check_inspect (const char *state, gint64 seconds, const char *text)
{
  g_auto (Result) table = run ("inspect", "cam0", NULL);
  g_auto (Result) result = run ("inspect", "cam0", "--json", NULL);
  json_t *json = parse (&result);
  json_int_t offset =
      json_integer_value (json_object_get (json, "clock-offset-ns"));

  if (text)
    assert_says (table.out, text);
  else
    assert_silent (table.out, "Clock");
  g_assert_cmpstr (text_of (json, "clock"), ==, state);
  g_assert_cmpint (ABS (offset - seconds * SECONDS), <, SECONDS);
  json_decref (json);
}

/* A problem of doctor; @severity NULL: there is none. */
static void
check_doctor (const char *severity, const char *text)
{
  g_auto (Result) result = run ("doctor", "cam0", "--broker", "none", "--json",
      "--watch", "0", NULL);
  json_t *json = parse (&result), *problem;
  json_t *block = json_array_get (json_object_get (json, "blocks"), 0);
  guint found = 0;
  size_t i;

  json_array_foreach (json_object_get (block, "problems"), i, problem)
  {
    if (g_strcmp0 (text_of (problem, "name"), "clock") != 0)
      continue;
    found++;
    g_assert_cmpstr (text_of (problem, "severity"), ==, severity);
    assert_says (text_of (problem, "message"), text);
  }
  g_assert_cmpuint (found, ==, severity ? 1 : 0);
  json_decref (json);
}

static void
test_same (void)
{
  DatahubProducer *producer = produce ("cam0");

  check_inspect ("same", 0, NULL);
  check_doctor (NULL, NULL);
  datahub_producer_close (producer);
}

/* Hours, so that a slow machine does not matter. */
#define FAR 100000

static void
test_others (void)
{
  static const struct
  {
    gint64 ahead, realtime;
    guint8 boot;
    const char *state, *severity, *text;
    gint64 offset;
  } cases[] = {
    { FAR, 0, 0, "mapped", "note", "s ahead of the one here", -FAR },
    { FAR, 0, 7, "other-boot", "warning", "that of another kernel", 0 },
    { FAR, FAR, 0, "implausible", "warning", "contradict themselves", 0 },
  };
  DatahubProducer *producer = produce ("cam0");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    Pair pair = { clock_ns (CLOCK_MONOTONIC)
          + (guint64) (cases[i].ahead * SECONDS),
      clock_ns (CLOCK_REALTIME) + (guint64) (cases[i].realtime * SECONDS),
      { 0 } };
    memset (pair.boot, cases[i].boot, sizeof pair.boot);
    write_pair (&pair);
    check_inspect (cases[i].state, cases[i].offset, cases[i].text);
    check_doctor (cases[i].severity, cases[i].text);
  }
  datahub_producer_close (producer);
}

static void
add_tests (void)
{
  fixture_add ("/cli/clocks/same", test_same);
  fixture_add ("/cli/clocks/others", test_others);
}

int
main (int argc, char **argv)
{
  cli_init ();
  return fixture_main (&argc, &argv, add_tests);
}
