/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splits a capture from its encoder: starts capture, encode and preview as
 * processes of their own, shows what happens in them, and ends them in order. */
#include "child.h"
#include "media.h"

#include <glib-unix.h>
#include <glib/gstdio.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Once the capture has ended or was asked to, the others may take this long. */
#define FINISH_SECONDS 15
#define KILL_SECONDS 5

enum
{
  CAPTURE,
  ENCODE,
  PREVIEW,
  N_CHILDREN
};

typedef struct
{
  GMainLoop *loop;
  gchar *folder; /* where the workers are */
  gchar *blocks; /* prefix of the blocks' names */
  gchar *recording, *picture, *sheet;
  MediaInfo input;
  Child *children[N_CHILDREN];
  guint n_running;
  guint seconds;
  guint interrupts;
  guint late; /* source: the end is overdue */
} Launcher;

static gchar **inputs;
static gchar *output;
static gdouble duration = 10;
static gboolean fast;

static const GOptionEntry options[] = {
  { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
      "The folder to write to (default: split-capture-output)", "FOLDER" },
  { "duration", 'd', 0, G_OPTION_ARG_DOUBLE, &duration,
      "Length of the live test picture, 0: until Ctrl-C (default: 10)",
      "SECONDS" },
  { "fast", 'f', 0, G_OPTION_ARG_NONE, &fast,
      "Decode a file as fast as the encoder takes it, not at its own pace",
      NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &inputs, NULL,
      "[MEDIA-FILE]" },
  { NULL },
};

static void
signal_all (Launcher *launcher, int signal_number)
{
  for (guint i = 0; i < N_CHILDREN; i++)
    if (launcher->children[i])
      child_signal (launcher->children[i], signal_number);
}

static gboolean
on_too_late (gpointer user_data)
{
  Launcher *launcher = user_data;
  g_print ("killing what is still running\n");
  signal_all (launcher, SIGKILL);
  launcher->late = 0;
  return G_SOURCE_REMOVE;
}

static gboolean
on_late (gpointer user_data)
{
  Launcher *launcher = user_data;
  g_print ("not finished after %d s: interrupting all\n", FINISH_SECONDS);
  signal_all (launcher, SIGINT);
  launcher->late = g_timeout_add_seconds (KILL_SECONDS, on_too_late, launcher);
  return G_SOURCE_REMOVE;
}

static void
expect_the_end (Launcher *launcher)
{
  if (!launcher->late)
    launcher->late = g_timeout_add_seconds (FINISH_SECONDS, on_late, launcher);
}

/* The capture's end is the end of the streams, and so of the others. */
static void
stop_capture (Launcher *launcher)
{
  child_signal (launcher->children[CAPTURE], SIGINT);
  expect_the_end (launcher);
}

static gboolean
on_interrupt (gpointer user_data)
{
  Launcher *launcher = user_data;

  switch (launcher->interrupts++) {
    case 0:
      g_print ("\nstopping: the capture ends its streams, the encoder "
               "completes its file\n");
      if (child_is_running (launcher->children[CAPTURE]))
        stop_capture (launcher);
      else
        signal_all (launcher, SIGINT);
      break;
    case 1:
      g_print ("\ninterrupting all\n");
      signal_all (launcher, SIGINT);
      break;
    default:
      g_print ("\nkilling all\n");
      signal_all (launcher, SIGKILL);
  }
  return G_SOURCE_CONTINUE;
}

static guint64
captured (Launcher *launcher)
{
  Child *capture = launcher->children[CAPTURE];
  return child_get_count (capture, CHILD_VIDEO).buffers
      + child_get_count (capture, CHILD_AUDIO).buffers;
}

/* Whether something came of each stream there is: a file with an empty one cannot
 * be played. */
static gboolean
have_all_begun (Launcher *launcher)
{
  Child *capture = launcher->children[CAPTURE];
  return (!launcher->input.has_video
             || child_get_count (capture, CHILD_VIDEO).buffers > 0)
      && (!launcher->input.has_audio
          || child_get_count (capture, CHILD_AUDIO).buffers > 0);
}

