/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub list` on a terminal: a pseudo terminal of a known width. */
#include "cli-fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define CAPS                                                                   \
  "video/x-raw, format=(string)I420, width=(int)1280, height=(int)720, "       \
  "framerate=(fraction)30/1, colorimetry=(string)bt709"
#define SHORT_CAPS                                                             \
  "video/x-raw, format=I420, width=1280, height=720, framerate=30/1, "         \
  "colorimetry=bt709"
#define WIDE_CAPS "video/x-raw, label=(string)映像映像映像映像映像映像映像映像"

static DatahubHub *hub;
static DatahubProducer *producer;

static void
set_up (const char *caps)
{
  g_autoptr (GError) error = NULL;

  hub = fixture_hub (DATAHUB_HUB_DEFAULT);
  producer = produce ("cam0");
  datahub_hub_register_block (hub, "cam0", datahub_producer_get_uuid (producer),
      caps, NULL, DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) found G_GNUC_UNUSED =
      datahub_hub_find (hub, "cam0", 10 * SECONDS, NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (void)
{
  datahub_producer_close (producer);
  g_object_unref (hub);
}

static int
open_terminal (guint columns)
{
  struct winsize size = { .ws_row = 25, .ws_col = columns };
  int master = posix_openpt (O_RDWR | O_NOCTTY | O_CLOEXEC);

  g_assert_cmpint (master, >=, 0);
  g_assert_cmpint (grantpt (master), ==, 0);
  g_assert_cmpint (unlockpt (master), ==, 0);
  g_assert_cmpint (ioctl (master, TIOCSWINSZ, &size), ==, 0);
  return master;
}

/* What the command writes to a terminal of @columns characters, as lines. */
static char **
list_on_terminal (guint columns, const char *option)
{
  int master = open_terminal (columns);
  int slave = open (ptsname (master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  char part[4096];
  ssize_t got;

  g_assert_cmpint (slave, >=, 0);
  g_subprocess_launcher_take_stdout_fd (launcher, slave);
  g_autoptr (GSubprocess) process = g_subprocess_launcher_spawn (launcher,
      &error, cli_command (), "list", option, NULL);
  g_assert_no_error (error);
  g_subprocess_launcher_close (launcher);
  /* The end of the last process on the other side is EIO. */
  while ((got = read (master, part, sizeof part)) > 0)
    g_string_append_len (text, part, got);
  close (master);
  g_assert_true (g_subprocess_wait_check (process, NULL, &error));
  g_assert_no_error (error);
  return g_strsplit (text->str, "\r\n", -1);
}

static guint
width_of (const char *line)
{
  guint width = 0;

  for (; *line; line = g_utf8_next_char (line))
    width += g_unichar_iswide (g_utf8_get_char (line)) ? 2 : 1;
  return width;
}

static void
test_caps_fit (void)
{
  static const guint widths[] = { 80, 100, 120 };

  set_up (CAPS);
  for (guint i = 0; i < G_N_ELEMENTS (widths); i++) {
    g_auto (GStrv) lines = list_on_terminal (widths[i], NULL);
    g_assert_cmpuint (g_strv_length (lines), ==, 3);
    g_assert_true (g_str_has_prefix (lines[1], "cam0 "));
    assert_says (lines[1], "video/x-raw, format=I420, width=1");
    g_assert_true (g_str_has_suffix (lines[1], "…"));
    g_assert_cmpuint (width_of (lines[1]), ==, widths[i]);
  }
  tear_down ();
}

static void
test_caps_whole (void)
{
  set_up (CAPS);
  g_auto (GStrv) wide = list_on_terminal (400, NULL);
  g_assert_true (g_str_has_suffix (wide[1], "  " SHORT_CAPS));

  /* A terminal without a width, a pipe, JSON: as the producer wrote them. */
  g_auto (GStrv) unknown = list_on_terminal (0, NULL);
  g_assert_true (g_str_has_suffix (unknown[1], "  " CAPS));
  g_auto (Result) pipe = run ("list", NULL);
  assert_says (pipe.out, "  " CAPS "\n");
  g_auto (GStrv) json = list_on_terminal (40, "--json");
  g_autofree char *text = g_strjoinv ("\n", json);
  assert_says (text, "\"" CAPS "\"");
  tear_down ();
}

/* The other columns are never cut, and a start of the caps is always shown. */
static void
test_narrow (void)
{
  set_up (CAPS);
  g_auto (GStrv) lines = list_on_terminal (20, NULL);

  g_assert_true (g_str_has_suffix (lines[0], "  CAPS"));
  g_assert_true (g_str_has_suffix (lines[1], "  video/x…"));
  tear_down ();
}

static void
test_wide_characters (void)
{
  set_up (WIDE_CAPS);
  for (guint columns = 80; columns < 82; columns++) {
    g_auto (GStrv) lines = list_on_terminal (columns, NULL);
    assert_says (lines[1], "label=映像");
    g_assert_true (g_str_has_suffix (lines[1], "…"));
    g_assert_cmpuint (width_of (lines[1]), >=, columns - 1);
    g_assert_cmpuint (width_of (lines[1]), <=, columns);
  }
  tear_down ();
}

static void
add_tests (void)
{
  fixture_add ("/cli/terminal/caps-fit", test_caps_fit);
  fixture_add ("/cli/terminal/caps-whole", test_caps_whole);
  fixture_add ("/cli/terminal/narrow", test_narrow);
  fixture_add ("/cli/terminal/wide-characters", test_wide_characters);
}

int
main (int argc, char **argv)
{
  cli_init ();
  return fixture_main (&argc, &argv, add_tests);
}
