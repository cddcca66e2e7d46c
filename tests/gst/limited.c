/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a pipeline or a program with one resource refused:
 *
 *   limited RESOURCE VALUE pipeline DESCRIPTION
 *   limited RESOURCE VALUE serve DESCRIPTION
 *   limited RESOURCE VALUE run PROGRAM [ARGUMENT…]
 *
 * RESOURCE is a limit (nofile, as, fsize, nproc), a system call that fails with
 * errno VALUE (memfd_create, inotify_init1, fallocate), or none. The pipeline has no
 * main loop, because GLib ends a process that gets none. It prints its warnings
 * and its error; the exit code is 0 after EOS, 1 after an error or if GStreamer
 * itself gets no thread, 3 after a minute, times CHECK_SCALE, without any of them. One
 * that serves has no such limit, and is killed when the thread that started it ends. */
#include <gst/gst.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct
{
  const char *name;
  int resource;
} limits[] = {
  { "nofile", RLIMIT_NOFILE },
  { "as", RLIMIT_AS },
  { "fsize", RLIMIT_FSIZE },
  { "nproc", RLIMIT_NPROC },
};

static const struct
{
  const char *name;
  guint32 number;
} calls[] = {
  { "memfd_create", SYS_memfd_create },
  { "inotify_init1", SYS_inotify_init1 },
  { "fallocate", SYS_fallocate },
};

static gboolean
refuse_call (guint32 number, guint32 error)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { G_N_ELEMENTS (code), code };

  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
      && prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static gboolean
refuse (const char *name, guint64 value)
{
  struct rlimit limit = { value, value }, none = { 0, 0 };

  setrlimit (RLIMIT_CORE, &none);
  if (g_str_equal (name, "none"))
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    if (g_str_equal (name, limits[i].name))
      return setrlimit (limits[i].resource, &limit) == 0;
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    if (g_str_equal (name, calls[i].name))
      return refuse_call (calls[i].number, (guint32) value);
  return FALSE;
}

static void
print_message (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  gboolean fatal = GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;

  if (fatal)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  g_print ("%s %s: %s\n", fatal ? "error" : "warning",
      GST_OBJECT_NAME (GST_MESSAGE_SRC (message)), error->message);
}

static GstClockTime
get_patience (gboolean serves)
{
  const char *scale = g_getenv ("CHECK_SCALE");

  if (serves)
    return GST_CLOCK_TIME_NONE;
  return (GstClockTime) MAX (scale ? atoi (scale) : 1, 1) * 60 * GST_SECOND;
}

static int
run (GstElement *pipeline, GstClockTime patience)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  int code = -1;

  /* GStreamer's own way from PAUSED to PLAYING needs one more thread. */
  if (gst_element_set_state (pipeline, GST_STATE_PAUSED)
      != GST_STATE_CHANGE_ASYNC)
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (code < 0) {
    g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (bus, patience,
        GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_WARNING
            | GST_MESSAGE_ASYNC_DONE);
    if (!message)
      code = 3;
    else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
      code = 0;
    else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ASYNC_DONE)
      gst_element_set_state (pipeline, GST_STATE_PLAYING);
    else
      print_message (message);
    if (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
      code = 1;
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return code;
}

/* GStreamer goes on without its own streaming thread, and then posts nothing. */
static void
end_without_thread (const char *domain, GLogLevelFlags level,
    const char *message, gpointer user_data)
{
  g_print ("%s\n", message);
  if (strstr (message, "failed to create thread"))
    _exit (1);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  gboolean serves = argc > 4 && g_str_equal (argv[3], "serve");
  gboolean pipeline = serves || (argc > 4 && g_str_equal (argv[3], "pipeline"));

  if (argc < 5)
    return 2;
  if (serves)
    prctl (PR_SET_PDEATHSIG, SIGKILL);
  /* The registry is written before a limit is set. */
  if (pipeline)
    gst_init (NULL, NULL);
  g_log_set_handler ("GStreamer", G_LOG_LEVEL_WARNING, end_without_thread,
      NULL);
  if (!refuse (argv[1], g_ascii_strtoull (argv[2], NULL, 10)))
    return 77;
  if (!pipeline) {
    execv (argv[4], argv + 4);
    return 2;
  }
  g_autoptr (GstElement) made = gst_parse_launch (argv[4], &error);
  if (!made || error) {
    g_print ("error: %s\n", error->message);
    return 2;
  }
  return run (gst_object_ref_sink (made), get_patience (serves));
}