static void
on_consumer_ended (Launcher *launcher, Child *child)
{
  if (child_has_succeeded (child)
      || !child_is_running (launcher->children[CAPTURE]))
    return;
  if (!child_is_running (launcher->children[ENCODE])
      && !child_is_running (launcher->children[PREVIEW])) {
    g_print ("no process is left to read the blocks: stopping the capture\n");
    stop_capture (launcher);
  } else if (captured (launcher) == 0) {
    g_print ("%s did not start: stopping the others\n",
        child_get_title (child));
    signal_all (launcher, SIGINT);
    expect_the_end (launcher);
  } else {
    g_print ("the others continue\n");
  }
}

static void
on_ended (Child *child, gpointer user_data)
{
  Launcher *launcher = user_data;
  g_autofree gchar *end = child_describe_end (child);

  g_print ("[%-7s %s] %s\n", child_get_title (child), child_get_pid (child),
      end);
  if (child == launcher->children[CAPTURE]) {
    expect_the_end (launcher);
    /* Nothing was published, so no reader will see the end of a stream. */
    if (captured (launcher) == 0)
      signal_all (launcher, SIGINT);
  } else {
    on_consumer_ended (launcher, child);
  }
  if (--launcher->n_running == 0)
    g_main_loop_quit (launcher->loop);
}

static void
print_counts (Launcher *launcher, Child *child)
{
  ChildCount video = child_get_count (child, CHILD_VIDEO);
  ChildCount audio = child_get_count (child, CHILD_AUDIO);
  guint64 lost = video.lost + audio.lost;

  g_print ("   %s", child_get_title (child));
  if (launcher->input.has_video)
    g_print (" %" G_GUINT64_FORMAT " frames", video.buffers);
  if (launcher->input.has_audio)
    g_print (" %" G_GUINT64_FORMAT " sounds", audio.buffers);
  if (lost)
    g_print (", lost %" G_GUINT64_FORMAT, lost);
}

static gboolean
on_second (gpointer user_data)
{
  Launcher *launcher = user_data;

  g_print ("%4u s", ++launcher->seconds);
  for (guint i = 0; i < N_CHILDREN; i++)
    print_counts (launcher, launcher->children[i]);
  g_print ("\n");
  return G_SOURCE_CONTINUE;
}

static gboolean
start (Launcher *launcher, guint which, const char *title, GStrvBuilder *own)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_autofree gchar *program = g_build_filename (launcher->folder, title, NULL);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) own_arguments = g_strv_builder_end (own);
  g_auto (GStrv) argv = NULL;

  g_strv_builder_add_many (builder, program, "--report", "--name",
      launcher->blocks, "--streams",
      !launcher->input.has_audio       ? "video"
          : !launcher->input.has_video ? "audio"
                                       : "video,audio",
      NULL);
  g_strv_builder_addv (builder, (const char **) own_arguments);
  argv = g_strv_builder_end (builder);
  launcher->children[which] = child_start (title, (const gchar *const *) argv,
      on_ended, launcher, &error);
  if (!launcher->children[which]) {
    g_printerr ("split-capture: cannot start %s: %s\n", title, error->message);
    return FALSE;
  }
  launcher->n_running++;
  return TRUE;
}

static gboolean
start_all (Launcher *launcher)
{
  g_autoptr (GStrvBuilder) capture = g_strv_builder_new ();
  g_autoptr (GStrvBuilder) encode = g_strv_builder_new ();
  g_autoptr (GStrvBuilder) preview = g_strv_builder_new ();
  char seconds[G_ASCII_DTOSTR_BUF_SIZE];

  g_strv_builder_add_many (capture, "--wait-for", "2", "--duration",
      g_ascii_dtostr (seconds, sizeof seconds, duration), NULL);
  if (fast)
    g_strv_builder_add (capture, "--fast");
  if (inputs)
    g_strv_builder_add_many (capture, "--", inputs[0], NULL);
  g_strv_builder_add_many (encode, "--output", launcher->recording, NULL);
  g_strv_builder_add_many (preview, "--output", launcher->picture, "--sheet",
      launcher->sheet, NULL);

  return start (launcher, CAPTURE, "capture", capture)
      && start (launcher, ENCODE, "encode", encode)
      && start (launcher, PREVIEW, "preview", preview);
}

static void
print_plan (Launcher *launcher)
{
  g_print ("A capture, its encoder and a live preview, each a process of its "
           "own.\n\n"
           "  input    %s%s%s\n"
           "  blocks   %s%s%s%s%s\n",
      inputs ? inputs[0] : "", inputs ? ": " : "", launcher->input.text,
      launcher->input.has_video ? launcher->blocks : "",
      launcher->input.has_video ? "-video" : "",
      launcher->input.has_video && launcher->input.has_audio ? ", " : "",
      launcher->input.has_audio ? launcher->blocks : "",
      launcher->input.has_audio ? "-audio" : "");
  g_print ("  capture  pid %s, decodes the input into the blocks\n"
           "  encode   pid %s, reads every buffer of both, writes %s\n"
           "  preview  pid %s, reads both as they pass, writes %s\n"
           "\nCtrl-C ends it with a complete file.\n\n",
      child_get_pid (launcher->children[CAPTURE]),
      child_get_pid (launcher->children[ENCODE]), launcher->recording,
      child_get_pid (launcher->children[PREVIEW]), launcher->picture);
}

static void
print_row (Launcher *launcher, Child *child)
{
  static const char *const streams[] = { "video", "audio" };
  const gboolean has[] = { launcher->input.has_video,
    launcher->input.has_audio };

  for (guint i = 0; i < CHILD_N_STREAMS; i++) {
    ChildCount count = child_get_count (child, i);
    if (has[i])
      g_print ("  %-8s %-7s %9" G_GUINT64_FORMAT
               " %10.1f MB %8" G_GUINT64_FORMAT "\n",
          child_get_title (child), streams[i], count.buffers, count.bytes / 1e6,
          count.lost);
  }
}

static gboolean
print_file (const char *path, gboolean is_required)
{
  g_autoptr (GError) error = NULL;
  MediaInfo info;
  GStatBuf st;

  if (g_stat (path, &st) != 0) {
    if (is_required)
      g_print ("  %s  missing\n", path);
    return !is_required;
  }
  if (!media_inspect (path, &info, &error)) {
    g_print ("  %s  %.2f MB, cannot be read back: %s\n", path, st.st_size / 1e6,
        error ? error->message : "nothing in it");
    return FALSE;
  }
  g_print ("  %s  %.2f MB: %s\n", path, st.st_size / 1e6, info.text);
  media_info_clear (&info);
  return TRUE;
}

/* Prints the result of all processes. Returns whether all succeeded. */
static gboolean
print_result (Launcher *launcher)
{
  Child *encode = launcher->children[ENCODE];
  gboolean ok = TRUE;

  if (launcher->interrupts && !have_all_begun (launcher)) {
    g_print ("\nInterrupted before %s.\n",
        captured (launcher) == 0
            ? "anything was captured"
            : "every stream had begun; the recording is not kept");
    g_unlink (launcher->recording);
    return TRUE;
  }
  g_print ("\n  process  stream    buffers          size     lost\n");
  for (guint i = 0; i < N_CHILDREN; i++) {
    print_row (launcher, launcher->children[i]);
    ok &= child_has_succeeded (launcher->children[i]);
  }
  ok &= child_get_count (encode, CHILD_VIDEO).lost == 0
      && child_get_count (encode, CHILD_AUDIO).lost == 0;
  g_print ("\n");
  ok &= print_file (launcher->recording, captured (launcher) > 0);
  ok &= print_file (launcher->picture,
      child_get_count (launcher->children[PREVIEW], CHILD_VIDEO).buffers > 0);
  print_file (launcher->sheet, FALSE);
  g_print ("%s\n", ok ? "\nAll went well." : "\nNot all went well; see above.");
  return ok;
}

static gboolean
look_at_input (Launcher *launcher)
{
  g_autoptr (GError) error = NULL;

  if (!inputs) {
    launcher->input.has_video = launcher->input.has_audio = TRUE;
    launcher->input.text = duration > 0
        ? g_strdup_printf ("a live test picture and a tone, %g s", duration)
        : g_strdup ("a live test picture and a tone, until Ctrl-C");
    return TRUE;
  }
  if (inputs[1]) {
    g_printerr ("split-capture: one media file at a time\n");
    return FALSE;
  }
  if (!media_inspect (inputs[0], &launcher->input, &error)) {
    g_printerr ("split-capture: %s: %s\n", inputs[0],
        error ? error->message : "not a media file");
    return FALSE;
  }
  return TRUE;
}

static gboolean
prepare (Launcher *launcher)
{
  g_autofree gchar *self = g_file_read_link ("/proc/self/exe", NULL);

  if (!output)
    output = g_strdup ("split-capture-output");
  if (g_mkdir_with_parents (output, 0777) != 0) {
    g_printerr ("split-capture: cannot make the folder %s: %s\n", output,
        g_strerror (errno));
    return FALSE;
  }
  launcher->loop = g_main_loop_new (NULL, FALSE);
  launcher->folder = g_path_get_dirname (self ? self : ".");
  launcher->blocks = g_strdup_printf ("split%d", (int) getpid ());
  launcher->recording = g_build_filename (output, "recording.mp4", NULL);
  launcher->picture = g_build_filename (output, "preview.png", NULL);
  launcher->sheet = g_build_filename (output, "contact-sheet.png", NULL);
  /* What an earlier run left must not pass for the result of this one. */
  g_unlink (launcher->recording);
  g_unlink (launcher->picture);
  g_unlink (launcher->sheet);
  return TRUE;
}

static void
clear (Launcher *launcher)
{
  for (guint i = 0; i < N_CHILDREN; i++)
    g_clear_pointer (&launcher->children[i], child_free);
  g_clear_handle_id (&launcher->late, g_source_remove);
  g_clear_pointer (&launcher->loop, g_main_loop_unref);
  media_info_clear (&launcher->input);
  g_free (launcher->folder);
  g_free (launcher->blocks);
  g_free (launcher->recording);
  g_free (launcher->picture);
  g_free (launcher->sheet);
}

static gboolean
run (Launcher *launcher)
{
  guint tick, interrupt, terminate;
  gboolean started = start_all (launcher);

  if (!started)
    signal_all (launcher, SIGKILL);
  if (launcher->n_running == 0)
    return FALSE;
  if (started)
    print_plan (launcher);
  tick = started ? g_timeout_add_seconds (1, on_second, launcher) : 0;
  interrupt = g_unix_signal_add (SIGINT, on_interrupt, launcher);
  terminate = g_unix_signal_add (SIGTERM, on_interrupt, launcher);
  g_main_loop_run (launcher->loop);
  g_clear_handle_id (&tick, g_source_remove);
  g_source_remove (interrupt);
  g_source_remove (terminate);
  return started && print_result (launcher);
}

int
main (int argc, char **argv)
{
  Launcher launcher = { 0 };
  GOptionContext *context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean ok;

  g_option_context_set_summary (context,
      "Splits a capture from its encoder: three processes, two blocks of shared "
      "memory,\na recording and a picture. Without MEDIA-FILE, a live test "
      "picture and a tone.\n\nExample:\n  examples/split-capture/run "
      "--output /tmp/out film.mp4");
  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  ok = g_option_context_parse (context, &argc, &argv, &error);
  g_option_context_free (context);
  if (!ok) {
    g_printerr ("split-capture: %s\n", error->message);
    return 2;
  }
  /* The files are completed also if the reader of the output goes away. */
  signal (SIGPIPE, SIG_IGN);
  ok = look_at_input (&launcher) && prepare (&launcher) && run (&launcher);
  clear (&launcher);
  g_strfreev (inputs);
  g_free (output);
  return ok ? 0 : 1;
}
